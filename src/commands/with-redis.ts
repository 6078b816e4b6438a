import type { Cluster, Redis } from 'ioredis';
import { type Config, parseConfig } from '../config.ts';
import { messageOf, ServiceError } from '../errors.ts';
import { inTime } from '../in-time.ts';
import { refusalOf } from '../redis/answered.ts';
import { openCluster, openRedis } from '../redis/connect.ts';
import { type KeyNames, keyNames } from '../redis/keys.ts';
import { parseRedisUrl } from '../redis/url.ts';
import { createLog } from '../telemetry/log.ts';

/** The environment. */
export type Variables = Readonly<Record<string, string | undefined>>;

export interface Installation {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly config: Config;
}

/**
 * For one-shot commands: a connection that either opens or says in one line that it does not, closed again when they are
 * done. Throws CONFIG_INVALID, and UNREACHABLE with where Redis is and never its password.
 */
export async function withRedis<T>(variables: Variables, use: (installation: Installation) => Promise<T>): Promise<T> {
  const config = parseConfig(variables);
  const log = createLog('silent');
  const redis = config.redis.cluster
    ? openCluster(config.redis, 'bedrock-cohere-cli', log)
    : openRedis(config.redis, 'bedrock-cohere-cli', log, {
        retryStrategy: () => null,
        sentinelRetryStrategy: () => null,
      });
  // ioredis rejects with "Connection is closed."; why it was closed comes only as an event.
  let reason: unknown;
  redis.on('error', (error) => {
    reason ??= error;
  });
  try {
    await inTime(redis.connect(), CONNECT_TIMEOUT_MS);
    // One dead node among several is an event, too; only a connection that was given up is a failure.
    if (redis.status !== 'ready') throw reason;
  } catch (error) {
    redis.disconnect();
    throw unreachableRedis(config, reason ?? error);
  }
  try {
    return await use({ redis, names: keyNames(config.redis.prefix), config });
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw redis.status === 'ready' ? refusedByRedis(error) : unreachableRedis(config, error);
  } finally {
    redis.disconnect();
  }
}

function unreachableRedis(config: Config, cause: unknown): ServiceError {
  // Only where it is: the rest of the URL may be a password.
  const nodes = parseRedisUrl(config.redis.url).nodes.map(({ host, port }) => `${host}:${port}`);
  const message = `Redis at ${nodes.join(', ')} cannot be reached (REDIS_URL): ${describeNetworkError(cause)}`;
  return new ServiceError('UNREACHABLE', message, { cause });
}

/** Redis' own words, without the commands that ioredis hangs on its errors: their arguments may be secrets. */
function refusedByRedis(error: unknown): unknown {
  const refusal = refusalOf(error);
  return refusal === undefined ? error : new ServiceError('UNREACHABLE', `Redis refuses (REDIS_URL): ${refusal}`);
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Node gathers what went wrong with several addresses in an error without words of its own. */
function describeNetworkError(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  return messageOf(inner) || (inner as NodeJS.ErrnoException).code || 'no answer';
}
