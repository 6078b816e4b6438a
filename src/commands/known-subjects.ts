import type { Snapshot } from '../catalog/snapshot.ts';
import { didYouMean } from '../parsing.ts';
import { isSystemRole, SYSTEM_ROLES } from '../rbac/permissions.ts';
import { parseSubjectId, type Subject, subjectId } from '../rbac/subject.ts';

/**
 * For a subject of whom nothing is known: no record, no membership, no grant. Mostly a slip of the hand, so with the
 * nearest known one; undefined for one that is known. A user needs no record: it is known by what names it.
 */
export function unknownSubject(snapshot: Snapshot, subject: Subject): string | undefined {
  const known = knownIds(snapshot, subject);
  if (known.has(subject.id)) return undefined;
  const hint = didYouMean(subject.id, known);
  return `nothing in Redis names ${subjectId(subject)}: no record, no group, no grant.${hint}`;
}

function knownIds(snapshot: Snapshot, { type, id }: Subject): Set<string> {
  const isApplication = type === 'USER' && id.startsWith('app:');
  const known = new Set<string>();
  const { tables, members, grants } = snapshot.parts;
  if (type === 'GROUP') for (const name of tables.groups.keys()) known.add(name);
  if (type === 'ROLE')
    for (const name of [...Object.keys(SYSTEM_ROLES).filter(isSystemRole), ...tables.roles.keys()]) known.add(name);
  if (type === 'USER') {
    for (const name of tables.applications.keys()) known.add(`app:${name}`);
    if (!isApplication) {
      for (const name of tables.users.keys()) known.add(name);
      for (const [, list] of members) for (const member of list) known.add(member);
    }
  }
  if (!isApplication && type !== 'GROUP') {
    for (const holder of grants.keys()) {
      const subject = parseSubjectId(holder);
      if (subject?.type === type) known.add(subject.id);
    }
  }
  return known;
}
