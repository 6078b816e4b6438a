import type { Account } from '../../../src/limits/accounts.ts';
import { createLimitBook, type Limit } from '../../../src/limits/limit-book.ts';
import { periodAt } from '../../../src/limits/periods.ts';
import type { Reached, TokenLimits } from '../../../src/limits/token-limits.ts';
import type { Use } from '../../../src/telemetry/usage.ts';

/** Token limits of one replica, in memory: what was recorded counts at once, in one period that does not end. */
export function soloLimits() {
  const book = createLimitBook();
  const spent = new Map<Account, number>();
  const state = { reachable: true, rememberReached: false };
  /** Every question, as the accounts that it asks about. */
  const asked: Account[][] = [];
  const resetsAt = periodAt('daily', Date.parse('2026-11-26T12:00:00Z')).endsAt;
  let settled = 0;

  function reachedOf(limits: readonly Limit[]): Map<Limit, Reached> {
    const all = limits.map((limit) => [limit, { limit, used: spent.get(limit.account) ?? 0, resetsAt }] as const);
    return new Map(all.filter(([{ maxTokens }, { used }]) => used >= maxTokens));
  }

  const limits: TokenLimits = {
    on: book.on,
    reachedLately: (concerned) => (state.rememberReached ? [...reachedOf(concerned).values()][0] : undefined),
    async reached(concerned) {
      asked.push(concerned.map(({ account }) => account));
      if (!state.reachable) throw new Error('Redis does not answer');
      return reachedOf(concerned);
    },
    async settle() {
      settled += 1;
    },
  };
  return {
    ...{ limits, spent, state, asked },
    record(use: Use): void {
      for (const account of use.spent.accounts) spent.set(account, (spent.get(account) ?? 0) + use.spent.tokens);
    },
    get settled() {
      return settled;
    },
  };
}
