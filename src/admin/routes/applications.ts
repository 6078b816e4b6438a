import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { callerOf, demandAccess } from '../access/caller.ts';
import { applicationAsked } from '../access/targets.ts';
import { answers, noBody, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { deleteRecords, demandRecord, fieldsOf, rawOf, recordText } from '../records.ts';
import { applicationOnWire, applicationUpdate, wireApplication } from '../wire/access.ts';
import { limitOf, limitToWrite } from '../wire/common.ts';
import { withRoles } from './roles.ts';

const tags = ['Applications'];
const path = z.object({ id: z.string() });
const on = (params: Readonly<Record<string, string>>) => applicationAsked(params['id'] ?? '');

/** Applications, which tasks run as and access keys belong to: Orkes' ApplicationResource. */
export function applicationRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;
  const key = names.hash('applications');

  return async (app) => {
    app.get('/applications', {
      schema: { tags, summary: 'Every application', response: answers({ 200: z.array(wireApplication) }) },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const caller = callerOfRequest(request);
        const snapshot = catalog.current();
        return [...snapshot.names('applications')].sort().flatMap((id) => {
          const record = caller.may('READ', applicationAsked(id)) ? snapshot.application(id) : undefined;
          return record === undefined ? [] : [applicationOnWire(id, record)];
        });
      },
    });

    app.post('/applications', {
      schema: {
        tags,
        summary: 'Make an application; its id is given to it',
        body: applicationUpdate,
        response: answers({ 200: wireApplication }),
      },
      config: { unversioned: true, permission: { kind: 'admin' } },
      async handler(request, reply) {
        const { subject } = callerOfRequest(request);
        const { name, description, workflows } = request.body;
        const id = randomUUID();
        await writer.change([key], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          const limit = limitToWrite(request.body, undefined);
          const fields = { name, description, workflows: workflows ?? [], roles: [], ...limit, uid: randomUUID() };
          const after = recordText('applications', fields, { caller, before: undefined });
          return { edits: [{ key, field: id, before: undefined, after }], result: undefined };
        });
        const { raw, record } = demandRecord(catalog.current(), 'applications', id);
        tellVersion(reply, raw);
        return applicationOnWire(id, record);
      },
    });

    app.get('/applications/:id', {
      schema: { tags, summary: 'One application', params: path, response: answers({ 200: wireApplication }) },
      config: { permission: { kind: 'access', access: 'READ', on } },
      async handler(request, reply) {
        const { raw, record } = demandRecord(catalog.current(), 'applications', request.params.id);
        tellVersion(reply, raw);
        return applicationOnWire(request.params.id, record);
      },
    });

    app.put('/applications/:id', {
      schema: {
        tags,
        summary: 'Change an application',
        description: 'Which workflows run as it, and its token limit, are for ADMIN.',
        params: path,
        body: applicationUpdate,
        response: answers({ 200: wireApplication }),
      },
      config: { permission: { kind: 'access', access: 'UPDATE', on } },
      async handler(request, reply) {
        const { id } = request.params;
        const { subject } = callerOfRequest(request);
        const { name, description, workflows } = request.body;
        await writer.change([key], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          demandAccess(caller, 'UPDATE', applicationAsked(id));
          const raw = rawOf(snapshot, 'applications', id);
          demandVersion(request, raw);
          // Nobody chooses the id of one that is made here: that of a deleted one must not come back.
          if (raw === undefined) {
            throw new ServiceError(
              'NOT_FOUND',
              `There is no application ${id}: POST /api/applications makes one, and gives it its id`,
            );
          }
          const found = snapshot.application(id);
          const json = fieldsOf(snapshot, 'applications', id);
          const patterns = workflows ?? found?.workflows ?? [];
          if (!caller.isAdmin && JSON.stringify(patterns) !== JSON.stringify(found?.workflows ?? [])) {
            throw new ServiceError(
              'PERMISSION_DENIED',
              'workflows: which workflows run as an application is for ADMIN',
            );
          }
          const limit = limitToWrite(request.body, found);
          if (!caller.isAdmin && !isDeepStrictEqual(limit, limitOf(found ?? {}))) {
            throw new ServiceError(
              'PERMISSION_DENIED',
              'maxTokens, frequency: the token limit of an application is for ADMIN',
            );
          }
          const fields = {
            ...json,
            ...limit,
            name,
            description: description ?? found?.description,
            workflows: patterns,
            uid: found?.uid ?? randomUUID(),
            id: undefined,
          };
          const edit = {
            key,
            field: id,
            before: raw,
            after: recordText('applications', fields, { caller, before: json }),
          };
          return { edits: [edit], result: undefined };
        });
        const { raw, record } = demandRecord(catalog.current(), 'applications', id);
        tellVersion(reply, raw);
        return applicationOnWire(id, record);
      },
    });

    app.delete('/applications/:id', {
      schema: {
        tags,
        summary: 'Delete an application, its access keys, memberships and grants',
        params: path,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'access', access: 'DELETE', on } },
      async handler(request) {
        const { id } = request.params;
        const { subject } = callerOfRequest(request);
        await deleteRecords(parts, ['applications'], (snapshot) => {
          demandAccess(callerOf(snapshot, subject), 'DELETE', applicationAsked(id));
          const raw = rawOf(snapshot, 'applications', id);
          demandVersion(request, raw);
          if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no application ${id}`);
          return [{ kind: 'applications' as const, name: id }];
        });
      },
    });

    for (const [method, isAdded] of [
      ['POST', true],
      ['DELETE', false],
    ] as const) {
      app.route({
        method,
        url: '/applications/:id/roles/:role',
        schema: {
          tags,
          summary: isAdded ? 'Give an application a role' : 'Take a role from an application',
          params: z.object({ id: z.string(), role: z.string() }),
          body: noBody,
          response: answers({ 200: nothing }),
        },
        config: { permission: { kind: 'admin' } },
        async handler(request) {
          const { id, role } = request.params;
          const { subject } = callerOfRequest(request);
          await writer.change([key, names.hash('roles')], (snapshot) => {
            const caller = callerOf(snapshot, subject);
            const { raw, record, json } = demandRecord(snapshot, 'applications', id);
            demandVersion(request, raw);
            const sure = isAdded ? withRoles(parts, snapshot, [role]) : [];
            const others = record.roles.filter((held) => held !== role);
            const roles = isAdded ? [...others, role] : others;
            const after = recordText('applications', { ...json, roles }, { caller, before: json });
            return { edits: [...sure, { key, field: id, before: raw, after }], result: undefined };
          });
        },
      });
    }
  };
}
