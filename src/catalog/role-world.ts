import { holderId, parseSubjectId } from '../rbac/subject.ts';
import type { RoleWorld } from './idle-roles.ts';
import type { Snapshot } from './snapshot.ts';

/** The kinds of records that can have roles. */
export const ROLE_HOLDERS = ['users', 'groups', 'applications'] as const;

/** Roles as the records of a snapshot have them. Who has which is looked up where it is asked for, once. */
export function roleWorld(snapshot: Snapshot): RoleWorld {
  let held: ReadonlySet<string> | undefined;
  return {
    hasRecord: (role) => snapshot.lookup('roles', role).kind !== 'absent',
    isGranted(role) {
      const id = holderId('ROLE', role);
      return snapshot.grantsOf(id).size > 0 || snapshot.parts.badGrants.get(id) !== undefined;
    },
    isHeld(role) {
      held ??= heldRoles(snapshot);
      return held.has(role);
    },
    *names() {
      yield* snapshot.names('roles');
      for (const id of snapshot.parts.grants.keys()) {
        const subject = parseSubjectId(id);
        if (subject?.type === 'ROLE') yield subject.id;
      }
    },
  };
}

function heldRoles(snapshot: Snapshot): ReadonlySet<string> {
  const held = new Set<string>();
  for (const kind of ROLE_HOLDERS) {
    for (const [, { lookup }] of snapshot.parts.tables[kind]) {
      if (lookup.kind === 'found') for (const role of lookup.record.roles) held.add(role);
    }
  }
  return held;
}
