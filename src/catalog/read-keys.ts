import type { Cluster, Redis } from 'ioredis';
import { scanKeys } from '../redis/connect.ts';
import { HASH_KINDS, type KeyNames } from '../redis/keys.ts';

/** What one key of the catalog holds: a hash (field → JSON or access), a set of members, or something it should not. */
export type KeyContent =
  | { readonly kind: 'hash'; readonly fields: Readonly<Record<string, string>> }
  | { readonly kind: 'set'; readonly members: readonly string[] }
  | { readonly kind: 'wrong'; readonly message: string };

/** How many keys one transaction reads: bounded, so that Redis and our event loop stay free for others. */
const KEYS_PER_READ = 200;

/**
 * Reads keys of the catalog, at most 200 at one moment of Redis: what one change wrote together is seen together.
 * `underWatch`: without a transaction of its own, which would end the WATCH that guards the keys. Rejects when Redis
 * cannot be reached.
 */
export async function readKeys(
  redis: Redis | Cluster,
  names: KeyNames,
  keys: readonly string[],
  { underWatch = false } = {},
): Promise<Map<string, KeyContent>> {
  const contents = new Map<string, KeyContent>();
  for (let start = 0; start < keys.length; start += KEYS_PER_READ) {
    const page = keys.slice(start, start + KEYS_PER_READ);
    const reads = underWatch ? redis.pipeline() : redis.multi();
    for (const key of page) {
      if (names.parse(key)?.kind === 'members') reads.smembers(key);
      else reads.hgetall(key);
    }
    const replies = await reads.exec();
    if (replies === null) throw new Error('Redis discarded the transaction that reads the catalog');
    for (const [index, [error, reply]] of replies.entries()) contents.set(page[index] ?? '', contentOf(error, reply));
  }
  return contents;
}

/** Every key of the catalog that exists now, and every hash of records, whether it exists or not. */
export async function listKeys(redis: Redis | Cluster, names: KeyNames): Promise<string[]> {
  const families = await Promise.all(names.familyPatterns.map((pattern) => scanKeys(redis, pattern)));
  return [...HASH_KINDS.map((kind) => names.hash(kind)), ...families.flat()];
}

function contentOf(error: Error | null, reply: unknown): KeyContent {
  if (error !== null && !error.message.startsWith('WRONGTYPE')) throw error;
  if (error !== null) return { kind: 'wrong', message: 'holds another Redis type than the contract says' };
  if (Array.isArray(reply)) return { kind: 'set', members: reply as string[] };
  return { kind: 'hash', fields: reply as Record<string, string> };
}
