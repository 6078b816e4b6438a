import { z } from 'zod';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ACCESSES } from '../../rbac/grants.ts';
import { permissionsOfRole } from '../../rbac/permissions.ts';
import type { Application, Group, User } from '../../rbac/records.ts';
import { auditOf, ignored, ignoredAudit, limitOf, limitUpdate, wireAudit, wireLimit, wireTag } from './common.ts';

export const wireAccess = z.enum(ACCESSES);

/** Orkes' Role. */
export const wireRole = z.object({ name: z.string(), permissions: z.array(z.object({ name: z.string() })) });
export type WireRole = z.infer<typeof wireRole>;

/** Roles come as names, and back as the objects in which they are read. */
export const givenRoles = z.array(
  z.union([
    z.string().min(1),
    z.strictObject({ name: z.string().min(1), permissions: ignored }).transform(({ name }) => name),
  ]),
);

export const wireGroup = z.object({
  id: z.string(),
  description: z.string().optional(),
  roles: z.array(wireRole),
  defaultAccess: z.record(z.string(), z.array(z.string())).optional(),
  ...wireLimit,
  ...wireAudit,
});
export type WireGroup = z.infer<typeof wireGroup>;

/** Orkes' UpsertGroupRequest. */
export const groupUpdate = z.strictObject({
  description: z.string().nullish(),
  roles: givenRoles.nullish(),
  defaultAccess: z.record(z.string(), z.array(z.string())).nullish().describe('Kept and shown, not interpreted.'),
  ...limitUpdate,
  id: ignored,
  contactInformation: ignored,
  ...ignoredAudit,
});

/** Orkes' ConductorUser; an application is the user `app:<its id>`. */
export const wireUser = z.object({
  id: z.string(),
  name: z.string(),
  uuid: z.string().optional(),
  roles: z.array(wireRole),
  groups: z.array(wireGroup),
  applicationUser: z.boolean(),
  ...wireLimit,
});
export type WireUser = z.infer<typeof wireUser>;

/** Orkes' UpsertUserRequest. `groups` names all groups that the user is a member of; left out, memberships stay. */
export const userUpdate = z.strictObject({
  name: z.string().nullish(),
  roles: givenRoles.nullish(),
  groups: z
    .array(z.union([z.string().min(1), groupUpdate.extend({ id: z.string().min(1) }).transform(({ id }) => id)]))
    .nullish(),
  ...limitUpdate,
  id: ignored,
  uuid: ignored,
  applicationUser: ignored,
  contactInformation: ignored,
  ...ignoredAudit,
});

/** Orkes' application; `workflows` are the patterns of workflow names whose tasks run as it, which are ours. */
export const wireApplication = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().optional(),
  workflows: z.array(z.string()),
  ...wireLimit,
  tags: z.array(wireTag),
  ...wireAudit,
});
export type WireApplication = z.infer<typeof wireApplication>;

export const applicationUpdate = z.strictObject({
  name: z.string().min(1),
  description: z.string().nullish(),
  workflows: z.array(z.string()).nullish().describe('Left out, they stay as they are.'),
  ...limitUpdate,
  id: ignored,
  tags: ignored,
  ...ignoredAudit,
});

export const wireGrants = z.object({
  grantedAccess: z.array(
    z.object({ target: z.object({ type: z.string(), id: z.string() }), access: z.array(wireAccess) }),
  ),
});
export type WireGrants = z.infer<typeof wireGrants>;

export function roleOnWire(snapshot: Snapshot, name: string): WireRole {
  return { name, permissions: permissionsOfRole(snapshot, name).map((permission) => ({ name: permission })) };
}

export function groupOnWire(snapshot: Snapshot, id: string, record: Group): WireGroup {
  return {
    id,
    description: record.description ?? undefined,
    roles: record.roles.map((role) => roleOnWire(snapshot, role)),
    defaultAccess: record.defaultAccess ?? undefined,
    ...limitOf(record),
    ...auditOf(record),
  };
}

/** A user or an application, with or without a record. */
export function userOnWire(snapshot: Snapshot, id: string): WireUser {
  const application = id.startsWith('app:') ? snapshot.application(id.slice('app:'.length)) : undefined;
  const record: User | Application | undefined = application ?? snapshot.user(id);
  return {
    id,
    name: record?.name ?? id,
    uuid: snapshot.user(id)?.uuid ?? undefined,
    roles: (record?.roles ?? []).map((role) => roleOnWire(snapshot, role)),
    groups: snapshot.groupsOf(id).flatMap((group) => {
      const found = snapshot.group(group);
      return found === undefined ? [] : [groupOnWire(snapshot, group, found)];
    }),
    applicationUser: id.startsWith('app:'),
    ...(record === undefined ? {} : limitOf(record)),
  };
}

export function applicationOnWire(id: string, record: Application): WireApplication {
  return {
    id,
    name: record.name ?? id,
    description: record.description ?? undefined,
    workflows: [...record.workflows],
    ...limitOf(record),
    tags: record.tags.map(({ key, value, type }) => ({ key, value, ...(type === undefined ? {} : { type }) })),
    ...auditOf(record),
  };
}
