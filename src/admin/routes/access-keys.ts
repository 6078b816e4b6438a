import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import pLimit from 'p-limit';
import { z } from 'zod';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { accessKeysOf, createAccessKey } from '../../identity/key-store.ts';
import type { AccessKey } from '../../identity/records.ts';
import { applicationUser } from '../../rbac/subject.ts';
import { ANY, type Edit } from '../../redis/edits.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { refuse } from '../access/caller.ts';
import { firstBeyond } from '../access/no-more-than.ts';
import { applicationAsked } from '../access/targets.ts';
import { answers, noBody, nothing } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';
import { demandRecord } from '../records.ts';
import { applicationOnWire, wireApplication } from '../wire/access.ts';

const tags = ['Applications'];
const path = z.object({ id: z.string() });
const keyPath = z.object({ id: z.string(), keyId: z.string() });
const on = (params: Readonly<Record<string, string>>) => applicationAsked(params['id'] ?? '');

const wireKey = z.object({ id: z.string(), status: z.enum(['ACTIVE', 'INACTIVE']), createdAt: z.number() });

function keyOnWire(id: string, { enabled, createdAt }: AccessKey): z.infer<typeof wireKey> {
  return { id, status: enabled ? 'ACTIVE' : 'INACTIVE', createdAt };
}

/** Access keys of applications: made, switched off and deleted. A key's tokens work as long as it does. */
export function accessKeyRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, redis, writer, trailNow } = parts;
  const key = names.hash('access-keys');
  // A secret's hash takes as long as it does to prove one: whoever makes many keys at once must not hold up everybody else.
  const oneAtATime = pLimit(1);

  return async (app) => {
    app.get('/applications/:id/accessKeys', {
      schema: {
        tags,
        summary: 'The access keys of an application, without their secrets',
        params: path,
        response: answers({ 200: z.array(wireKey) }),
      },
      config: { permission: { kind: 'access', access: 'READ', on } },
      async handler(request) {
        const snapshot = catalog.current();
        demandRecord(snapshot, 'applications', request.params.id);
        return accessKeysOf(snapshot, request.params.id).map(({ id, record }) => keyOnWire(id, record));
      },
    });

    app.post('/applications/:id/accessKeys', {
      schema: {
        tags,
        summary: 'Make an access key; its secret is shown this once',
        description: 'For an application that may more than its caller: ADMIN.',
        params: path,
        body: noBody,
        response: answers({ 200: z.object({ id: z.string(), secret: z.string() }) }),
      },
      config: { unversioned: true, permission: { kind: 'access', access: 'UPDATE', on } },
      async handler(request) {
        const { id } = request.params;
        const caller = callerOfRequest(request);
        const snapshot = catalog.current();
        demandRecord(snapshot, 'applications', id);
        const more = caller.isAdmin ? undefined : firstBeyond(snapshot, applicationUser(id), caller.subject);
        if (more !== undefined) refuse(caller, more);
        // Asked now: whoever waits for their turn is woken by somebody else's request.
        const trail = trailNow();
        const store = { redis, names, trailNow: () => trail };
        const made = await oneAtATime(() => createAccessKey(store, { applicationId: id, by: caller.id }));
        await catalog.refresh([key, names.hash('applications')]);
        return { id: made.id, secret: made.secret };
      },
    });

    app.post('/applications/:id/accessKeys/:keyId/status', {
      schema: {
        tags,
        summary: 'Switch an access key off, or on again',
        params: keyPath,
        body: noBody,
        response: answers({ 200: wireKey }),
      },
      config: { unversioned: true, permission: { kind: 'access', access: 'UPDATE', on } },
      async handler(request) {
        const { id, keyId } = request.params;
        let enabled: boolean | undefined;
        const record = await writer.change([key], (snapshot) => {
          const { raw, record } = demandKey(snapshot, id, keyId);
          // Once: a plan that is made anew, because its own writing was not confirmed, must not switch it back.
          enabled ??= !record.enabled;
          const result: AccessKey = { ...record, enabled };
          return { edits: [{ key, field: keyId, before: raw, after: JSON.stringify(result) }], result };
        });
        return keyOnWire(keyId, record);
      },
    });

    app.delete('/applications/:id/accessKeys/:keyId', {
      schema: { tags, summary: 'Delete an access key', params: keyPath, response: answers({ 200: nothing }) },
      config: { unversioned: true, permission: { kind: 'access', access: 'UPDATE', on } },
      async handler(request) {
        const { id, keyId } = request.params;
        await writer.change([key], (snapshot) => {
          const { raw } = demandKey(snapshot, id, keyId);
          const hash: Edit = { key: names.admin.keyHashes, field: keyId, before: ANY, after: undefined };
          return { edits: [{ key, field: keyId, before: raw, after: undefined }, hash], result: undefined };
        });
      },
    });

    app.get('/applications/key/:accessKeyId', {
      schema: {
        tags,
        summary: 'Whose access key this is',
        params: z.object({ accessKeyId: z.string() }),
        response: answers({ 200: wireApplication }),
      },
      config: { permission: { kind: 'by-body', rule: 'Needs READ on the application, or the role ADMIN.' } },
      async handler(request) {
        const caller = callerOfRequest(request);
        const snapshot = catalog.current();
        const id = snapshot.accessKey(request.params.accessKeyId)?.application;
        if (id === undefined || !caller.may('READ', applicationAsked(id))) {
          if (!caller.isAdmin) refuse(caller, 'READ on the application of that key: unknown or not permitted');
          throw new ServiceError('NOT_FOUND', 'There is no such access key');
        }
        return applicationOnWire(id, demandRecord(snapshot, 'applications', id).record);
      },
    });
  };
}

/** Of another application it is the same as none: whoever manages one learns nothing of others. Throws NOT_FOUND. */
function demandKey(snapshot: Snapshot, application: string, id: string): { raw: string; record: AccessKey } {
  const entry = snapshot.parts.tables['access-keys'].get(id);
  if (entry?.lookup.kind !== 'found' || entry.lookup.record.application !== application) {
    throw new ServiceError('NOT_FOUND', `There is no access key ${id}`);
  }
  return { raw: entry.raw, record: entry.lookup.record };
}
