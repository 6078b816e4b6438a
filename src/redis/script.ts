import { createHash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';

/** A Lua script that Redis keeps after its first run. */
export interface Script {
  /** Every key that the script touches is in `keys`; on Cluster they share a hash tag. Rejects as any command does. */
  run(redis: Redis | Cluster, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

export function script(lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex');
  return {
    async run(redis, keys, args) {
      try {
        return await redis.evalsha(sha, keys.length, ...keys, ...args);
      } catch (error) {
        // A Redis that was restarted, or failed over, has forgotten its scripts; this one did not run.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return await redis.eval(lua, keys.length, ...keys, ...args);
      }
    },
  };
}
