import type { Cluster, Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Snapshot } from '../catalog/snapshot.ts';
import { messageOf } from '../errors.ts';
import { inTime } from '../in-time.ts';
import { type AnswerCache, type AnswerPlace, digestOfRecords } from '../integrations/answer-cache.ts';
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

const NOW = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;

/** KEYS: values. ARGV: digest of the records, then of each answer. Answers JSON, or false, of each; nothing at all where the records are others. */
const FIND = script(`
if redis.call('HGET', KEYS[1], 'records') ~= ARGV[1] then return {} end
${NOW}
local found = redis.call('HMGET', KEYS[1], unpack(ARGV, 2))
for i = 1, #found do
  local expires = tonumber(string.sub(found[i] or "", 1, 13))
  found[i] = expires ~= nil and expires > now and string.sub(found[i], 14)
end
return found
`);

/**
 * KEYS: values, expiries. ARGV: digest of the records, ms to keep, bytes to keep at most, then digest and JSON of each answer.
 * What was kept under other records goes; then what has expired; then, where it is too much, the oldest. 200: about what an
 * entry takes beside its value.
 */
const KEEP = script(`
${NOW}
if redis.call('HGET', KEYS[1], 'records') ~= ARGV[1] then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'records', ARGV[1])
end
local bytes = tonumber(redis.call('HGET', KEYS[1], 'bytes') or '0')
local function drop(digest)
  bytes = bytes - redis.call('HSTRLEN', KEYS[1], digest) - 200
  redis.call('HDEL', KEYS[1], digest)
  redis.call('ZREM', KEYS[2], digest)
end
for _, digest in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 500)) do drop(digest) end
local expires = now + tonumber(ARGV[2])
for i = 4, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then drop(ARGV[i]) end
  local value = string.format('%013d', expires) .. ARGV[i + 1]
  redis.call('HSET', KEYS[1], ARGV[i], value)
  redis.call('ZADD', KEYS[2], expires, ARGV[i])
  bytes = bytes + #value + 200
end
while bytes > tonumber(ARGV[3]) do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)
  if #oldest == 0 then break end
  drop(oldest[1])
end
redis.call('HSET', KEYS[1], 'bytes', bytes)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return bytes
`);

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
  /** Throws away what was kept under records that are not those of this snapshot. */
  look(snapshot: Snapshot): void;
  /** Resolves once what is under way is written, or was refused. */
  settled(): Promise<void>;
}

export function createAnswerCache({ redis, names, log }: AnswerCacheParts): SharedAnswers {
  const watched = new LRUCache<string, AnswerPlace>({ max: WATCHED });
  const writing = new Set<Promise<unknown>>();
  let underWay = 0;
  let failing = false;

  function keysOf(place: AnswerPlace): AnswerKeys {
    const name = nameOf(place);
    watched.set(name, place);
    return names.answers(name);
  }

  function ended(error?: unknown): void {
    if (error !== undefined && !failing) {
      log.warn({ reason: messageOf(error) }, 'Redis keeps no answers: models are called for all of them');
    }
    failing = error !== undefined;
  }

  function write(promise: Promise<unknown>): void {
    const written = promise.then(() => ended(), ended).finally(() => writing.delete(written));
    writing.add(written);
  }

  return {
    async find(place, digests) {
      try {
        const asked = FIND.run(redis, [keysOf(place).values], [place.records, ...digests]);
        const found = (await inTime(asked, FIND_WITHIN_MS)) as readonly (string | null)[];
        ended();
        return digests.map((_, index) => parsed(found[index]));
      } catch (error) {
        ended(error);
        return digests.map(() => undefined);
      }
    },
    keep(place, { ttlSeconds, maxMegabytes }, answers) {
      const texts = answers.map(({ digest, value }) => [digest, JSON.stringify(value)] as const);
      const small = texts.filter(([, text]) => text.length <= CHARACTERS_AT_MOST);
      const size = small.reduce((sum, [, text]) => sum + text.length, 0);
      if (small.length === 0 || underWay + size > UNDER_WAY_AT_MOST) return;
      underWay += size;
      const { values, expiries } = keysOf(place);
      const terms = [place.records, ttlSeconds * 1_000, maxMegabytes * 1_000_000];
      write(
        KEEP.run(redis, [values, expiries], [...terms, ...small.flat()]).finally(() => {
          underWay -= size;
        }),
      );
    },
    look(snapshot) {
      for (const [name, place] of watched.entries()) {
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

function parsed(text: string | null | undefined): unknown {
  if (text === null || text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
