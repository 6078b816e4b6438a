import { createIdleRoles } from '../catalog/idle-roles.ts';
import { roleWorld } from '../catalog/role-world.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { ManifestFault, Wanted } from './manifest.ts';

/**
 * Roles of the manifests that would give nothing to anybody, beside the records that there are. No fault: a role needs no record,
 * and its grants may come later.
 */
export function roleWarnings(snapshot: Snapshot, wanted: Wanted): ManifestFault[] {
  if (wanted.roles.length === 0) return [];
  const there = roleWorld(snapshot);
  const named = {
    held: new Set(wanted.roles.filter(({ by }) => by === 'holder').map(({ role }) => role)),
    granted: new Set(wanted.roles.filter(({ by }) => by === 'grant').map(({ role }) => role)),
  };
  const idle = createIdleRoles({
    hasRecord: (role) => wanted.places.has(`roles.${role}`) || there.hasRecord(role),
    isGranted: (role) => named.granted.has(role) || there.isGranted(role),
    isHeld: (role) => named.held.has(role) || there.isHeld(role),
    *names() {
      yield* wanted.records.get('roles')?.keys() ?? [];
      yield* named.granted;
      yield* there.names();
    },
  });
  return wanted.roles.flatMap(({ by, role, record, file, line, column }) => {
    const why = by === 'holder' ? idle.held(role) : idle.granted(role);
    return why === undefined ? [] : [{ file, line, column, record, message: `${record}: ${why}` }];
  });
}
