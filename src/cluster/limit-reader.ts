import type { Limit } from '../limits/limit-book.ts';
import { createRedisClock } from '../redis/clock.ts';
import { readWarnings } from './limit-warnings.ts';
import { readSpent, type Spent, type SpentParts } from './spent.ts';

/** A limit, what is used of it in the period of now, and when it was first warned of in it. */
export interface LimitState extends Spent {
  readonly limit: Limit;
  /** In milliseconds. */
  readonly warnedAt: number | undefined;
}

export interface LimitReader {
  /** In their order. Rejects where Redis does not answer. */
  read(limits: readonly Limit[]): Promise<readonly LimitState[]>;
}

export function createLimitReader({ redis, keys }: Pick<SpentParts, 'redis' | 'keys'>): LimitReader {
  const clock = createRedisClock();

  async function readSome(limits: readonly Limit[]): Promise<readonly LimitState[]> {
    const spent = await readSpent({ redis, keys, clock }, limits);
    const states = limits.map((limit, index) => ({ limit, ...(spent[index] as Spent) }));
    const warned = await readWarnings({ redis, keys }, states);
    return states.map((state, index) => ({ ...state, warnedAt: warned[index] }));
  }

  return {
    async read(limits) {
      const states: LimitState[] = [];
      for (let from = 0; from < limits.length; from += AT_ONCE) {
        states.push(...(await readSome(limits.slice(from, from + AT_ONCE))));
      }
      return states;
    },
  };
}

/** Of one question: it holds Redis for less than a millisecond. */
const AT_ONCE = 500;
