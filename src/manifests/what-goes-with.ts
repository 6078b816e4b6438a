import { subjectsOf, targetsOf } from '../catalog/changes/leftovers.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { type Change, changeKey, grantKey, grantName } from './changes.ts';
import type { Wanted } from './manifest.ts';

/**
 * What is deleted along with deleted records, so that a record of the same name made later inherits nothing: their
 * grants, the grants on them, a group's members, a user's memberships. What the changes already say is left to them.
 */
export function whatGoesWith(snapshot: Snapshot, changes: readonly Change[]): Change[] {
  const gone = changes.filter(({ action }) => action === 'delete');
  return speakingFor(snapshot, gone, { said: namesOf(changes), keeps: () => false });
}

/**
 * What an earlier record of the name left behind, deleted where one is made anew and the manifests do not want it. A user
 * needs no record: what was granted before there was one is its own.
 */
export function whatIsSwept(snapshot: Snapshot, changes: readonly Change[], wanted: Wanted): Change[] {
  const made = changes.filter(({ action, kind }) => action === 'create' && kind !== 'users');
  return speakingFor(snapshot, made, {
    said: namesOf(changes),
    keeps: (kind, one, other) =>
      kind === 'grants' ? wanted.grants.get(one)?.has(other) === true : wanted.members.get(one)?.has(other) === true,
  });
}

interface Kept {
  /** What a change says by itself, by `changeKey`. */
  readonly said: ReadonlySet<string>;
  /** A subject's grant on a target, or a group's member, that stays. */
  readonly keeps: (kind: 'grants' | 'members', one: string, other: string) => boolean;
}

function speakingFor(snapshot: Snapshot, records: readonly Change[], { said, keeps }: Kept): Change[] {
  const more: Change[] = [];
  const subjects = new Set(records.flatMap(subjectsOf));
  const targets = new Set<string>(records.flatMap(targetsOf));
  const users = new Set([...subjects].filter((id) => id.startsWith('USER:')).map((id) => id.slice('USER:'.length)));
  if (subjects.size === 0 && targets.size === 0) return [];

  for (const { subject, target, text } of snapshot.grantTexts()) {
    if (!subjects.has(subject) && !targets.has(target)) continue;
    const name = grantName(subject, target);
    if (said.has(grantKey(subject, target)) || keeps('grants', subject, target)) continue;
    more.push({ action: 'delete', kind: 'grants', name, subject, target, before: text, after: null });
  }
  for (const [group, members] of snapshot.parts.members) {
    if (said.has(`members ${group}`)) continue;
    const before = [...members].sort();
    const goes = subjects.has(`GROUP:${group}`) ? () => true : (member: string) => users.has(member);
    const after = before.filter((member) => !goes(member) || keeps('members', group, member));
    if (after.length === before.length) continue;
    more.push({
      action: after.length === 0 ? 'delete' : 'update',
      kind: 'members',
      name: group,
      before,
      after: after.length === 0 ? null : after,
    });
  }
  return more;
}

function namesOf(changes: readonly Change[]): Set<string> {
  return new Set(changes.map(changeKey));
}
