import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { nameFault } from '../../catalog/records.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { subjectId } from '../../rbac/subject.ts';
import { type Edit, unchanged } from '../../redis/edits.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { callerOf } from '../access/caller.ts';
import { answers, noBody, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { deleteRecords, demandRecord, editsForNew, fieldsOf, rawOf, recordText } from '../records.ts';
import { groupOnWire, groupUpdate, userOnWire, wireGrants, wireGroup, wireUser } from '../wire/access.ts';
import { limitToWrite } from '../wire/common.ts';
import { grantsOnWire } from '../wire/grants.ts';
import { withRoles } from './roles.ts';

const tags = ['Groups'];
const path = z.object({ id: z.string() });
const memberPath = z.object({ groupId: z.string(), userId: z.string() });

/** Groups, their members and what they hold: Orkes' GroupResource. Who is not ADMIN sees the groups it is a member of. */
export function groupRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;
  const key = names.hash('groups');

  async function changeMembers(
    request: FastifyRequest,
    group: string,
    users: readonly string[],
    isMember: boolean,
  ): Promise<void> {
    await writer.change([key, names.hash('applications')], (snapshot) => {
      const { raw } = demandRecord(snapshot, 'groups', group);
      demandVersion(request, raw);
      const edits = users.map((member): Edit => ({ key: names.members(group), member, isMember }));
      const known = isMember ? users.flatMap((user) => applicationThere(parts, snapshot, user)) : [];
      return { edits: [unchanged(key, group, raw), ...known, ...edits], result: undefined };
    });
  }

  return async (app) => {
    app.get('/groups', {
      schema: { tags, summary: 'Every group', response: answers({ 200: z.array(wireGroup) }) },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const caller = callerOfRequest(request);
        const snapshot = catalog.current();
        const own = new Set(snapshot.groupsOf(caller.id));
        return [...snapshot.names('groups')].sort().flatMap((id) => {
          const record = caller.isAdmin || own.has(id) ? snapshot.group(id) : undefined;
          return record === undefined ? [] : [groupOnWire(snapshot, id, record)];
        });
      },
    });

    app.get('/groups/:id', {
      schema: { tags, summary: 'One group', params: path, response: answers({ 200: wireGroup }) },
      config: { permission: { kind: 'admin' } },
      async handler(request, reply) {
        const snapshot = catalog.current();
        const { raw, record } = demandRecord(snapshot, 'groups', request.params.id);
        tellVersion(reply, raw);
        return groupOnWire(snapshot, request.params.id, record);
      },
    });

    app.put('/groups/:id', {
      schema: {
        tags,
        summary: 'Create or change a group',
        params: path,
        body: groupUpdate,
        response: answers({ 200: wireGroup }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request, reply) {
        const { id } = request.params;
        const { subject } = callerOfRequest(request);
        const { description, roles, defaultAccess } = request.body;
        await writer.change([key, names.hash('roles')], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          const bad = nameFault('groups', id);
          if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', `id: ${bad}`);
          const raw = rawOf(snapshot, 'groups', id);
          demandVersion(request, raw);
          const found = snapshot.group(id);
          const json = fieldsOf(snapshot, 'groups', id);
          const fields = {
            ...json,
            description: description ?? found?.description,
            roles: roles ?? found?.roles ?? [],
            defaultAccess: defaultAccess ?? found?.defaultAccess,
            ...limitToWrite(request.body, found),
            id: undefined,
          };
          const edit = { key, field: id, before: raw, after: recordText('groups', fields, { caller, before: json }) };
          const swept =
            raw === undefined ? editsForNew({ names, snapshot, caller }, { kind: 'groups', name: id }, undefined) : [];
          return { edits: [...withRoles(parts, snapshot, roles ?? []), edit, ...swept], result: undefined };
        });
        const snapshot = catalog.current();
        const { raw, record } = demandRecord(snapshot, 'groups', id);
        tellVersion(reply, raw);
        return groupOnWire(snapshot, id, record);
      },
    });

    app.delete('/groups/:id', {
      schema: {
        tags,
        summary: 'Delete a group, its memberships and its grants',
        params: path,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const { id } = request.params;
        await deleteRecords(parts, ['groups'], (snapshot) => {
          const raw = rawOf(snapshot, 'groups', id);
          demandVersion(request, raw);
          if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no group ${id}`);
          return [{ kind: 'groups' as const, name: id }];
        });
      },
    });

    app.get('/groups/:id/users', {
      schema: { tags, summary: 'The members of a group', params: path, response: answers({ 200: z.array(wireUser) }) },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const snapshot = catalog.current();
        demandRecord(snapshot, 'groups', request.params.id);
        const members = [...(snapshot.parts.members.get(request.params.id) ?? [])];
        return members.sort().map((member) => userOnWire(snapshot, member));
      },
    });

    for (const [method, isMember, summary] of [
      ['POST', true, 'Add members to a group'],
      ['DELETE', false, 'Take members out of a group'],
    ] as const) {
      app.route({
        method,
        url: '/groups/:id/users',
        schema: {
          tags,
          summary,
          params: path,
          body: z.array(z.string().min(1)).max(10_000),
          response: answers({ 200: nothing }),
        },
        config: { permission: { kind: 'admin' } },
        handler: async (request) => await changeMembers(request, request.params.id, request.body, isMember),
      });
      app.route({
        method,
        url: '/groups/:groupId/users/:userId',
        schema: {
          tags,
          summary: isMember ? 'Add one member to a group' : 'Take one member out of a group',
          params: memberPath,
          body: noBody,
          response: answers({ 200: nothing }),
        },
        config: { permission: { kind: 'admin' } },
        handler: async (request) =>
          await changeMembers(request, request.params.groupId, [request.params.userId], isMember),
      });
    }

    app.get('/groups/:groupId/permissions', {
      schema: {
        tags,
        summary: 'What a group holds',
        params: z.object({ groupId: z.string() }),
        response: answers({ 200: wireGrants }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const { groupId } = request.params;
        const snapshot = catalog.current();
        demandRecord(snapshot, 'groups', groupId);
        return grantsOnWire(snapshot, [subjectId({ type: 'GROUP', id: groupId })]);
      },
    });
  };
}

/** An application that is a member must have its record, so that a later one of its id inherits no membership. */
export function applicationThere({ names }: AdminParts, snapshot: Snapshot, user: string): Edit[] {
  const bad = nameFault('users', user);
  if (!user.startsWith('app:')) {
    if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', bad);
    return [];
  }
  const id = user.slice('app:'.length);
  const { raw } = demandRecord(snapshot, 'applications', id);
  return [unchanged(names.hash('applications'), id, raw)];
}
