import { setImmediate } from 'node:timers/promises';
import type { HashKind, KeyNames } from '../redis/keys.ts';
import type { KeyContent } from './read-keys.ts';
import { type Entry, type Grant, type RecordFault, readGrant, readRecord } from './records.ts';
import type { SnapshotParts } from './snapshot.ts';

/** Records parsed before the event loop gets its turn. */
const PARSES_PER_TURN = 500;
/** Unchanged ones, which are only looked up. */
const KEPT_PER_TURN = 5_000;

/**
 * The parts of a snapshot with some keys' contents replaced. Records whose text has not changed keep their identity
 * and cost no parsing; everything else is shared with the parts given, which stay as they are. Where nothing has
 * changed at all, the very parts given are returned.
 */
export async function rebuild(
  parts: SnapshotParts,
  names: KeyNames,
  contents: ReadonlyMap<string, KeyContent>,
): Promise<SnapshotParts> {
  const tables: Record<string, ReadonlyMap<string, Entry<unknown>>> = { ...parts.tables };
  const members = new Map(parts.members);
  const grants = new Map(parts.grants);
  const keyFaults = new Map(parts.keyFaults);
  const turn = pacer();

  for (const [key, content] of contents) {
    const place = names.parse(key);
    if (place === undefined) continue;
    if (content.kind === 'wrong')
      keyFaults.set(key, { key, field: '', message: content.message } satisfies RecordFault);
    else keyFaults.delete(key);

    if (place.kind === 'members') {
      const list = content.kind === 'set' ? content.members : [];
      if (list.length === 0) members.delete(place.group);
      else if (!holdsExactly(members.get(place.group), list)) members.set(place.group, new Set(list));
    } else if (place.kind === 'grants') {
      const fields = content.kind === 'hash' ? content.fields : {};
      const read = await readEntries<Grant>(fields, grants.get(place.subject), turn, (field, raw) =>
        readGrant(key, field, raw),
      );
      if (read.size > 0) grants.set(place.subject, read);
      else grants.delete(place.subject);
    } else {
      const kind: HashKind = place.kind;
      const fields = content.kind === 'hash' ? content.fields : {};
      tables[kind] = await readEntries<unknown>(fields, parts.tables[kind], turn, (field, raw) =>
        readRecord(kind, key, field, raw),
      );
    }
  }
  const next = { tables: tables as unknown as SnapshotParts['tables'], members, grants, keyFaults };
  return isSame(parts, next) ? parts : next;
}

async function readEntries<T>(
  fields: Readonly<Record<string, string>>,
  before: ReadonlyMap<string, Entry<T>> | undefined,
  turn: () => Promise<void>,
  read: (field: string, raw: string) => Entry<T>,
): Promise<ReadonlyMap<string, Entry<T>>> {
  const entries = new Map<string, Entry<T>>();
  let kept = 0;
  for (const [field, raw] of Object.entries(fields)) {
    const old = before?.get(field);
    if (old?.raw === raw) {
      entries.set(field, old);
      kept += 1;
      if (kept % KEPT_PER_TURN === 0) await setImmediate();
    } else {
      entries.set(field, read(field, raw));
      await turn();
    }
  }
  return before !== undefined && kept === entries.size && kept === before.size ? before : entries;
}

function holdsExactly(members: ReadonlySet<string> | undefined, list: readonly string[]): boolean {
  return members !== undefined && members.size === list.length && list.every((member) => members.has(member));
}

function isSame(before: SnapshotParts, next: SnapshotParts): boolean {
  return (
    Object.entries(next.tables).every(([kind, table]) => table === before.tables[kind as HashKind]) &&
    sameEntries(before.members, next.members) &&
    sameEntries(before.grants, next.grants) &&
    next.keyFaults.size === before.keyFaults.size &&
    [...next.keyFaults.keys()].every((key) => before.keyFaults.has(key))
  );
}

function sameEntries<T>(before: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): boolean {
  return before.size === next.size && [...next].every(([key, value]) => before.get(key) === value);
}

/** Gives way to the event loop now and then. */
function pacer(): () => Promise<void> {
  let parsed = 0;
  return async () => {
    parsed += 1;
    if (parsed % PARSES_PER_TURN === 0) await setImmediate();
  };
}
