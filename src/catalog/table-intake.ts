import type { HashKind } from '../redis/keys.ts';
import type { Intake } from './intake.ts';
import { PersistentMap } from './persistent-map.ts';
import { type Entry, type RecordFault, readRecord } from './records.ts';

export interface TableState {
  readonly table: ReadonlyMap<string, Entry<unknown>>;
  readonly faults: readonly RecordFault[];
}

/** A hash of records. One whose text is the same is not parsed again and stays the very same. */
export function tableIntake(
  kind: HashKind,
  key: string,
  before: ReadonlyMap<string, Entry<unknown>>,
  replace: (state: TableState) => void,
): Intake {
  const entries = new PersistentMap<Entry<unknown>>().edit();
  const faults = new Map<string, RecordFault>();
  let changed = false;
  return {
    add(items, from, to) {
      for (let index = from; index < to; index += 2) {
        const [field = '', raw = ''] = [items[index], items[index + 1]];
        const old = before.get(field);
        const entry = old?.raw === raw ? old : readRecord(kind, key, field, raw);
        if (entry !== old) changed = true;
        entries.set(field, entry);
        if (entry.lookup.kind === 'invalid') faults.set(field, entry.lookup.fault);
        else if (faults.size > 0) faults.delete(field);
      }
    },
    close() {
      if (changed || entries.size !== before.size) replace({ table: entries.done(), faults: [...faults.values()] });
      return [];
    },
  };
}
