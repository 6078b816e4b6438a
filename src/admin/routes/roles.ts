import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { nameFault } from '../../catalog/records.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { didYouMean } from '../../parsing.ts';
import { isSystemRole, PERMISSIONS, SYSTEM_ROLES } from '../../rbac/permissions.ts';
import { type Edit, unchanged } from '../../redis/edits.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { type Caller, callerOf } from '../access/caller.ts';
import { answers, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { deleteRecords, demandRecord, editsForNew, fieldsOf, rawOf, recordText } from '../records.ts';
import { roleOnWire, wireRole } from '../wire/access.ts';
import { ignored, ignoredAudit } from '../wire/common.ts';

const tags = ['Roles'];
const path = z.object({ name: z.string() });
const permissions = z
  .array(z.union([z.string().min(1), z.strictObject({ name: z.string().min(1) }).transform(({ name }) => name)]))
  .nullish();
const roleUpdate = z.strictObject({ name: ignored, description: z.string().nullish(), permissions, ...ignoredAudit });
const newRole = roleUpdate.extend({ name: z.string() });
const SYSTEM = Object.keys(SYSTEM_ROLES);

/** Roles: those that are there, and custom ones, which are sets of permissions: Orkes' RoleResource. */
export function roleRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;
  const key = names.hash('roles');

  const custom = (snapshot: Snapshot) => [...snapshot.names('roles')].filter((name) => !isSystemRole(name)).sort();

  async function write(
    request: FastifyRequest,
    caller: Caller,
    name: string,
    { description, permissions: given }: Omit<z.infer<typeof newRole>, 'name'>,
    mustBe: 'new' | 'there',
  ): Promise<void> {
    await writer.change([key], (snapshot) => {
      const now = callerOf(snapshot, caller.subject);
      const bad = isSystemRole(name)
        ? `${name} is a role of the system, which cannot be made or changed`
        : nameFault('roles', name);
      if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', `name: ${bad}`);
      const raw = rawOf(snapshot, 'roles', name);
      demandVersion(request, raw);
      if (mustBe === 'new' && raw !== undefined)
        throw new ServiceError('REQUEST_INVALID', `name: there is a role ${name} already`);
      if (mustBe === 'there' && raw === undefined) throw new ServiceError('NOT_FOUND', `There is no role ${name}`);
      const found = snapshot.lookup('roles', name);
      const stored = found.kind === 'found' ? found.record : undefined;
      const json = fieldsOf(snapshot, 'roles', name);
      const fields = {
        ...json,
        description: description ?? stored?.description,
        permissions: given ?? stored?.permissions ?? [],
        name: undefined,
      };
      const edit = { key, field: name, before: raw, after: recordText('roles', fields, { caller: now, before: json }) };
      const swept =
        raw === undefined ? editsForNew({ names, snapshot, caller: now }, { kind: 'roles', name }, undefined) : [];
      return { edits: [edit, ...swept], result: undefined };
    });
  }

  return async (app) => {
    app.get('/roles', {
      schema: { tags, summary: 'Every role', response: answers({ 200: z.array(wireRole) }) },
      config: { permission: { kind: 'signed-in' } },
      async handler() {
        const snapshot = catalog.current();
        return [...SYSTEM, ...custom(snapshot)].map((name) => roleOnWire(snapshot, name));
      },
    });

    app.get('/roles/system', {
      schema: {
        tags,
        summary: 'The roles of the system, by name',
        response: answers({ 200: z.record(z.string(), wireRole) }),
      },
      config: { permission: { kind: 'signed-in' } },
      handler: async () => Object.fromEntries(SYSTEM.map((name) => [name, roleOnWire(catalog.current(), name)])),
    });

    app.get('/roles/custom', {
      schema: { tags, summary: 'Roles that were made here', response: answers({ 200: z.array(wireRole) }) },
      config: { permission: { kind: 'signed-in' } },
      async handler() {
        const snapshot = catalog.current();
        return custom(snapshot).map((name) => roleOnWire(snapshot, name));
      },
    });

    app.get('/roles/permissions', {
      schema: {
        tags,
        summary: 'What a role can permit, each with what it means',
        response: answers({ 200: z.record(z.string(), z.string()) }),
      },
      config: { permission: { kind: 'signed-in' } },
      handler: async () => ({ ...PERMISSIONS }),
    });

    app.post('/roles', {
      schema: { tags, summary: 'Make a role', body: newRole, response: answers({ 200: wireRole }) },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        await write(request, callerOfRequest(request), request.body.name, request.body, 'new');
        return roleOnWire(catalog.current(), request.body.name);
      },
    });

    app.get('/roles/:name', {
      schema: { tags, summary: 'One role', params: path, response: answers({ 200: wireRole }) },
      config: { permission: { kind: 'signed-in' } },
      async handler(request, reply) {
        const { name } = request.params;
        const snapshot = catalog.current();
        if (!isSystemRole(name)) tellVersion(reply, demandRecord(snapshot, 'roles', name).raw);
        return roleOnWire(snapshot, name);
      },
    });

    app.put('/roles/:name', {
      schema: { tags, summary: 'Change a role', params: path, body: roleUpdate, response: answers({ 200: wireRole }) },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const { name } = request.params;
        await write(request, callerOfRequest(request), name, request.body, 'there');
        return roleOnWire(catalog.current(), name);
      },
    });

    app.delete('/roles/:name', {
      schema: {
        tags,
        summary: 'Delete a role, its grants, and that anybody has it',
        params: path,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const { name } = request.params;
        if (isSystemRole(name)) throw new ServiceError('REQUEST_INVALID', `${name} is a role of the system`);
        await deleteRecords(parts, ['roles'], (snapshot) => {
          const raw = rawOf(snapshot, 'roles', name);
          demandVersion(request, raw);
          if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no role ${name}`);
          return [{ kind: 'roles' as const, name }];
        });
      },
    });
  };
}

/** That roles are there still when they are given: one that nobody made would begin to count when somebody makes it. Throws REQUEST_INVALID. */
export function withRoles({ names }: AdminParts, snapshot: Snapshot, roles: readonly string[]): Edit[] {
  const known = new Set([...SYSTEM, ...snapshot.names('roles')]);
  const unknown = roles.find((role) => !known.has(role));
  if (unknown === undefined) {
    const made = [...new Set(roles)].filter((role) => !isSystemRole(role));
    return made.map((role) => unchanged(names.hash('roles'), role, rawOf(snapshot, 'roles', role)));
  }
  throw new ServiceError('REQUEST_INVALID', `roles: there is no role "${unknown}".${didYouMean(unknown, known)}`);
}
