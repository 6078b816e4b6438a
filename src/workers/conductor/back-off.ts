import { setTimeout as sleep } from 'node:timers/promises';

/** Growing, jittered waits: half to the whole of `first`, doubled at each failure, up to `longest`. In milliseconds. */
export interface BackOff {
  /** Waits; returns early, without throwing, when the signal is aborted. */
  wait(signal: AbortSignal): Promise<void>;
  reset(): void;
  /** How many waits there were since the last reset. */
  readonly failures: number;
}

export function createBackOff(first = 200, longest = 10_000): BackOff {
  let failures = 0;
  return {
    async wait(signal) {
      const full = Math.min(longest, first * 2 ** Math.min(failures, 20));
      failures += 1;
      await sleep(full * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    },
    reset() {
      failures = 0;
    },
    get failures() {
      return failures;
    },
  };
}
