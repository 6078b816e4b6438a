import type { Cluster, Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { KeyNames } from '../redis/keys.ts';

/** Which workflow instance a token is for that was made for a single one (`once`). */
export interface TokenPins {
  /**
   * The instance that a token is for: this one, unless another used it before. Settled for good: Redis is asked once.
   * `expiresAt` in milliseconds: nobody asks after that. Rejects when Redis does not answer.
   */
  pin(jti: string, workflowInstanceId: string, expiresAt: number): Promise<string>;
}

const REMEMBERED = 10_000;

export function createTokenPins({
  redis,
  names,
}: {
  readonly redis: Redis | Cluster;
  readonly names: Pick<KeyNames, 'tokenPin'>;
}): TokenPins {
  const known = new LRUCache<string, string>({ max: REMEMBERED });
  return {
    async pin(jti, workflowInstanceId, expiresAt) {
      const before = known.get(jti);
      if (before !== undefined) return before;
      const key = names.tokenPin(jti);
      const seconds = Math.max(1, Math.ceil((expiresAt - Date.now()) / 1_000));
      const isFirst = (await redis.set(key, workflowInstanceId, 'EX', seconds, 'NX')) === 'OK';
      const pinned = isFirst ? workflowInstanceId : await redis.get(key);
      if (pinned === null) throw new Error('a token that is for one workflow ran out while it was looked at');
      known.set(jti, pinned);
      return pinned;
    },
  };
}
