import { isDeepStrictEqual } from 'node:util';
import type { Snapshot } from '../catalog/snapshot.ts';
import { formatAccess, parseAccess } from '../rbac/grants.ts';
import { MANIFEST_KINDS } from '../redis/keys.ts';
import { type Change, grantName, type RecordChange } from './changes.ts';
import type { Wanted } from './manifest.ts';

/**
 * What has to change so that Redis holds what is wanted. With `prune` also what goes because no manifest names it; what
 * goes along with that is for `what-goes-with.ts` to say.
 */
export function planChanges(snapshot: Snapshot, wanted: Wanted, { prune }: { prune: boolean }): Change[] {
  const changes: Change[] = [];
  for (const kind of MANIFEST_KINDS) {
    const records = wanted.records.get(kind) ?? new Map();
    const existing = snapshot.parts.tables[kind];
    for (const [name, after] of records) {
      const raw = existing.get(name)?.raw;
      const before = raw === undefined ? null : readable(raw);
      addChange(changes, kind, name, before, kind === 'applications' ? withUidOf(before, after) : after);
    }
    if (!prune || !wanted.kinds.has(kind)) continue;
    for (const [name, { raw }] of existing) {
      if (records.has(name)) continue;
      addChange(changes, kind, name, readable(raw), null);
    }
  }
  for (const [group, after] of wanted.members) {
    const before = snapshot.parts.members.get(group);
    // Redis has no empty sets: nobody listed and nobody there is the same.
    if (before === undefined && after.size === 0) continue;
    addChange(changes, 'members', group, sorted(before), sorted(after));
  }
  for (const [subject, targets] of wanted.grants) {
    for (const [target, after] of targets) {
      const text = snapshot.grantText(subject, target);
      const before = text === undefined ? null : isSameAccess(text, after) ? after : text;
      addGrantChange(changes, subject, target, before, after);
    }
  }
  if (prune && wanted.kinds.has('grants')) {
    for (const { subject, target, text } of snapshot.grantTexts()) {
      if (wanted.grants.get(subject)?.has(target)) continue;
      addGrantChange(changes, subject, target, text, null);
    }
  }
  return changes;
}

function addChange(changes: Change[], kind: RecordChange['kind'], name: string, before: unknown, after: unknown): void {
  const action = actionOf(before, after);
  if (action !== undefined) changes.push({ action, kind, name, before, after });
}

function addGrantChange(
  changes: Change[],
  subject: string,
  target: string,
  before: string | null,
  after: string | null,
): void {
  const action = actionOf(before, after);
  const name = grantName(subject, target);
  if (action !== undefined) changes.push({ action, kind: 'grants', name, subject, target, before, after });
}

function actionOf(before: unknown, after: unknown): Change['action'] | undefined {
  if (before === null) return after === null ? undefined : 'create';
  if (after === null) return 'delete';
  return isDeepStrictEqual(before, after) ? undefined : 'update';
}

/** An application stays the one that its access keys were made for: its `uid` was given to it, and stands in no manifest. */
function withUidOf(before: unknown, after: unknown): unknown {
  if (typeof before !== 'object' || before === null || typeof after !== 'object') return after;
  return 'uid' in before ? { uid: before.uid, ...after } : after;
}

/** Accesses have no order; `after` is in ours. */
function isSameAccess(before: string, after: string): boolean {
  const read = parseAccess(before);
  return 'access' in read && formatAccess(read.access) === after;
}

/** A record that is no JSON differs from anything that could be wanted. */
export function readable(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

function sorted(members: ReadonlySet<string> | undefined): string[] | null {
  return members === undefined ? null : [...members].sort();
}
