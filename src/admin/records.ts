import type { z } from 'zod';
import { leftoversOf, type RecordName } from '../catalog/changes/leftovers.ts';
import { RECORD_SCHEMAS, type RecordKinds } from '../catalog/records.ts';
import { RECORD_NOUNS } from '../catalog/references.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { describeFaults, parseValue } from '../parsing.ts';
import { ACCESSES, formatAccess } from '../rbac/grants.ts';
import { subjectId } from '../rbac/subject.ts';
import { ANY, type Edit, isFieldEdit, unchanged } from '../redis/edits.ts';
import type { KeyNames, ManifestKind } from '../redis/keys.ts';
import type { Caller } from './access/caller.ts';
import { type Asked, nameOf } from './access/targets.ts';
import type { AdminParts } from './parts.ts';

/** A record as it stands in Redis: the text by which a change is compared, and what it says. */
export interface Stored<K extends ManifestKind> {
  readonly raw: string;
  readonly record: RecordKinds[K];
  /** As written, before defaults. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** Undefined where there is none. Throws RECORD_INVALID for one that cannot be read. */
export function find<K extends ManifestKind>(snapshot: Snapshot, kind: K, name: string): Stored<K> | undefined {
  const found = snapshot.lookup(kind, name);
  if (found.kind === 'absent') return undefined;
  if (found.kind === 'invalid') {
    const { key, field, message } = found.fault;
    throw new ServiceError('RECORD_INVALID', `${key} ${field} cannot be read: ${message}`);
  }
  const raw = rawOf(snapshot, kind, name) ?? '';
  return { raw, record: found.record, json: JSON.parse(raw) as Record<string, unknown> };
}

/** Throws NOT_FOUND, too. */
export function demandRecord<K extends ManifestKind>(snapshot: Snapshot, kind: K, name: string): Stored<K> {
  const stored = find(snapshot, kind, name);
  if (stored === undefined) throw new ServiceError('NOT_FOUND', `There is no ${RECORD_NOUNS[kind]} ${name}`);
  return stored;
}

/** The text of a record, whether it can be read or not. */
export function rawOf(snapshot: Snapshot, kind: ManifestKind, name: string): string | undefined {
  return snapshot.parts.tables[kind].get(name)?.raw;
}

/**
 * The fields of a record as they are written; none of one that cannot be read, so that nobody becomes its creator by
 * writing over it. Undefined where there is no record.
 */
export function fieldsOf(
  snapshot: Snapshot,
  kind: ManifestKind,
  name: string,
): Readonly<Record<string, unknown>> | undefined {
  const entry = snapshot.parts.tables[kind].get(name);
  if (entry === undefined) return undefined;
  return entry.lookup.kind === 'found' ? (JSON.parse(entry.raw) as Record<string, unknown>) : {};
}

/** The text that edits make of a record: not what stands there when they are written, which may be somebody else's by then. */
export function textIn(edits: readonly Edit[], key: string, field: string): string {
  const edit = edits.find((each) => isFieldEdit(each) && each.key === key && each.field === field);
  return edit !== undefined && isFieldEdit(edit) ? (edit.after ?? '') : '';
}

/** The text to write: who changed it and when is ours to say, whatever a body says of it. Throws REQUEST_INVALID where the record would not be one. */
export function recordText(
  kind: ManifestKind,
  fields: Readonly<Record<string, unknown>>,
  {
    caller,
    before,
    now = Date.now(),
  }: { caller: Caller; before: Readonly<Record<string, unknown>> | undefined; now?: number },
): string {
  const made = before === undefined ? { createdBy: caller.id, createTime: now } : keptOf(before);
  const record = withoutAbsent({ ...fields, ...made, updatedBy: caller.id, updateTime: now });
  const read = parseValue(record, RECORD_SCHEMAS[kind] as z.ZodType<unknown>);
  if (!read.ok) throw new ServiceError('REQUEST_INVALID', describeFaults(read.faults));
  return JSON.stringify(record);
}

function keptOf(before: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = ['createdBy', 'createTime', 'ownerApp', 'createdOn'].map((name) => [name, before[name]] as const);
  return Object.fromEntries(kept);
}

function withoutAbsent(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

/**
 * What goes with making a record where none was: what an earlier one of the name left behind is swept away, and whoever
 * makes it, unless ADMIN already, gets every access to it.
 */
export function editsForNew(
  { names, snapshot, caller }: { names: KeyNames; snapshot: Snapshot; caller: Caller },
  record: RecordName,
  asked: Asked | undefined,
): Edit[] {
  const swept = record.kind === 'users' ? [] : leftoversOf(snapshot, names, [record]);
  if (asked === undefined || caller.isAdmin) return swept;
  const key = names.grants(subjectId(caller.subject));
  return [...swept, { key, field: nameOf(asked), before: ANY, after: formatAccess(ACCESSES) }];
}

/**
 * Deletes records with everything that would speak for others of the same names. What was granted on them in that very
 * moment, and was not known yet, goes in a second step; whoever grants later finds no record to grant on.
 */
export async function deleteRecords(
  { writer, names, catalog }: Pick<AdminParts, 'writer' | 'names' | 'catalog'>,
  kinds: readonly ManifestKind[],
  plan: (snapshot: Snapshot) => readonly RecordName[],
): Promise<void> {
  const keys = kinds.map((kind) => names.hash(kind));
  const gone = await writer.change(keys, (snapshot) => {
    const records = plan(snapshot);
    const deletions = records.map(({ kind, name }) => ({
      key: names.hash(kind),
      field: name,
      before: rawOf(snapshot, kind, name),
      after: undefined,
    }));
    return { edits: [...deletions, ...leftoversOf(snapshot, names, records)], result: records };
  });
  await catalog.settle();
  await writer.change(keys, (snapshot) => {
    const stillGone = gone.filter(({ kind, name }) => rawOf(snapshot, kind, name) === undefined);
    const left = leftoversOf(snapshot, names, stillGone);
    const sure = stillGone.map(({ kind, name }) => unchanged(names.hash(kind), name, undefined));
    return { edits: left.length === 0 ? [] : [...sure, ...left], result: undefined };
  });
}
