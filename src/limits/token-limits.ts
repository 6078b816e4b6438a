import type { Snapshot } from '../catalog/snapshot.ts';
import type { Account } from './accounts.ts';
import type { Limit } from './limit-book.ts';

/** A limit that is used up. */
export interface Reached {
  readonly limit: Limit;
  /** Tokens of this period so far. */
  readonly used: number;
  /** When the next period begins, in milliseconds. */
  readonly resetsAt: number;
}

/**
 * The port between calls and what all replicas share about token limits. It is kept in Redis by `src/cluster/token-accounts.ts`.
 * A call that no limit concerns asks nothing of it.
 */
export interface TokenLimits {
  /** The limits that concern a call which is put down to these accounts. Throws RECORD_INVALID: see `LimitBook`. */
  on(snapshot: Snapshot, accounts: readonly Account[]): readonly Limit[];
  /** One of these that was found used up a moment ago, in this process; of several the one that resets last. Asks nobody. */
  reachedLately(limits: readonly Limit[]): Reached | undefined;
  /** Those of these limits that are used up, in one question of Redis. Rejects where it does not answer. */
  reached(limits: readonly Limit[]): Promise<ReadonlyMap<Limit, Reached>>;
  /** What was recorded so far counts for whoever starts from now on. Where Redis does not answer it resolves all the same, within 2 s. */
  settle(): Promise<void>;
}

/** The one that holds a call up longest. */
export function lastToReset(reached: Iterable<Reached>): Reached | undefined {
  let last: Reached | undefined;
  for (const one of reached) if (last === undefined || one.resetsAt > last.resetsAt) last = one;
  return last;
}
