import type { HashKind } from '../redis/keys.ts';
import type { Intake } from './intake.ts';
import { PersistentMap } from './persistent-map.ts';
import { type Entry, type RecordFault, readRecord } from './records.ts';

export interface TableState {
  readonly table: PersistentMap<Entry<unknown>>;
  readonly faults: readonly RecordFault[];
}

const FIELDS_A_STEP = 500;

/** A hash of records. One whose text is the same is not parsed again and stays the very same. */
export function tableIntake(
  kind: HashKind,
  key: string,
  before: PersistentMap<Entry<unknown>>,
  replace: (state: TableState) => void,
): Intake {
  const entries = before.edit();
  const seen = new Set<string>();
  const faults = new Map<string, RecordFault>();
  return {
    add(items, from, to) {
      for (let index = from; index < to; index += 2) {
        const [field = '', raw = ''] = [items[index], items[index + 1]];
        let entry = entries.get(field);
        if (entry?.raw !== raw) {
          entry = readRecord(kind, key, field, raw);
          entries.set(field, entry);
        }
        seen.add(field);
        if (entry.lookup.kind === 'invalid') faults.set(field, entry.lookup.fault);
        else if (faults.size > 0) faults.delete(field);
      }
    },
    *close() {
      if (seen.size === 0) {
        if (before.size > 0) replace({ table: new PersistentMap(), faults: [] });
        return;
      }
      let looked = 0;
      for (const field of seen.size < entries.size ? before.keys() : []) {
        if (!seen.has(field)) entries.delete(field);
        looked += 1;
        if (looked % FIELDS_A_STEP === 0) yield;
      }
      const table = entries.done();
      if (table !== before) replace({ table, faults: [...faults.values()] });
    },
  };
}
