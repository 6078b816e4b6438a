import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { nameFault } from '../../catalog/records.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { accessHeld } from '../../rbac/decision.ts';
import { ACCESSES, type TargetId, targetFault } from '../../rbac/grants.ts';
import { user } from '../../rbac/subject.ts';
import { type Edit, stillMember, unchanged } from '../../redis/edits.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { callerOf } from '../access/caller.ts';
import { holdersFor } from '../access/no-more-than.ts';
import { askedOf, withTags } from '../access/targets.ts';
import { answers, flag, isTrue, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { deleteRecords, demandRecord, fieldsOf, rawOf, recordText } from '../records.ts';
import { userOnWire, userUpdate, wireAccess, wireGrants, wireUser } from '../wire/access.ts';
import { limitToWrite } from '../wire/common.ts';
import { grantsOnWire } from '../wire/grants.ts';
import { withRoles } from './roles.ts';

const tags = ['Users'];
const path = z.object({ id: z.string() });
const userPath = z.object({ userId: z.string() });

/** Users and what they hold: Orkes' UserResource. Who is not ADMIN sees itself. */
export function userRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;
  const key = names.hash('users');

  return async (app) => {
    app.get('/users', {
      schema: {
        tags,
        summary: 'Every user that has a record',
        querystring: z.object({ apps: flag.optional().describe('`true`: applications, too.') }),
        response: answers({ 200: z.array(wireUser) }),
      },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const caller = callerOfRequest(request);
        const snapshot = catalog.current();
        if (!caller.isAdmin) return [userOnWire(snapshot, caller.id)];
        const applications = isTrue(request.query.apps)
          ? [...snapshot.names('applications')].map((id) => `app:${id}`)
          : [];
        return [...snapshot.names('users'), ...applications].sort().map((id) => userOnWire(snapshot, id));
      },
    });

    app.get('/users/:id', {
      schema: { tags, summary: 'One user', params: path, response: answers({ 200: wireUser }) },
      config: { permission: { kind: 'self', param: 'id' } },
      async handler(request, reply) {
        const { id } = request.params;
        const snapshot = catalog.current();
        if (id.startsWith('app:')) demandRecord(snapshot, 'applications', id.slice('app:'.length));
        else tellVersion(reply, wholeUser(snapshot, id, demandRecord(snapshot, 'users', id).raw));
        return userOnWire(snapshot, id);
      },
    });

    app.put('/users/:id', {
      schema: {
        tags,
        summary: 'Create or change a user',
        params: path,
        body: userUpdate,
        response: answers({ 200: wireUser }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request, reply) {
        const { id } = request.params;
        const { subject } = callerOfRequest(request);
        const { name, roles, groups } = request.body;
        await writer.change([key, names.hash('groups'), names.hash('roles')], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          const bad = nameFault('users', id);
          if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', `id: ${bad}`);
          const raw = rawOf(snapshot, 'users', id);
          demandVersion(request, raw === undefined ? undefined : wholeUser(snapshot, id, raw));
          const found = snapshot.user(id);
          const json = fieldsOf(snapshot, 'users', id);
          const fields = {
            ...json,
            name: name ?? found?.name ?? id,
            roles: roles ?? found?.roles ?? [],
            ...limitToWrite(request.body, found),
            id: undefined,
            groups: undefined,
            applicationUser: undefined,
          };
          const edit = { key, field: id, before: raw, after: recordText('users', fields, { caller, before: json }) };
          const sure = withRoles(parts, snapshot, roles ?? []);
          return { edits: [...sure, edit, ...(groups == null ? [] : memberships(id, groups))], result: undefined };

          function memberships(member: string, wanted: readonly string[]): Edit[] {
            const now = snapshot.groupsOf(member);
            const joined = [...new Set(wanted)].flatMap((group): Edit[] => [
              unchanged(names.hash('groups'), group, demandRecord(snapshot, 'groups', group).raw),
              // Where somebody else takes the user out meanwhile, it is not put back unseen.
              now.includes(group)
                ? stillMember(names.members(group), member)
                : { key: names.members(group), member, isMember: true },
            ]);
            const left = now.filter((group) => !wanted.includes(group));
            return [...joined, ...left.map((group): Edit => ({ key: names.members(group), member, isMember: false }))];
          }
        });
        const snapshot = catalog.current();
        tellVersion(reply, wholeUser(snapshot, id, rawOf(snapshot, 'users', id) ?? ''));
        return userOnWire(snapshot, id);
      },
    });

    app.delete('/users/:id', {
      schema: {
        tags,
        summary: 'Delete a user, its memberships and its grants',
        params: path,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const { id } = request.params;
        await deleteRecords(parts, ['users'], (snapshot) => {
          const raw = rawOf(snapshot, 'users', id);
          demandVersion(request, raw === undefined ? undefined : wholeUser(snapshot, id, raw));
          if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no user ${id}`);
          return [{ kind: 'users' as const, name: id }];
        });
      },
    });

    app.get('/users/:userId/permissions', {
      schema: {
        tags,
        summary: 'What a user holds: by itself, its groups and its roles',
        params: userPath,
        response: answers({ 200: wireGrants }),
      },
      config: { permission: { kind: 'self', param: 'userId' } },
      async handler(request) {
        const snapshot = catalog.current();
        return grantsOnWire(snapshot, holdersFor(snapshot, user(request.params.userId)));
      },
    });

    app.get('/users/:userId/checkPermissions', {
      schema: {
        tags,
        summary: 'What a user may do with a target',
        params: userPath,
        querystring: z.object({ type: z.string().min(1), id: z.string().min(1) }),
        response: answers({ 200: z.record(wireAccess, z.boolean()) }),
      },
      config: { permission: { kind: 'self', param: 'userId' } },
      async handler(request) {
        const { type, id } = request.query;
        const target = `${type.toUpperCase()}:${id}` as TargetId;
        const fault = targetFault(target);
        if (fault !== undefined) throw new ServiceError('REQUEST_INVALID', fault);
        const snapshot = catalog.current();
        const asked = askedOf(target);
        const subject = user(request.params.userId);
        const held =
          asked === undefined
            ? new Set(
                holdersFor(snapshot, subject).flatMap((holder) => [...(snapshot.grantsOf(holder).get(target) ?? [])]),
              )
            : accessHeld(snapshot, subject, withTags(snapshot, asked));
        return Object.fromEntries(ACCESSES.map((access) => [access, held.has(access)])) as Record<
          (typeof ACCESSES)[number],
          boolean
        >;
      },
    });
  };
}

/** What a user's version is of: its groups, too, since a write says them all. */
function wholeUser(snapshot: Snapshot, id: string, raw: string): string {
  return JSON.stringify([raw, snapshot.groupsOf(id)]);
}
