import { type Mention, mentionsOf, modelsOf, subjectsOf, targetsOf } from '../catalog/changes/leftovers.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { type Change, changeKey, grantKey, grantName } from './changes.ts';
import type { Wanted } from './manifest.ts';
import { readable } from './plan.ts';

type Named = Pick<Change, 'kind' | 'name'>;

/**
 * What goes along with deleted records, so that a record of the same name made later inherits nothing: an integration's
 * models, grants of and on what goes, a group's members, a user's memberships, links to models, roles that are held, that
 * something was created by it. What the changes already say is left to them, and a record that is wanted stays as it is
 * wanted. Access keys stay: they are for one application alone, by its `uid`.
 */
export function whatGoesWith(snapshot: Snapshot, changes: readonly Change[], wanted?: Wanted): Change[] {
  const gone = changes.filter(({ action }) => action === 'delete');
  return speakingFor(snapshot, gone, {
    said: namesOf(changes),
    keeps: () => false,
    isWanted: isIn(wanted),
    alsoMade: wanted === undefined ? [] : madeIn(changes),
  });
}

/**
 * What an earlier record of the name left behind, taken away where one is made anew and the manifests do not want it. A
 * user needs no record: what was granted before there was one is its own.
 */
export function whatIsSwept(snapshot: Snapshot, changes: readonly Change[], wanted: Wanted): Change[] {
  return speakingFor(snapshot, madeIn(changes), {
    said: namesOf(changes),
    keeps: (kind, one, other) =>
      kind === 'grants' ? wanted.grants.get(one)?.has(other) === true : wanted.members.get(one)?.has(other) === true,
    isWanted: isIn(wanted),
    alsoMade: [],
  });
}

interface Kept {
  /** What a change says by itself, by `changeKey`. */
  readonly said: ReadonlySet<string>;
  /** A subject's grant on a target, or a group's member, that stays. */
  readonly keeps: (kind: 'grants' | 'members', one: string, other: string) => boolean;
  /** A record that the manifests hold. */
  readonly isWanted: (named: Named) => boolean;
  /** Made by the same plan: a record that names both is rewritten once. */
  readonly alsoMade: readonly Named[];
}

function speakingFor(snapshot: Snapshot, named: readonly Named[], kept: Kept): Change[] {
  const { said, keeps, isWanted } = kept;
  const more: Change[] = [];
  const orphans = modelsOf(snapshot, named);
  const records = [...named, ...orphans];
  const subjects = new Set(records.flatMap(subjectsOf));
  const targets = new Set<string>(records.flatMap(targetsOf));
  const users = usersIn(records);
  if (subjects.size === 0 && targets.size === 0) return [];

  for (const model of orphans) {
    if (said.has(`models ${model.name}`) || isWanted(model)) continue;
    const before = readable(snapshot.parts.tables.models.get(model.name)?.raw ?? '');
    more.push({ action: 'delete', kind: 'models', name: model.name, before, after: null });
  }
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
  for (const mention of mentionsIn(snapshot, records, kept.alsoMade)) {
    const { kind, name, raw, after } = mention;
    if (said.has(`${kind} ${name}`) || isWanted(mention)) continue;
    more.push({ action: 'update', kind, name, before: readable(raw), after: readable(after) });
  }
  return more;
}

/** What names these records; where it names others too, without those as well. */
function mentionsIn(snapshot: Snapshot, records: readonly Named[], others: readonly Named[]): Mention[] {
  const mentions = mentionsOfThese(snapshot, records);
  if (mentions.length === 0 || others.length === 0) return mentions;
  const rewritten = new Set(mentions.map(({ kind, name }) => `${kind} ${name}`));
  const all = [...records, ...others, ...modelsOf(snapshot, others)];
  return mentionsOfThese(snapshot, all).filter(({ kind, name }) => rewritten.has(`${kind} ${name}`));
}

function mentionsOfThese(snapshot: Snapshot, records: readonly Named[]): Mention[] {
  const names = new Set(records.map(({ kind, name }) => `${kind} ${name}`));
  return [...mentionsOf(snapshot, (kind, name) => names.has(`${kind} ${name}`), usersIn(records))];
}

function usersIn(records: readonly Named[]): Set<string> {
  const ids = records.flatMap(subjectsOf).filter((id) => id.startsWith('USER:'));
  return new Set(ids.map((id) => id.slice('USER:'.length)));
}

function madeIn(changes: readonly Change[]): Change[] {
  return changes.filter(({ action, kind }) => action === 'create' && kind !== 'users');
}

function isIn(wanted: Wanted | undefined): (named: Named) => boolean {
  const records: ReadonlyMap<string, ReadonlyMap<string, unknown>> = wanted?.records ?? new Map();
  return ({ kind, name }) => records.get(kind)?.has(name) === true;
}

function namesOf(changes: readonly Change[]): Set<string> {
  return new Set(changes.map(changeKey));
}
