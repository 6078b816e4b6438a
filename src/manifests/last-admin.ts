import { adminsAfter, type ChangedHolders, isAdmin, NO_CHANGE } from '../catalog/changes/admins.ts';
import { adminKeys } from '../catalog/changes/last-admin.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { Change } from './changes.ts';
import { whatGoesWith } from './what-goes-with.ts';

/**
 * Changes without those deletions that would leave nobody with the role ADMIN, or none with an access key to get in with, where
 * there was one: an installation must not lock itself out by tidying up.
 */
export function keepLastAdmin(snapshot: Snapshot, changes: readonly Change[]): { changes: Change[]; kept: Change[] } {
  const before = adminsAfter(snapshot, NO_CHANGE);
  const changed = holdersIn([...changes, ...whatGoesWith(snapshot, changes)]);
  const after = adminsAfter(snapshot, changed);
  const withKey = new Set([...adminKeys(snapshot, before, NO_CHANGE, AS_IT_STANDS)].map(({ admin }) => admin));
  const [stays] = adminKeys(snapshot, after, changed, AS_IT_STANDS);
  const isLocked = withKey.size > 0 && stays === undefined;
  if (before.size === 0 || (after.size > 0 && !isLocked)) return { changes: [...changes], kept: [] };
  const isNeeded = ({ kind, name }: Change): boolean => {
    // With others who have the role, only who gets in and what makes them ADMIN.
    if (after.size > 0) {
      const groups = [...withKey].map((admin) => before.get(admin));
      return withKey.has(`${kind} ${name}`) || (kind === 'groups' && groups.includes(name));
    }
    return before.has(`${kind} ${name}`) || (kind === 'groups' && isAdmin(snapshot, NO_CHANGE, kind, name));
  };
  const isKept = (change: Change): boolean => change.action === 'delete' && isNeeded(change);
  return { changes: changes.filter((change) => !isKept(change)), kept: changes.filter(isKept) };
}

/** A manifest changes no access key. */
const AS_IT_STANDS = () => undefined;

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
