/**
 * Outcomes that Conductor has not confirmed yet. They hold no slot, so that one update that is tried again and again
 * keeps no task out; but their number is bounded, since they are kept in memory.
 */
export interface Backlog {
  enter(): void;
  leave(): void;
  /** Resolves when there are fewer than the most, or when the signal is aborted. */
  untilRoom(signal: AbortSignal): Promise<void>;
  readonly size: number;
}

export function createBacklog(most: number): Backlog {
  let size = 0;
  const waiting = new Set<() => void>();
  return {
    enter() {
      size += 1;
    },
    leave() {
      size -= 1;
      if (size < most) for (const wake of waiting) wake();
    },
    async untilRoom(signal) {
      while (size >= most && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            waiting.delete(done);
            signal.removeEventListener('abort', done);
            resolve();
          };
          waiting.add(done);
          signal.addEventListener('abort', done, { once: true });
        });
      }
    },
    get size() {
      return size;
    },
  };
}
