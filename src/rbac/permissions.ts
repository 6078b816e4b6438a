import { type AccessWorld, findHolder } from './holders.ts';
import type { Subject } from './subject.ts';

/** What a role can permit beside the grants made to it, each with what it means. */
export const PERMISSIONS = {
  INTEGRATION_CREATE: 'create an integration of the connection type ACCESS_KEY; the other types are for ADMIN alone',
  PROMPT_CREATE: 'create a prompt',
} as const satisfies Record<string, string>;
export type Permission = keyof typeof PERMISSIONS;

const EVERY_PERMISSION = Object.keys(PERMISSIONS) as Permission[];

/**
 * Orkes' roles of users and of applications, and what each permits. Their names are reserved: a custom role of such a name
 * does not count. ADMIN may do everything else as well, without any grant. The roles that permit nothing here have only
 * the grants that are made to them.
 */
export const SYSTEM_ROLES = {
  ADMIN: EVERY_PERMISSION,
  USER: EVERY_PERMISSION,
  METADATA_MANAGER: EVERY_PERMISSION,
  WORKFLOW_MANAGER: [],
  USER_READ_ONLY: [],
  WORKER: [],
  METADATA_API: EVERY_PERMISSION,
} as const satisfies Record<string, readonly Permission[]>;
export type SystemRole = keyof typeof SYSTEM_ROLES;

export function isSystemRole(name: string): name is SystemRole {
  return Object.hasOwn(SYSTEM_ROLES, name);
}

export function isPermission(name: string): name is Permission {
  return Object.hasOwn(PERMISSIONS, name);
}

/** What one role permits: a system role by the table, a custom one by its record. Names that mean nothing here are left out. */
export function permissionsOfRole(world: Pick<AccessWorld, 'role'>, role: string): readonly Permission[] {
  if (isSystemRole(role)) return SYSTEM_ROLES[role];
  return world.role(role)?.permissions.filter(isPermission) ?? [];
}

/** What the roles of a subject permit, its own and those of its groups. */
export function permissionsOf(world: AccessWorld, subject: Subject): ReadonlySet<Permission> {
  const permitted = new Set<Permission>();
  findHolder(world, subject, (type, id) => {
    if (type === 'ROLE') for (const permission of permissionsOfRole(world, id)) permitted.add(permission);
    return false;
  });
  return permitted;
}
