import { createHash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';

/** A Lua script that Redis keeps after its first run. */
export interface Script {
  /** Every key that the script touches is in `keys`; on Cluster they share a hash tag. Rejects as any command does. */
  run(redis: Redis | Cluster, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

/** One that may run in a transaction, too. */
export interface TransactionScript extends Script {
  /** As the whole of a transaction: undefined, and it did not run, where a key under WATCH has changed. */
  runWatched(redis: Redis | Cluster, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

/** Connections whose Redis does not know scripts that only read: it is older than 7. */
const withoutReadOnly = new WeakSet<Redis | Cluster>();

export function script(lua: string): TransactionScript {
  const sha = shaOf(lua);
  return {
    // Arguments as a list: a large change has more than a JavaScript function takes.
    async run(redis, keys, args) {
      try {
        return await redis.call('evalsha', [sha, keys.length, ...keys, ...args]);
      } catch (error) {
        // A Redis that was restarted, or failed over, has forgotten its scripts; this one did not run.
        if (!isReply(error, 'NOSCRIPT')) throw error;
        return await redis.call('eval', [lua, keys.length, ...keys, ...args]);
      }
    },
    // Whole, since a transaction cannot ask again for a script that Redis has forgotten.
    async runWatched(redis, keys, args) {
      const replies = await redis
        .multi()
        .call('eval', [lua, keys.length, ...keys, ...args])
        .exec();
      const [error, reply] = replies?.[0] ?? [null, undefined];
      if (error !== null) throw error;
      return reply;
    },
  };
}

/**
 * A script that only reads, run so that a user needs no right to write its keys: to EVAL, Redis takes every key for one that
 * may be written (EVAL_RO, since Redis 7; older ones know no rights to read alone either).
 */
export function readOnlyScript(lua: string): Script {
  const sha = shaOf(lua);
  const other = script(lua);
  return {
    async run(redis, keys, args) {
      if (withoutReadOnly.has(redis)) return await other.run(redis, keys, args);
      try {
        return await redis.evalsha_ro(sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (isReply(error, 'NOSCRIPT')) return await redis.eval_ro(lua, keys.length, ...keys, ...args);
        if (!isReply(error, 'ERR unknown command')) throw error;
        withoutReadOnly.add(redis);
        return await other.run(redis, keys, args);
      }
    },
  };
}

function shaOf(lua: string): string {
  return createHash('sha1').update(lua).digest('hex');
}

function isReply(error: unknown, start: string): boolean {
  return error instanceof Error && error.message.startsWith(start);
}
