import { RECORD_SCHEMAS } from '../catalog/records.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { Change } from './changes.ts';
import { whatGoesWith } from './what-goes-with.ts';

/**
 * Changes without those deletions that would leave nobody with the role ADMIN where somebody had it: an installation
 * must not lock itself out by tidying up. A role counts for those who hold it and for the members of a group that does.
 */
export function keepLastAdmin(snapshot: Snapshot, changes: readonly Change[]): { changes: Change[]; kept: Change[] } {
  const before = adminsAfter(snapshot, []);
  const after = adminsAfter(snapshot, [...changes, ...whatGoesWith(snapshot, changes)]);
  if (before.size === 0 || after.size > 0) return { changes: [...changes], kept: [] };
  const isKept = ({ action, kind, name }: Change): boolean =>
    action === 'delete' && (before.has(`${kind} ${name}`) || (kind === 'groups' && isAdmin(snapshot, kind, name)));
  return { changes: changes.filter((change) => !isKept(change)), kept: changes.filter(isKept) };
}

/** Users and applications (`users alice`, `applications claims`) with the role ADMIN once the changes are made. */
function adminsAfter(snapshot: Snapshot, changes: readonly Change[]): Set<string> {
  const made = new Map(changes.map((change) => [`${change.kind} ${change.name}`, change]));
  const namesOf = (kind: Change['kind'], now: Iterable<string>): Set<string> =>
    new Set([...now, ...changes.filter((change) => change.kind === kind).map(({ name }) => name)]);
  const admins = new Set<string>();
  for (const kind of ['users', 'applications'] as const) {
    for (const name of namesOf(kind, snapshot.names(kind))) {
      if (isAdmin(snapshot, kind, name, made.get(`${kind} ${name}`))) admins.add(`${kind} ${name}`);
    }
  }
  for (const group of namesOf('groups', snapshot.names('groups'))) {
    if (!isAdmin(snapshot, 'groups', group, made.get(`groups ${group}`))) continue;
    const change = made.get(`members ${group}`);
    const members = change === undefined ? snapshot.parts.members.get(group) : (change.after as string[] | null);
    for (const member of members ?? []) {
      admins.add(member.startsWith('app:') ? `applications ${member.slice(4)}` : `users ${member}`);
    }
  }
  return admins;
}

function isAdmin(
  snapshot: Snapshot,
  kind: 'users' | 'groups' | 'applications',
  name: string,
  change?: Change,
): boolean {
  if (change !== undefined) return RECORD_SCHEMAS[kind].safeParse(change.after).data?.roles.includes('ADMIN') === true;
  const found = snapshot.lookup(kind, name);
  return found.kind === 'found' && found.record.roles.includes('ADMIN');
}
