import { RECORD_SCHEMAS } from '../records.ts';
import type { Snapshot } from '../snapshot.ts';

const HOLDERS = ['users', 'applications', 'groups'] as const;
export type RoleHolder = (typeof HOLDERS)[number];

/** What a change makes of those who have roles; what it does not say stays as it stands. */
export interface ChangedHolders {
  /** Names of the records that it writes or deletes. */
  names(kind: RoleHolder): Iterable<string>;
  /** The record that is to stand there, null for none; undefined: the one that stands there. */
  record(kind: RoleHolder, name: string): unknown;
  /** The members that a group is to have; undefined: those it has. */
  members(group: string): Iterable<string> | undefined;
}

export const NO_CHANGE: ChangedHolders = { names: () => [], record: () => undefined, members: () => undefined };

/** `users alice` or `applications claims` → the group that gives the role ADMIN; undefined: its own record does. */
export type Admins = ReadonlyMap<string, string | undefined>;

/**
 * Who has the role ADMIN once a change is made. A role counts for those who hold it and for the members of a group that
 * does; an application needs its record, a user does not.
 */
export function adminsAfter(snapshot: Snapshot, change: ChangedHolders): Admins {
  const admins = new Map<string, string | undefined>();
  for (const group of namesAfter(snapshot, change, 'groups')) {
    if (!isAdmin(snapshot, change, 'groups', group)) continue;
    for (const member of change.members(group) ?? snapshot.parts.members.get(group) ?? []) {
      const application = member.startsWith('app:') ? member.slice('app:'.length) : undefined;
      if (application === undefined) admins.set(`users ${member}`, group);
      else if (rolesOf(snapshot, change, 'applications', application) !== undefined) {
        admins.set(`applications ${application}`, group);
      }
    }
  }
  for (const kind of ['users', 'applications'] as const) {
    for (const name of namesAfter(snapshot, change, kind)) {
      if (isAdmin(snapshot, change, kind, name)) admins.set(`${kind} ${name}`, undefined);
    }
  }
  return admins;
}

/** Whether a record, as a change makes it, has the role ADMIN itself. */
export function isAdmin(snapshot: Snapshot, change: ChangedHolders, kind: RoleHolder, name: string): boolean {
  return rolesOf(snapshot, change, kind, name)?.includes('ADMIN') === true;
}

function namesAfter(snapshot: Snapshot, change: ChangedHolders, kind: RoleHolder): Set<string> {
  return new Set([...snapshot.names(kind), ...change.names(kind)]);
}

/** Undefined for a record that is not there, or cannot be read. */
function rolesOf(
  snapshot: Snapshot,
  change: ChangedHolders,
  kind: RoleHolder,
  name: string,
): readonly string[] | undefined {
  const written = change.record(kind, name);
  if (written !== undefined) return RECORD_SCHEMAS[kind].safeParse(written).data?.roles;
  const found = snapshot.lookup(kind, name);
  return found.kind === 'found' ? found.record.roles : undefined;
}
