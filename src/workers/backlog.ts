/** Outcomes that wait for Conductor, at most: kept in memory, and in Redis where they are answers. */
const ENTRIES_AT_MOST = 1_000;
const BYTES_AT_MOST = 64 * 1024 * 1024;
const CHECK_MS = 20;

/**
 * Outcomes that Conductor did not take at once. They hold no slot, so that one update that is tried again and again
 * keeps no task out; but they come off the number of tasks that are asked for.
 */
export interface Backlog {
  /** What to call once the outcome is off. */
  enter(bytes: number): () => void;
  readonly waiting: number;
  /** How many more tasks may be asked for. */
  room(): number;
  /** Resolves when there is room, or when the signal is aborted. */
  untilRoom(signal: AbortSignal): Promise<void>;
}

export function createBacklog(entriesAtMost = ENTRIES_AT_MOST, bytesAtMost = BYTES_AT_MOST): Backlog {
  let entries = 0;
  let bytes = 0;
  const room = (): number => (bytes >= bytesAtMost ? 0 : Math.max(0, entriesAtMost - entries));
  return {
    enter(size) {
      entries += 1;
      bytes += size;
      let inside = true;
      return () => {
        if (!inside) return;
        inside = false;
        entries -= 1;
        bytes -= size;
      };
    },
    get waiting() {
      return entries;
    },
    room,
    async untilRoom(signal) {
      while (room() <= 0 && !signal.aborted) await new Promise<void>((resolve) => setTimeout(resolve, CHECK_MS));
    },
  };
}
