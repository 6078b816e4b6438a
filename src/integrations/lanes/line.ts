import type { BatchTerms } from './lane-use.ts';

/** Bedrock's Cohere models take this many texts in one request (AWS: model parameters of Cohere Embed). */
export const BATCH_TEXTS_AT_MOST = 96;
/** And bodies of about this size, in bytes; what surrounds the texts is small. */
export const BATCH_BYTES_AT_MOST = 1_000_000;

/** What stands in a lane's line. */
export interface InLine {
  /** Smaller starts earlier; equal ones in the order they came. */
  readonly order: number;
  readonly batch: BatchTerms | undefined;
  /** How many may share its turn: halved when a shared request was refused, so that one bad text fails alone. */
  readonly shareAtMost: number;
  /** Whom it may share a turn with after a split: only those of its own half. */
  readonly half: string;
}

/** The tasks that wait in one lane of one worker, first come first served. */
export interface Line<E extends InLine> {
  readonly length: number;
  add(entry: E): void;
  /** False where it does not stand here any more. */
  remove(entry: E): boolean;
  /** Takes the first out, and those behind it that may share its turn. Empty where nobody waits. */
  takeGroup(): E[];
  /** Every one with the number of turns ahead of it. */
  turnsAhead(): Iterable<readonly [entry: E, turns: number]>;
}

export function createLine<E extends InLine>(): Line<E> {
  const entries: E[] = [];

  return {
    get length() {
      return entries.length;
    },
    add(entry) {
      // Nearly always at the end: searched from there.
      let at = entries.length;
      while (at > 0 && (entries[at - 1]?.order ?? 0) > entry.order) at -= 1;
      entries.splice(at, 0, entry);
    },
    remove(entry) {
      const at = entries.indexOf(entry);
      if (at >= 0) entries.splice(at, 1);
      return at >= 0;
    },
    takeGroup() {
      const head = entries.shift();
      if (head === undefined) return [];
      const key = shareKey(head);
      if (key === undefined) return [head];
      const group = [head];
      let bytes = head.batch?.bytes ?? 0;
      for (let at = 0; at < entries.length && group.length < head.shareAtMost; ) {
        const next = entries[at];
        if (next !== undefined && shareKey(next) === key && bytes + (next.batch?.bytes ?? 0) <= BATCH_BYTES_AT_MOST) {
          bytes += next.batch?.bytes ?? 0;
          group.push(next);
          entries.splice(at, 1);
        } else {
          at += 1;
        }
      }
      return group;
    },
    *turnsAhead() {
      const groups = new Map<string, { turn: number; room: number; bytes: number }>();
      let turns = 0;
      for (const entry of [...entries]) {
        const key = shareKey(entry);
        const group = key === undefined ? undefined : groups.get(key);
        const bytes = entry.batch?.bytes ?? 0;
        if (group !== undefined && group.room > 0 && group.bytes + bytes <= BATCH_BYTES_AT_MOST) {
          group.room -= 1;
          group.bytes += bytes;
          yield [entry, group.turn];
        } else {
          if (key !== undefined) groups.set(key, { turn: turns, room: entry.shareAtMost - 1, bytes });
          yield [entry, turns];
          turns += 1;
        }
      }
    },
  };
}

/** Undefined: it goes alone. */
function shareKey({ batch, shareAtMost, half }: InLine): string | undefined {
  return batch === undefined || shareAtMost <= 1 ? undefined : `${half}|${batch.key}`;
}
