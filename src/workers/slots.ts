/**
 * The places for tasks in one worker. A poll reserves as many as it asks for before it asks, so that a worker never
 * holds more tasks than it has places, however many polls are open.
 */
export interface Slots {
  /**
   * Waits for a free slot, then takes as many of those that are free as are wanted, which may depend on how many there
   * are, and be none. 0 when the signal was aborted.
   */
  reserve(wanted: number | ((free: number) => number), signal: AbortSignal): Promise<number>;
  release(count: number): void;
  readonly used: number;
}

export function createSlots(size: number): Slots {
  let free = size;
  const waiting: (() => void)[] = [];

  return {
    async reserve(wanted, signal) {
      while (free <= 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            signal.removeEventListener('abort', done);
            resolve();
          };
          waiting.push(done);
          signal.addEventListener('abort', done, { once: true });
        });
      }
      if (signal.aborted) return 0;
      const taken = Math.max(0, Math.min(typeof wanted === 'number' ? wanted : wanted(free), free));
      free -= taken;
      return taken;
    },
    release(count) {
      if (count === 0) return;
      free += count;
      // In turn: those that wait longest look first, and what they leave is for the next.
      for (const wake of waiting.splice(0)) wake();
    },
    get used() {
      return size - free;
    },
  };
}
