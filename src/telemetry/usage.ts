import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
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
}

/** Counts what is used, off the hot path: in memory, and every 2 s in Redis. A process that is killed loses the last 2 s. */
export interface UsageRecorder {
  record(use: Use): void;
  start(): void;
  /** Writes what is counted so far. Rejects where Redis does not answer; nothing is lost by that, and nothing counted twice. */
  flush(): Promise<void>;
  /** Writes no more by itself. */
  stop(): void;
}

export interface UsageRecorderParts {
  /** Rejects at once while Redis is away. */
  readonly redis: Redis | Cluster;
  readonly keys: UsageKeys;
  /** Unlike that of any other process. */
  readonly instance: string;
  readonly log: Logger;
  readonly now?: () => number;
}

const FLUSH_EVERY_MS = 2_000;
/** Of a script: it holds Redis for about a millisecond. */
const ENTRIES_AT_ONCE = 200;

/**
 * Adds counts once, however often it is sent: an answer may be lost on its way.
 * KEYS: written, totals, subjects. ARGV: seconds to keep, number of fields of totals, then field and count of each, totals first.
 */
const COUNT = script(`
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', 600) then return 0 end
local keep, totals = ARGV[1], tonumber(ARGV[2])
for i = 3, #ARGV, 2 do
  local key = i < 3 + 2 * totals and KEYS[2] or KEYS[3]
  -- What a stranger wrote there must not stop the rest.
  redis.pcall('HINCRBY', key, ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[2], keep)
redis.call('EXPIRE', KEYS[3], keep)
return 1
`);

interface Counted extends Omit<Use, 'tokens'>, Record<UsageKind, number> {
  readonly day: string;
}

interface Batch {
  readonly id: string;
  readonly day: string;
  readonly totals: ReadonlyMap<string, number>;
  readonly subjects: ReadonlyMap<string, number>;
}

export function createUsageRecorder(parts: UsageRecorderParts): UsageRecorder {
  const { redis, keys, instance, log, now = Date.now } = parts;
  const counted = new Map<string, Counted>();
  /** Sent, and not known to be written. */
  let sending: Batch | undefined;
  let batches = 0;
  let flushing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;

  /** Of one day. */
  function nextBatch(): Batch | undefined {
    const [first] = counted.values();
    if (first === undefined) return undefined;
    const [totals, subjects] = [new Map<string, number>(), new Map<string, number>()];
    let taken = 0;
    for (const [key, entry] of counted) {
      if (taken >= ENTRIES_AT_ONCE) break;
      if (entry.day !== first.day) continue;
      taken += 1;
      counted.delete(key);
      const { subject, integration, model } = entry;
      for (const kind of USAGE_KINDS) {
        if (entry[kind] === 0) continue;
        add(totals, JSON.stringify([integration, model, kind]), entry[kind]);
        if (subject !== '') add(subjects, JSON.stringify([subject, integration, model, kind]), entry[kind]);
      }
    }
    batches += 1;
    return { id: `${instance}:${batches}`, day: first.day, totals, subjects };
  }

  async function flushAll(): Promise<void> {
    for (;;) {
      sending ??= nextBatch();
      if (sending === undefined) return;
      const { id, day, totals, subjects } = sending;
      const args = [USAGE_KEPT_DAYS * 86_400, totals.size, ...[...totals, ...subjects].flat()];
      await COUNT.run(redis, [keys.written(id), keys.totals(day), keys.subjects(day)], args);
      sending = undefined;
    }
  }

  function flush(): Promise<void> {
    flushing ??= flushAll().finally(() => {
      flushing = undefined;
    });
    return flushing;
  }

  return {
    record({ integration, model, subject, tokens }) {
      const day = dayOf(now());
      const key = JSON.stringify([day, integration, model, subject]);
      let entry = counted.get(key);
      if (entry === undefined) {
        entry = { day, integration, model, subject, calls: 0, promptTokens: 0, completionTokens: 0 };
        counted.set(key, entry);
      }
      entry.calls += 1;
      entry.promptTokens += tokens.prompt ?? 0;
      entry.completionTokens += tokens.completion ?? 0;
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
