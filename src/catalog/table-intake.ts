import type { HashKind } from '../redis/keys.ts';
import type { Intake } from './intake.ts';
import type { PersistentMap } from './persistent-map.ts';
import { type Entry, type RecordFault, readRecord } from './records.ts';

export interface TableState {
  readonly table: PersistentMap<Entry<unknown>>;
  readonly faults: readonly RecordFault[];
}

const FIELDS_A_STEP = 200;

/** A hash of records. One whose text is the same is not parsed again and stays the very same. */
export function tableIntake(
  kind: HashKind,
  key: string,
  before: PersistentMap<Entry<unknown>>,
  replace: (state: TableState) => void,
  /** Told of each field of which another record, or none, is known now. */
  onChange: (field: string, entry: Entry<unknown> | undefined) => void,
): Intake {
  const entries = before.edit();
  const seen = new Set<string>();
  const changed: string[] = [];
  const faults = new Map<string, RecordFault>();
  return {
    add(items, from, to) {
      for (let index = from; index < to; index += 2) {
        const [field = '', raw = ''] = [items[index], items[index + 1]];
        let entry = entries.get(field);
        if (entry?.raw !== raw) {
          entry = readRecord(kind, key, field, raw);
          entries.set(field, entry);
          changed.push(field);
        }
        seen.add(field);
        if (entry.lookup.kind === 'invalid') faults.set(field, entry.lookup.fault);
        else if (faults.size > 0) faults.delete(field);
      }
    },
    *close() {
      let done = 0;
      for (const field of seen.size < entries.size ? before.keys() : []) {
        if (!seen.has(field)) {
          entries.delete(field);
          changed.push(field);
        }
        done += 1;
        if (done % FIELDS_A_STEP === 0) yield;
      }
      for (const field of changed) {
        onChange(field, entries.get(field));
        done += 1;
        if (done % FIELDS_A_STEP === 0) yield;
      }
      const table = entries.done();
      if (table !== before) replace({ table, faults: [...faults.values()] });
    },
  };
}
