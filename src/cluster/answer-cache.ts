import type { Cluster, Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Snapshot } from '../catalog/snapshot.ts';
import { messageOf } from '../errors.ts';
import { inTime } from '../in-time.ts';
import { type AnswerCache, type AnswerPlace, digestOfRecords } from '../integrations/answer-cache.ts';
import { createRedisClock } from '../redis/clock.ts';
import type { AnswerKeys, KeyNames } from '../redis/keys.ts';
import { script } from '../redis/script.ts';

/** A look that takes longer is given up: the call is made. */
const FIND_WITHIN_MS = 250;
/** Answers on their way to Redis, in characters of JSON; beyond that none more is kept. */
const UNDER_WAY_AT_MOST = 32_000_000;
/** One that is larger is not kept. */
const CHARACTERS_AT_MOST = 1_000_000;
/** Models of which this process watches the records. Others are told apart by the digest of their records alone. */
const WATCHED = 1_000;

/** Of milliseconds: when an entry expires, before its JSON. */
const EXPIRY_DIGITS = 13;
/** Entries that one script drops at most: each takes Redis some 10 to 50 µs, in which it does nothing else. */
const DROPPED_AT_ONCE = 500;

/** Of an entry's JSON, besides it: its expiry, and about what Redis takes for an entry. */
const BYTES_BESIDE = EXPIRY_DIGITS + 200;

/**
 * Makes room for answers that are written next, and counts them.
 * KEYS: values, expiries. ARGV: digest of the records, ms to keep, bytes to keep at most, entries to drop at most, when the answers
 * expire, then digest and bytes of each. What was kept under other records goes; then what has expired; then, where there is no
 * room for what comes, the oldest. What finds no room even so is not counted.
 */
const MAKE_ROOM = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if redis.call('HGET', KEYS[1], 'records') ~= ARGV[1] then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'records', ARGV[1])
end
local bytes = tonumber(redis.call('HGET', KEYS[1], 'bytes') or '0')
local at_most, may_drop = tonumber(ARGV[3]), tonumber(ARGV[4])
local function drop(digest)
  bytes = bytes - redis.call('HSTRLEN', KEYS[1], digest) - 200
  redis.call('HDEL', KEYS[1], digest)
  redis.call('ZREM', KEYS[2], digest)
end
local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, may_drop)
for _, digest in ipairs(expired) do drop(digest) end
may_drop = may_drop - #expired
local fresh = 0
for i = 6, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then drop(ARGV[i]) end
  local size = tonumber(ARGV[i + 1])
  if fresh + size <= at_most then fresh = fresh + size end
end
while bytes > 0 and bytes + fresh > at_most and may_drop > 0 do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, math.min(may_drop, 50) - 1)
  if #oldest == 0 then
    -- Somebody took entries out by hand: what is summed up is not there.
    redis.call('UNLINK', KEYS[1])
    redis.call('HSET', KEYS[1], 'records', ARGV[1])
    bytes = 0
    break
  end
  for _, digest in ipairs(oldest) do
    if bytes + fresh <= at_most then break end
    drop(digest)
    may_drop = may_drop - 1
  end
end
for i = 6, #ARGV, 2 do
  local size = tonumber(ARGV[i + 1])
  if bytes + size <= at_most then
    redis.call('ZADD', KEYS[2], ARGV[5], ARGV[i])
    bytes = bytes + size
  end
end
redis.call('HSET', KEYS[1], 'bytes', bytes)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
`;

/** Takes out what was not counted. KEYS: values, expiries. ARGV: digests. */
const TRIM = `
for _, digest in ipairs(ARGV) do
  if type(redis.pcall('ZSCORE', KEYS[2], digest)) ~= 'string' then redis.call('HDEL', KEYS[1], digest) end
end
`;

/** KEYS: values, expiries. ARGV: digest of the records as they are now, '' where there are none. */
const FORGET = script(`
local kept = redis.call('HGET', KEYS[1], 'records')
if kept and kept ~= ARGV[1] then redis.call('UNLINK', KEYS[1], KEYS[2]) end
`);

export interface AnswerCacheParts {
  /** Rejects at once while Redis is away. */
  readonly redis: Redis | Cluster;
  readonly names: Pick<KeyNames, 'answers'>;
  readonly log: Logger;
}

/** Answers kept in Redis, those of each model by themselves: bounded in time and size, and gone with the records they were made under. */
export interface SharedAnswers extends AnswerCache {
  /** Throws away what was kept under records that are not those of this snapshot; from now on keeps nothing under others. */
  look(snapshot: Snapshot): void;
  /** Resolves once what is under way is written, or was refused. */
  settled(): Promise<void>;
}

export function createAnswerCache({ redis, names, log }: AnswerCacheParts): SharedAnswers {
  const watched = new LRUCache<string, AnswerPlace>({ max: WATCHED });
  const writing = new Set<Promise<unknown>>();
  /** What was looked at last. */
  let latest: Snapshot | undefined;
  const clock = createRedisClock();
  let underWay = 0;
  // Each by itself: a Redis that is full still answers looks.
  const looked = reporting('Redis gives no answers back: models are called for all of them');
  const kept = reporting('Redis keeps no more answers: models are called for what it does not have');

  function keysOf(place: AnswerPlace): AnswerKeys {
    const name = nameOf(place);
    watched.set(name, place);
    return names.answers(name);
  }

  /** Says it once, until it goes well again. */
  function reporting(message: string): (error?: unknown) => void {
    let failing = false;
    return (error) => {
      if (error !== undefined && !failing) log.warn({ reason: messageOf(error) }, message);
      failing = error !== undefined;
    };
  }

  function write(promise: Promise<unknown>): void {
    const written = promise.then(() => kept(), kept).finally(() => writing.delete(written));
    writing.add(written);
  }

  /** In one step. Values go around Lua, which would hold Redis fifty times as long for them. */
  async function writeAll(
    { values, expiries }: AnswerKeys,
    answers: readonly (readonly [digest: string, json: string])[],
    [records, ttlMs, bytesAtMost]: readonly [string, number, number],
  ): Promise<void> {
    const expires = clock.now() + ttlMs;
    const sizes = answers.flatMap(([digest, json]) => [digest, Buffer.byteLength(json) + BYTES_BESIDE]);
    const texts = answers.flatMap(([digest, json]) => [digest, `${expires}`.padStart(EXPIRY_DIGITS, '0') + json]);
    const replies = await redis
      .multi()
      .call('eval', [MAKE_ROOM, 2, values, expiries, records, ttlMs, bytesAtMost, DROPPED_AT_ONCE, expires, ...sizes])
      .call('hset', [values, ...texts])
      .call('eval', [TRIM, 2, values, expiries, ...answers.map(([digest]) => digest)])
      .exec()
      .catch((error: unknown) => {
        throw refusalIn(error);
      });
    for (const [error] of replies ?? []) if (error !== null) throw error;
  }

  return {
    async find(place, digests) {
      try {
        // No script: to take values through Lua holds Redis fifty times as long.
        const asked = Promise.all([redis.hmget(keysOf(place).values, 'records', ...digests), redis.time()]);
        const [[records, ...found], [seconds, micros]] = await inTime(asked, FIND_WITHIN_MS);
        looked();
        const now = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
        clock.learn(now);
        return digests.map((_, index) => (records === place.records ? parsed(found[index], now) : undefined));
      } catch (error) {
        looked(error);
        return undefined;
      }
    },
    keep(place, { ttlSeconds, maxMegabytes }, answers) {
      // One that was long under way: it would throw away what others have kept since, under the records of now.
      if (latest !== undefined && recordsOf(latest, place) !== place.records) return;
      const texts = answers.map(({ digest, value }) => [digest, JSON.stringify(value)] as const);
      const small = texts.filter(([, text]) => text.length <= CHARACTERS_AT_MOST);
      const size = small.reduce((sum, [, text]) => sum + text.length, 0);
      if (small.length === 0 || underWay + size > UNDER_WAY_AT_MOST) return;
      underWay += size;
      write(
        writeAll(keysOf(place), small, [place.records, ttlSeconds * 1_000, maxMegabytes * 1_000_000]).finally(() => {
          underWay -= size;
        }),
      );
    },
    look(snapshot) {
      latest = snapshot;
      // A copy: one that is set while they are gone through would lead back to its beginning.
      for (const [name, place] of [...watched.entries()]) {
        const records = recordsOf(snapshot, place);
        if (records === place.records) continue;
        if (records === '') watched.delete(name);
        else watched.set(name, { ...place, records });
        const { values, expiries } = names.answers(name);
        write(FORGET.run(redis, [values, expiries], [records]));
      }
    },
    async settled() {
      while (writing.size > 0) await Promise.all(writing);
    },
  };
}

/** An integration's name has no colon. */
function nameOf({ integration, model }: AnswerPlace): string {
  return `${integration}:${model}`;
}

function recordsOf(snapshot: Snapshot, { integration, model }: AnswerPlace): string {
  const [at, of] = [snapshot.integration(integration), snapshot.model(integration, model)];
  if (at.kind !== 'found' || of.kind !== 'found') return '';
  return digestOfRecords(of.record, at.record.configuration);
}

/** A transaction that was discarded says of itself only that it was; what Redis refused in it says why. */
function refusalIn(error: unknown): unknown {
  const refused = error instanceof Error && 'previousErrors' in error ? error.previousErrors : [];
  return Array.isArray(refused) ? (refused[0] ?? error) : error;
}

/** Undefined for one that has expired. */
function parsed(text: string | null | undefined, now: number): unknown {
  if (text === null || text === undefined || !(Number(text.slice(0, EXPIRY_DIGITS)) > now)) return undefined;
  try {
    return JSON.parse(text.slice(EXPIRY_DIGITS));
  } catch {
    return undefined;
  }
}
