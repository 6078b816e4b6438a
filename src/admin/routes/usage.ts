import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import type { Frequency } from '../../record-fields.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { callerOf, demandAccess } from '../access/caller.ts';
import { integrationAsked, modelAsked } from '../access/targets.ts';
import { answers, nothing } from '../http/schemas.ts';
import { demandVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { demandRecord, recordText } from '../records.ts';
import { limitOf } from '../wire/common.ts';
import { modelsFor } from '../wire/integration.ts';

const tags = ['Usage'];
const path = z.object({ name: z.string() });
const on = (params: Readonly<Record<string, string>>) => integrationAsked(params['name'] ?? '');

/** Where Orkes names a model: all of the integration's together. */
const EVERY_MODEL = '*';

/** Orkes' TokenLimit: how many tokens a model may use in a day or a month. */
const tokenLimit = z.object({
  integrationName: z.string(),
  api: z.string(),
  maxTokens: z.number().int(),
  tokenLimitPeriod: z.enum(['DAY', 'MONTH']),
});
const tokenLimitUpdate = z.strictObject({
  integrationName: z.string().optional(),
  api: z.string().min(1).describe('The model; `*`: all models of the integration together.'),
  maxTokens: z.number().int().min(0),
  tokenLimitPeriod: z.enum(['DAY', 'MONTH']),
});

/** Token limits: Orkes' TokenLimit of a model or an integration, which is the `maxTokens` and `frequency` of its record. */
export function tokenLimitRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;

  return async (app) => {
    app.get('/integrations/llm/:name/token', {
      schema: {
        tags,
        summary: 'The token limits of an integration and its models, by day and month',
        params: path,
        response: answers({ 200: z.array(tokenLimit) }),
      },
      config: { permission: { kind: 'access', access: 'READ', on } },
      async handler(request) {
        const { name } = request.params;
        const snapshot = catalog.current();
        const { record } = demandRecord(snapshot, 'integrations', name);
        const models = modelsFor(snapshot, callerOfRequest(request), name, { activeOnly: false });
        return [{ ...limitOf(record), api: EVERY_MODEL }, ...models].flatMap(({ api, maxTokens, frequency }) => {
          const tokenLimitPeriod = periodOf(frequency);
          if (maxTokens === undefined || tokenLimitPeriod === undefined) return [];
          return [{ integrationName: name, api, maxTokens, tokenLimitPeriod }];
        });
      },
    });

    app.post('/integrations/llm/:name/token', {
      schema: {
        tags,
        summary: 'Set the token limit of a model, or of all models of the integration together',
        params: path,
        body: tokenLimitUpdate,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'access', access: 'UPDATE', on } },
      async handler(request) {
        const { name } = request.params;
        const { integrationName = name, api, maxTokens, tokenLimitPeriod } = request.body;
        if (integrationName !== name)
          throw new ServiceError('REQUEST_INVALID', 'integrationName: the path names another');
        const { subject } = callerOfRequest(request);
        const ofAll = api === EVERY_MODEL;
        const [kind, field] = ofAll ? (['integrations', name] as const) : (['models', `${name}:${api}`] as const);
        await writer.change([names.hash(kind)], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          demandAccess(caller, 'UPDATE', ofAll ? integrationAsked(name) : modelAsked(name, api));
          const { raw, json } = demandRecord(snapshot, kind, field);
          demandVersion(request, raw);
          const frequency = tokenLimitPeriod === 'DAY' ? 'daily' : 'monthly';
          const after = recordText(kind, { ...json, maxTokens, frequency }, { caller, before: json });
          return { edits: [{ key: names.hash(kind), field, before: raw, after }], result: undefined };
        });
      },
    });
  };
}

/** Orkes' TokenLimit knows no week. */
function periodOf(frequency: Frequency | undefined): 'DAY' | 'MONTH' | undefined {
  if (frequency === 'daily') return 'DAY';
  return frequency === 'monthly' ? 'MONTH' : undefined;
}
