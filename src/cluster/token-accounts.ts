import type { Logger } from 'pino';
import type { Snapshot } from '../catalog/snapshot.ts';
import { messageOf } from '../errors.ts';
import { inTime } from '../in-time.ts';
import { createLimitBook, type Limit } from '../limits/limit-book.ts';
import { lastToReset, type Reached, type TokenLimits } from '../limits/token-limits.ts';
import { createRedisClock } from '../redis/clock.ts';
import { type AccountSums, createUsageRecorder, type UsageRecorder } from '../telemetry/usage.ts';
import { createLimitWarnings } from './limit-warnings.ts';
import { readSpent, type Spent, type SpentParts } from './spent.ts';

export interface TokenAccountsParts extends Omit<SpentParts, 'clock'> {
  readonly catalog: () => Snapshot;
  /** Unlike that of any other process. */
  readonly instance: string;
  readonly log: Logger;
}

/** How much of a limit is used, as this process last heard. */
export interface LimitUse {
  readonly limit: Limit;
  readonly used: number;
}

export interface TokenAccounts {
  readonly usage: UsageRecorder;
  readonly limits: TokenLimits;
  /** Of limits in their present period, as far as this process heard of any. */
  uses(): Iterable<LimitUse>;
}

/** For so long a limit that was used up is taken to be so still, unless it is raised or its period ends. */
const REACHED_FOR_MS = 10_000;
/** How long an outcome waits until what it used is counted. */
const SETTLE_MS = 2_000;
const REMEMBERED = 10_000;

/**
 * Counting and limiting over one Redis. The sums by which calls are admitted are those that all usage is added to: only when
 * differs. What no limit concerns is added every two seconds; what one concerns, as soon as it is known.
 */
export function createTokenAccounts(parts: TokenAccountsParts): TokenAccounts {
  const { redis, keys, instance, log, catalog, periodAt } = parts;
  const clock = createRedisClock();
  const spent = { redis, keys, clock, periodAt };
  const book = createLimitBook();
  const warnings = createLimitWarnings({ redis, keys, clock, log });
  const usage = createUsageRecorder({
    ...{ redis, keys, instance, log, clock, onSums },
    ...(periodAt === undefined ? {} : { periodAt }),
  });
  const latest = new Map<string, Spent & { readonly limit: Limit }>();
  const found = new Map<string, Reached & { readonly until: number }>();
  /**
   * How often what a limited call used could not be written at once, and up to which of these times it is written by now:
   * nothing limited starts before all is. Counts, since it may happen again while what was owed is being written.
   */
  let owed = 0;
  let paid = 0;
  let failing = false;

  function heard(limit: Limit, now: Spent): void {
    if (latest.size >= REMEMBERED) latest.clear();
    latest.set(idOf(limit), { ...now, limit });
    warnings.look(limit, now);
  }

  function onSums(sums: readonly AccountSums[]): void {
    const snapshot = catalog();
    for (const { account, sums: of } of sums) {
      for (const limit of book.of(snapshot, account)) {
        if (of[limit.frequency].used >= 0) heard(limit, of[limit.frequency]);
      }
    }
  }

  async function reached(limits: readonly Limit[]): Promise<ReadonlyMap<Limit, Reached>> {
    if (owed > paid) {
      const writing = owed;
      await usage.flush();
      paid = Math.max(paid, writing);
    }
    const answers = await readSpent(spent, limits);
    const usedUp = new Map<Limit, Reached>();
    for (const [index, limit] of limits.entries()) {
      const now = answers[index];
      if (now === undefined) continue;
      heard(limit, now);
      if (now.used < limit.maxTokens) continue;
      const one = { limit, used: now.used, resetsAt: now.period.endsAt };
      usedUp.set(limit, one);
      if (found.size >= REMEMBERED) found.clear();
      const left = Math.min(REACHED_FOR_MS, now.period.endsAt - clock.now());
      found.set(idOf(limit), { ...one, until: performance.now() + left });
    }
    return usedUp;
  }

  const limits: TokenLimits = {
    on: book.on,
    reachedLately(concerned) {
      if (found.size === 0) return undefined;
      const still: Reached[] = [];
      for (const limit of concerned) {
        const one = found.get(idOf(limit));
        if (one === undefined || one.used < limit.maxTokens) continue;
        if (one.until <= performance.now()) found.delete(idOf(limit));
        else still.push({ ...one, limit });
      }
      return lastToReset(still);
    },
    async reached(concerned) {
      try {
        const answer = await reached(concerned);
        failing = false;
        return answer;
      } catch (error) {
        if (!failing)
          log.warn({ reason: messageOf(error) }, 'Token limits cannot be asked: nothing that has one starts');
        failing = true;
        throw error;
      }
    },
    async settle() {
      try {
        await inTime(usage.flush(), SETTLE_MS);
      } catch {
        owed += 1;
      }
    },
  };

  return {
    usage,
    limits,
    *uses() {
      const [ms, snapshot] = [clock.now(), catalog()];
      for (const [id, { limit, used, period }] of latest) {
        // As the records set it now; a limit that is gone has no use.
        const now = book.of(snapshot, limit.account).find(({ frequency }) => frequency === limit.frequency);
        if (now === undefined || period.endsAt <= ms) latest.delete(id);
        else yield { limit: now, used };
      }
    },
  };
}

function idOf({ account, frequency }: Limit): string {
  return `${frequency} ${account}`;
}
