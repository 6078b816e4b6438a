import { setImmediate } from 'node:timers/promises';

/** Work done in one go, before the event loop gets its turn: a task that waits meanwhile must not notice. */
const SLICE_MS = 3;

/** Gives way to the event loop by time, not by count: nobody knows how long one record takes. */
export interface Pacer {
  /** Enough was done in one go. */
  due(): boolean;
  giveWay(): Promise<void>;
}

export function createPacer(): Pacer {
  let began = performance.now();
  return {
    due: () => performance.now() - began >= SLICE_MS,
    async giveWay() {
      await setImmediate();
      began = performance.now();
    },
  };
}
