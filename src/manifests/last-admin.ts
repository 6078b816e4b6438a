import { adminsAfter, type ChangedHolders, isAdmin, NO_CHANGE } from '../catalog/changes/admins.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { Change } from './changes.ts';
import { whatGoesWith } from './what-goes-with.ts';

/**
 * Changes without those deletions that would leave nobody with the role ADMIN where somebody had it: an installation
 * must not lock itself out by tidying up.
 */
export function keepLastAdmin(snapshot: Snapshot, changes: readonly Change[]): { changes: Change[]; kept: Change[] } {
  const before = adminsAfter(snapshot, NO_CHANGE);
  const after = adminsAfter(snapshot, holdersIn([...changes, ...whatGoesWith(snapshot, changes)]));
  if (before.size === 0 || after.size > 0) return { changes: [...changes], kept: [] };
  const isKept = ({ action, kind, name }: Change): boolean =>
    action === 'delete' &&
    (before.has(`${kind} ${name}`) || (kind === 'groups' && isAdmin(snapshot, NO_CHANGE, kind, name)));
  return { changes: changes.filter((change) => !isKept(change)), kept: changes.filter(isKept) };
}

function holdersIn(changes: readonly Change[]): ChangedHolders {
  const made = new Map(changes.map((change) => [`${change.kind} ${change.name}`, change]));
  return {
    names: (wanted) => changes.filter(({ kind }) => kind === wanted).map(({ name }) => name),
    record: (kind, name) => made.get(`${kind} ${name}`)?.after,
    members(group) {
      const change = made.get(`members ${group}`);
      return change === undefined ? undefined : ((change.after as string[] | null) ?? []);
    },
  };
}
