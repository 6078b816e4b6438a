import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import type { Account } from '../limits/accounts.ts';
import { type Period, type PeriodAt, periodAt } from '../limits/periods.ts';
import { FREQUENCIES, type Frequency } from '../record-fields.ts';
import { createRedisClock, type RedisClock } from '../redis/clock.ts';
import type { UsageKeys } from '../redis/keys.ts';
import { script } from '../redis/script.ts';
import { dayOf, USAGE_KEPT_DAYS, USAGE_KINDS, type UsageKind } from './usage-days.ts';

/** One answer of a model. Several that shared one request are one each, with their shares of its tokens. */
export interface Use {
  readonly integration: string;
  readonly model: string;
  /** `USER:app:claims`; '' where nobody was asked for. */
  readonly subject: string;
  /** As Bedrock counted them; what it did not count is not counted here. */
  readonly tokens: { readonly prompt?: number | undefined; readonly completion?: number | undefined };
  /** What token limits put it down to, and how much: an estimate where Bedrock counted nothing. */
  readonly spent: { readonly accounts: readonly Account[]; readonly tokens: number };
}

/** What was kept of other answers and given in place of calls. It takes no tokens, and counts for no limit. */
export interface Hits extends Pick<Use, 'integration' | 'model' | 'subject'> {
  /** Completions, or texts, images and inputs that were embedded. */
  readonly hits: number;
}

/** Counts what is used, off the hot path: in memory, and every 2 s in Redis. A process that is killed loses the last 2 s. */
export interface UsageRecorder {
  record(use: Use): void;
  recordHits(hits: Hits): void;
  start(): void;
  /**
   * Writes what is counted so far, also what came while it was writing. Rejects where Redis does not answer; nothing is lost by
   * that, and nothing counted twice.
   */
  flush(): Promise<void>;
  /** Writes no more by itself. */
  stop(): void;
}

/** What an account has spent in each of the periods of a moment. */
export interface AccountSums {
  readonly account: Account;
  readonly sums: Readonly<Record<Frequency, { readonly used: number; readonly period: Period }>>;
}

export interface UsageRecorderParts {
  /** Rejects at once while Redis is away. */
  readonly redis: Redis | Cluster;
  readonly keys: UsageKeys;
  /** Unlike that of any other process. */
  readonly instance: string;
  readonly log: Logger;
  /** Default: a clock of its own. */
  readonly clock?: RedisClock;
  readonly periodAt?: PeriodAt;
  /** Hears what those accounts have spent that were just added to. Default: nobody does. */
  readonly onSums?: (sums: readonly AccountSums[]) => void;
}

const FLUSH_EVERY_MS = 2_000;
/** Of a script: it holds Redis for about a millisecond. */
const ENTRIES_AT_ONCE = 100;
/** How long the sums of a period outlive it. */
const SPENT_KEPT_MS = 7 * 86_400_000;

/**
 * Adds counts once, however often it is sent: an answer may be lost on its way.
 * KEYS: written, totals, subjects, then what was spent in the day, the week and the month. ARGV: seconds to keep totals and subjects;
 * when each of the others expires, in ms; number of fields of totals and of subjects; then field and count of each, totals
 * first, accounts last. Answers the time in ms, then of each account the sums of day, week and month; no sums where it was written before.
 */
const COUNT = script(`
local time = redis.call('TIME')
local answer = {tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)}
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', 600) then return answer end
local totals_end = 7 + 2 * tonumber(ARGV[5])
local subjects_end = totals_end + 2 * tonumber(ARGV[6])
-- What a stranger wrote there must not stop the rest.
local function add(key, field, count)
  local sum = redis.pcall('HINCRBY', key, field, count)
  return type(sum) == 'number' and sum or -1
end
for i = 7, subjects_end - 1, 2 do add(i < totals_end and KEYS[2] or KEYS[3], ARGV[i], ARGV[i + 1]) end
for i = subjects_end, #ARGV, 2 do
  for period = 4, 6 do table.insert(answer, add(KEYS[period], ARGV[i], ARGV[i + 1])) end
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[1])
for period = 4, 6 do redis.call('PEXPIREAT', KEYS[period], ARGV[period - 2]) end
return answer
`);

/** The day and the periods that a moment belongs to. */
interface Moment {
  readonly day: string;
  readonly periods: Readonly<Record<Frequency, Period>>;
  /** It is the moment of all times from the one to before the other. */
  readonly from: number;
  readonly until: number;
}

interface Counted extends Omit<Use, 'tokens' | 'spent'>, Record<UsageKind, number> {
  readonly moment: Moment;
  readonly accounts: readonly Account[];
  spent: number;
}

interface Batch {
  readonly id: string;
  readonly moment: Moment;
  readonly totals: ReadonlyMap<string, number>;
  readonly subjects: ReadonlyMap<string, number>;
  readonly spent: ReadonlyMap<Account, number>;
}

export function createUsageRecorder(parts: UsageRecorderParts): UsageRecorder {
  const { redis, keys, instance, log, clock = createRedisClock(), onSums = () => undefined } = parts;
  const counted = new Map<string, Counted>();
  /** Sent, and not known to be written. */
  let sending: Batch | undefined;
  let batches = 0;
  let flushing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;
  let moment: Moment | undefined;

  function momentNow(): Moment {
    const ms = clock.now();
    if (moment === undefined || ms < moment.from || ms >= moment.until)
      moment = momentOf(ms, parts.periodAt ?? periodAt);
    return moment;
  }

  /** Of one moment. */
  function nextBatch(): Batch | undefined {
    const [first] = counted.values();
    if (first === undefined) return undefined;
    const [totals, subjects, spent] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
    let taken = 0;
    for (const [key, entry] of counted) {
      if (taken >= ENTRIES_AT_ONCE) break;
      if (entry.moment !== first.moment) continue;
      taken += 1;
      counted.delete(key);
      const { subject, integration, model } = entry;
      for (const kind of USAGE_KINDS) {
        if (entry[kind] === 0) continue;
        add(totals, JSON.stringify([integration, model, kind]), entry[kind]);
        if (subject !== '') add(subjects, JSON.stringify([subject, integration, model, kind]), entry[kind]);
      }
      if (entry.spent > 0) for (const account of entry.accounts) add(spent, account, entry.spent);
    }
    batches += 1;
    return { id: `${instance}:${batches}`, moment: first.moment, totals, subjects, spent };
  }

  async function write({ id, moment, totals, subjects, spent }: Batch): Promise<void> {
    const periods = FREQUENCIES.map((frequency) => moment.periods[frequency]);
    const [now = 0, ...sums] = (await COUNT.run(
      redis,
      [
        ...[keys.written(id), keys.totals(moment.day), keys.subjects(moment.day)],
        ...periods.map(({ name }) => keys.spent(name)),
      ],
      [
        USAGE_KEPT_DAYS * 86_400,
        ...periods.map(({ endsAt }) => endsAt + SPENT_KEPT_MS),
        ...[totals.size, subjects.size],
        ...[...totals, ...subjects, ...spent].flat(),
      ],
    )) as number[];
    clock.learn(now);
    if (sums.length > 0) onSums(sumsOf(moment, [...spent.keys()], sums));
  }

  /** What is there now, and no more: whoever waits for it need not wait for what others count meanwhile. */
  async function writeAll(): Promise<void> {
    let left = counted.size;
    for (;;) {
      if (sending === undefined) {
        if (left <= 0) return;
        const before = counted.size;
        sending = nextBatch();
        left -= before - counted.size;
      }
      if (sending === undefined) return;
      await write(sending);
      sending = undefined;
    }
  }

  function begin(): Promise<void> {
    const run = writeAll().finally(() => {
      if (flushing === run) flushing = undefined;
    });
    flushing = run;
    return run;
  }

  /** What came after a run had begun goes with the next, which all share who ask meanwhile. */
  function flush(): Promise<void> {
    if (flushing === undefined) return begin();
    next ??= flushing
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return flush();
      });
    return next;
  }

  function entryOf(of: Pick<Use, 'integration' | 'model' | 'subject'>, accounts: readonly Account[]): Counted {
    const { integration, model, subject } = of;
    const moment = momentNow();
    const key = JSON.stringify([moment.from, integration, model, subject, ...accounts]);
    const known = counted.get(key);
    if (known !== undefined) return known;
    const none = { calls: 0, promptTokens: 0, completionTokens: 0, cacheHits: 0, spent: 0 };
    const entry = { moment, integration, model, subject, accounts, ...none };
    counted.set(key, entry);
    return entry;
  }

  return {
    record(use) {
      const { tokens, spent } = use;
      const entry = entryOf(use, spent.accounts);
      entry.calls += 1;
      entry.promptTokens += tokens.prompt ?? 0;
      entry.completionTokens += tokens.completion ?? 0;
      entry.spent += spent.tokens;
    },
    recordHits(of) {
      if (of.hits > 0) entryOf(of, []).cacheHits += of.hits;
    },
    start() {
      timer ??= setInterval(() => {
        flush().then(
          () => {
            failing = false;
          },
          (error: unknown) => {
            if (!failing) log.warn({ reason: messageOf(error) }, 'Usage is not written to Redis; trying again');
            failing = true;
          },
        );
      }, FLUSH_EVERY_MS).unref();
    },
    flush,
    stop: () => clearInterval(timer),
  };
}

function add(counts: Map<string, number>, field: string, count: number): void {
  counts.set(field, (counts.get(field) ?? 0) + count);
}

function momentOf(ms: number, periodOf: PeriodAt): Moment {
  const periods = {
    daily: periodOf('daily', ms),
    weekly: periodOf('weekly', ms),
    monthly: periodOf('monthly', ms),
  };
  const all = [...Object.values(periods), periodAt('daily', ms)];
  return {
    ...{ day: dayOf(ms), periods },
    from: Math.max(...all.map(({ startsAt }) => startsAt)),
    until: Math.min(...all.map(({ endsAt }) => endsAt)),
  };
}

/** `sums`: of each account those of its day, week and month. -1: what stands there is no number. */
function sumsOf({ periods }: Moment, accounts: readonly Account[], sums: readonly number[]): AccountSums[] {
  const read = (index: number, frequency: Frequency) => ({
    used: sums[index + FREQUENCIES.indexOf(frequency)] ?? -1,
    period: periods[frequency],
  });
  return accounts.map((account, index) => ({
    account,
    sums: {
      daily: read(index * FREQUENCIES.length, 'daily'),
      weekly: read(index * FREQUENCIES.length, 'weekly'),
      monthly: read(index * FREQUENCIES.length, 'monthly'),
    },
  }));
}
