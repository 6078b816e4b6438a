import type { Snapshot } from '../catalog/snapshot.ts';
import type { Change } from './changes.ts';

/**
 * Changes without those deletions that would leave nobody with the role ADMIN where somebody had it: an installation
 * must not lock itself out by tidying up.
 */
export function keepLastAdmin(snapshot: Snapshot, changes: readonly Change[]): { changes: Change[]; kept: Change[] } {
  const holders = ['users', 'groups', 'applications'] as const;
  const admins = holders.flatMap((kind) =>
    [...snapshot.names(kind)]
      .filter((name) => {
        const found = snapshot.lookup(kind, name);
        return found.kind === 'found' && found.record.roles.includes('ADMIN');
      })
      .map((name) => `${kind}.${name}`),
  );
  const isAdmin = (change: Change): boolean => admins.includes(`${change.kind}.${change.name}`);
  const stays = admins.some(
    (admin) => !changes.some((change) => change.action === 'delete' && `${change.kind}.${change.name}` === admin),
  );
  const isMade = changes.some(
    ({ kind, after }) =>
      (holders as readonly string[]).includes(kind) &&
      JSON.stringify((after as { roles?: unknown } | null)?.roles ?? []).includes('"ADMIN"'),
  );
  if (admins.length === 0 || stays || isMade) return { changes: [...changes], kept: [] };
  const kept = changes.filter((change) => change.action === 'delete' && isAdmin(change));
  const groups = new Set(kept.filter(({ kind }) => kind === 'groups').map(({ name }) => name));
  const isKept = (change: Change): boolean =>
    kept.includes(change) || (change.kind === 'members' && change.action === 'delete' && groups.has(change.name));
  return { changes: changes.filter((change) => !isKept(change)), kept };
}
