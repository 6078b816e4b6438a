import type { Cluster, Redis } from 'ioredis';
import type { Account } from '../limits/accounts.ts';
import { type Period, type PeriodAt, periodAt } from '../limits/periods.ts';
import { FREQUENCIES, type Frequency } from '../record-fields.ts';
import type { RedisClock } from '../redis/clock.ts';
import type { UsageKeys } from '../redis/keys.ts';
import { readOnlyScript } from '../redis/script.ts';

/** What somebody wants to know: how much an account has spent in the period of now. */
export interface Question {
  readonly account: Account;
  readonly frequency: Frequency;
}

export interface Spent {
  readonly used: number;
  readonly period: Period;
}

export interface SpentParts {
  readonly redis: Redis | Cluster;
  readonly keys: UsageKeys;
  readonly clock: RedisClock;
  readonly periodAt?: PeriodAt | undefined;
}

/**
 * What accounts have spent, for the periods that Redis' own clock is in.
 * KEYS: sums of periods. ARGV: when each of them begins and ends, in ms; then number of the key and account of each question.
 * Answers the time in ms, then each sum; none where the time is of another period than one of the keys.
 */
const READ = readOnlyScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = {now}
for i = 1, #KEYS do
  if now < tonumber(ARGV[2 * i - 1]) or now >= tonumber(ARGV[2 * i]) then return answer end
end
for i = 2 * #KEYS + 1, #ARGV, 2 do
  table.insert(answer, redis.call('HGET', KEYS[tonumber(ARGV[i])], ARGV[i + 1]) or '0')
end
return answer
`);

/** Whose period is wrong learns the time, and asks once more. */
const ATTEMPTS = 3;

/** In the order of the questions. Rejects where Redis does not answer, or holds something else than a sum. */
export async function readSpent(parts: SpentParts, questions: readonly Question[]): Promise<readonly Spent[]> {
  const { redis, keys, clock, periodAt: periodOf = periodAt } = parts;
  if (questions.length === 0) return [];
  const frequencies = FREQUENCIES.filter((one) => questions.some(({ frequency }) => frequency === one));
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const ms = clock.now();
    const periods = frequencies.map((frequency) => periodOf(frequency, ms));
    const [now, ...sums] = (await READ.run(
      redis,
      periods.map(({ name }) => keys.spent(name)),
      [
        ...periods.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]),
        ...questions.flatMap(({ account, frequency }) => [frequencies.indexOf(frequency) + 1, account]),
      ],
    )) as [number, ...string[]];
    clock.learn(now);
    if (sums.length === 0) continue;
    return questions.map(({ account, frequency }, index) => ({
      used: sumOf(sums[index] ?? '', account),
      period: periods[frequencies.indexOf(frequency)] as Period,
    }));
  }
  throw new Error("the clock of Redis leaps: it can't be said which day it is");
}

function sumOf(text: string, account: Account): number {
  const sum = Number(text);
  if (!/^-?\d+$/.test(text)) throw new Error(`what ${account} has spent is no number in Redis`);
  return sum;
}
