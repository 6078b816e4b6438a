import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { AUDIENCES, issueToken } from '../../identity/tokens.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { answers } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';
import { userOnWire, wireUser } from '../wire/access.ts';

const tags = ['Tokens'];

/** Orkes' GenerateTokenRequest, and what a token for tasks can be bound to. */
const tokenRequest = z.strictObject({
  keyId: z.string().min(1).max(256),
  keySecret: z.string().min(1).max(256),
  audience: z
    .enum(AUDIENCES)
    .optional()
    .describe("`api`, by default: for this API. `task`: for a task's input `accessToken`."),
  workflow: z.string().optional().describe('For `task`: the one workflow, by its exact name, whose tasks may use it.'),
  once: z.boolean().optional().describe('For `task`: it is for the first workflow that uses it.'),
  expiresInSeconds: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('By default 3600, which for `api` is the most; for `task` 7 days are.'),
  // Some clients of Orkes send it.
  expiration: z.number().optional().describe('Taken and ignored.'),
});

/** Getting a token, and asking whose it is: Orkes' TokenResource. */
export function tokenRoutes({ catalog, signingKey, secrets }: AdminParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/token', {
      schema: {
        tags,
        summary: "A token for an application's access key",
        body: tokenRequest,
        response: answers({ 200: z.object({ token: z.string() }) }, [429]),
      },
      config: { unversioned: true, permission: { kind: 'public' } },
      async handler(request) {
        const { keyId, keySecret, audience = 'api', workflow, once, expiresInSeconds } = request.body;
        const isRight = await secrets.verify({ keyId, secret: keySecret, address: request.ip });
        const snapshot = catalog.current();
        const key = snapshot.accessKey(keyId);
        const uid = key === undefined ? undefined : snapshot.application(key.application)?.uid;
        // One answer to all of these: who guesses learns nothing from which it was.
        if (!isRight || key === undefined || !key.enabled || uid === undefined || uid !== key.applicationUid) {
          throw new ServiceError(
            'ACCESS_KEY_INVALID',
            'The access key is unknown, switched off, or its secret is another',
          );
        }
        const application = { id: key.application, uid };
        const issued = await issueToken({
          signingKey,
          application,
          accessKeyId: keyId,
          audience,
          workflow,
          once,
          expiresInSeconds,
        });
        return { token: issued.token };
      },
    });

    app.get('/token/userInfo', {
      schema: { tags, summary: 'Whose token this is', response: answers({ 200: wireUser }) },
      config: { permission: { kind: 'signed-in' } },
      handler: async (request) => userOnWire(catalog.current(), callerOfRequest(request).id),
    });
  };
}
