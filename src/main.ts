/** The composition root: the one place that reads `process.env`, hears signals and opens connections. */
import type { Cluster, Redis } from 'ioredis';
import { type Config, parseConfig } from './config.ts';
import { messageOf, ServiceError } from './errors.ts';
import { openCluster, openRedis } from './redis/connect.ts';
import { createLog } from './telemetry/log.ts';
import { startWorker } from './workers/worker.ts';

/** The role `worker`: runs until SIGTERM or SIGINT, then drains. Resolves to the exit code. */
export async function runWorker(): Promise<number> {
  const config = parseConfig(process.env);
  const log = createLog(config.logLevel);
  // From the first moment, so that a signal during the start is not lost; a second one ends at once.
  const signal = firstSignal(() => {
    log.warn('A second signal: ending at once; the timeouts of Conductor bring back what was held');
    process.exit(1);
  });
  const redis = config.redis.cluster
    ? openCluster(config.redis, 'bedrock-cohere', log)
    : openRedis(config.redis, 'bedrock-cohere', log);
  const ears = config.redis.cluster
    ? undefined
    : openRedis(config.redis, 'bedrock-cohere-ears', log, { protocol: 2, autoResubscribe: false });
  let worker: Awaited<ReturnType<typeof startWorker>>;
  try {
    worker = await startWorker({ config, log, redis, ears, variables: process.env });
  } catch (error) {
    throw startFault(error, config);
  }
  log.info({ signal: await signal }, 'A signal to stop');
  return (await worker.stop()) ? 0 : 1;
}

/** One-shot commands: a connection that either opens or says in one line that it does not. */
export async function withRedis<T>(use: (redis: Redis | Cluster, config: Config) => Promise<T>): Promise<T> {
  const config = parseConfig(process.env);
  const silent = createLog('silent');
  const redis = config.redis.cluster
    ? openCluster(config.redis, 'bedrock-cohere-cli', silent)
    : openRedis(config.redis, 'bedrock-cohere-cli', silent, { retryStrategy: () => null });
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    const address = config.redis.url.replaceAll(/\/\/[^@/]*@/g, '//');
    throw new ServiceError('UNREACHABLE', `Redis at ${address} cannot be reached (REDIS_URL): ${messageOf(error)}`, {
      cause: error,
    });
  }
  try {
    return await use(redis, config);
  } finally {
    redis.disconnect();
  }
}

/** For secrets written as `env:NAME`, where a command has to open them. */
export function environmentVariables(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

function firstSignal(onSecond: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let heard = false;
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        if (heard) return onSecond();
        heard = true;
        resolve(name);
      });
    }
  });
}

function startFault(error: unknown, config: Config): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
  const message = `Port ${config.httpPort} is taken: choose another with HTTP_PORT (0 for any free one)`;
  return new ServiceError('CONFIG_INVALID', message, { cause: error });
}
