import { ServiceError } from '../errors.ts';

/** How long who asks for a refresh waits for it. */
const BOUND_MS = 5_000;

/** Who waits until the catalog holds what Redis holds now. */
export interface Refreshes {
  /**
   * Resolves once the keys that are dirty now have been read and can be seen.
   * @throws ServiceError UNREACHABLE after 5 s, or when `end` is called
   */
  wait(keys: readonly string[]): Promise<void>;
  /** Dirty keys are about to be read: what is waited for from now on is not among them. */
  begin(): void;
  /** What was read since `begin` can be seen. */
  seen(): void;
  /** What was read since `begin` was lost: it is waited for again. The keys to read again. */
  lost(): string[];
  /** Nothing will be read any more. */
  end(): void;
}

interface Waiter {
  readonly keys: readonly string[];
  readonly settle: (fault?: ServiceError) => void;
}

export function createRefreshes(): Refreshes {
  const waiting = new Set<Waiter>();
  const beingRead = new Set<Waiter>();

  return {
    wait(keys) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(
        () => waiter.settle(new ServiceError('UNREACHABLE', `Redis did not answer within ${BOUND_MS / 1_000} s`)),
        BOUND_MS,
      );
      const waiter: Waiter = {
        keys,
        settle(fault) {
          clearTimeout(timer);
          waiting.delete(waiter);
          beingRead.delete(waiter);
          if (fault === undefined) resolve();
          else reject(fault);
        },
      };
      waiting.add(waiter);
      return promise;
    },
    begin() {
      for (const waiter of waiting) beingRead.add(waiter);
      waiting.clear();
    },
    seen() {
      for (const waiter of beingRead) waiter.settle();
    },
    lost() {
      for (const waiter of beingRead) waiting.add(waiter);
      beingRead.clear();
      return [...waiting].flatMap(({ keys }) => keys);
    },
    end() {
      for (const waiter of [...waiting, ...beingRead]) {
        waiter.settle(new ServiceError('UNREACHABLE', 'The catalog is stopped: it follows Redis no longer'));
      }
    },
  };
}
