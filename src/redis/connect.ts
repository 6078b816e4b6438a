import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import { parseRedisUrl, type RedisEndpoint } from './url.ts';

/** Replies keep the form that RESP2 has, whatever the protocol. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

export interface RedisTarget {
  /** See `url.ts` for its forms. */
  readonly url: string;
  readonly cluster: boolean;
}

/** Waits between attempts to connect, growing and jittered, at most 5 s. */
export function reconnectDelay(attempt: number): number {
  const full = Math.min(5_000, 50 * 2 ** Math.min(attempt, 10));
  return Math.round(full * (0.5 + Math.random() / 2));
}

const DEFAULTS = {
  lazyConnect: true,
  connectTimeout: 5_000,
  // A command waits for the connection to come back no longer than this many attempts: callers decide what to do then.
  maxRetriesPerRequest: 2,
  retryStrategy: reconnectDelay,
  keepAlive: 5_000,
  // A Redis that takes commands and never answers is as good as away.
  commandTimeout: 15_000,
  // Nobody needs CLIENT SETINFO, and no rule of an ACL can allow it that a Redis before 7.2 takes, too.
  disableClientInfo: true,
} as const satisfies ConnectionOptions;

/** For what replicas share: a command that can't be sent now, or is not answered soon, is of no use later. */
export const RUNTIME_CONNECTION = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: 2_000,
} as const satisfies ConnectionOptions;

/**
 * For who writes records: a write whose confirmation was lost is not sent again by itself. It would find its own as somebody
 * else's, and say that nothing was written. Who asked is told as soon as the connection is lost.
 */
export const WRITING_CONNECTION = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
} as const satisfies ConnectionOptions;

/**
 * A connection that is not opened yet: call `connect()`. `name` shows in CLIENT LIST. Errors are logged at warn, each
 * kind once until the connection is up again, since ioredis emits one for every attempt.
 */
export function openRedis(target: RedisTarget, name: string, log: Logger, options: ConnectionOptions = {}): Redis {
  const all: ConnectionOptions = { ...DEFAULTS, ...endpointOf(target.url), connectionName: name, ...options };
  return reported(new Redis(all), name, log);
}

/** The same for a cluster; of the options those that its nodes take. */
export function openCluster(target: RedisTarget, name: string, log: Logger, options: ConnectionOptions = {}): Cluster {
  const { nodes, tls, ...endpoint } = parseRedisUrl(target.url);
  const cluster = new Cluster([...nodes], {
    lazyConnect: true,
    clusterRetryStrategy: reconnectDelay,
    // The queue of a cluster knows no deadline, and disconnecting amid a reconnect does not empty it: what waits there may never settle.
    enableOfflineQueue: false,
    // A cluster runs a command anew whose connection was lost, done or not, unless this is 0.
    ...(options.autoResendUnfulfilledCommands === false ? { retryDelayOnFailover: 0 } : {}),
    redisOptions: {
      connectTimeout: DEFAULTS.connectTimeout,
      keepAlive: DEFAULTS.keepAlive,
      commandTimeout: DEFAULTS.commandTimeout,
      disableClientInfo: DEFAULTS.disableClientInfo,
      ...credentialsOf(endpoint),
      ...(tls ? { tls: {} } : {}),
      connectionName: name,
      ...options,
    },
  });
  return reported(cluster, name, log);
}

/** Either of them, as the target is. */
export function openConnection(
  target: RedisTarget,
  name: string,
  log: Logger,
  options: ConnectionOptions = {},
): Redis | Cluster {
  return target.cluster ? openCluster(target, name, log, options) : openRedis(target, name, log, options);
}

function endpointOf(url: string): ConnectionOptions {
  const { kind, nodes, master, database, tls, ...endpoint } = parseRedisUrl(url);
  const [first] = nodes;
  const where: ConnectionOptions =
    kind === 'sentinel'
      ? { sentinels: [...nodes], name: master, sentinelRetryStrategy: reconnectDelay }
      : { ...first, ...(tls ? { tls: { servername: first?.host ?? '' } } : {}) };
  return { ...where, ...credentialsOf(endpoint), ...(database === undefined ? {} : { db: database }) };
}

function credentialsOf({ username, password }: Pick<RedisEndpoint, 'username' | 'password'>) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

function reported<T extends Redis | Cluster>(connection: T, name: string, log: Logger): T {
  const said = new Set<string>();
  connection.on('error', (error: Error) => {
    if (/DB index is out of range|invalid DB index/i.test(error.message)) {
      // ioredis would go on in database 0, which holds other records, or somebody else's.
      log.error(
        { connection: name, reason: error.message },
        'The database of REDIS_URL does not exist; giving up on Redis',
      );
      connection.disconnect();
      return;
    }
    const reason = (error as NodeJS.ErrnoException).code ?? error.message;
    if (said.has(reason)) return;
    said.add(reason);
    log.warn({ connection: name, reason: error.message || reason }, 'Redis does not answer; trying again');
  });
  connection.on('ready', () => {
    if (said.size > 0) log.info({ connection: name }, 'Redis answers again');
    said.clear();
  });
  return connection;
}

/** All keys that match, in no order, each once. */
export async function scanKeys(redis: Redis | Cluster, pattern: string): Promise<string[]> {
  const keys = new Set<string>();
  for await (const page of scanPages(redis, pattern)) for (const key of page) keys.add(key);
  return [...keys];
}

/** The same page by page; a key may be in two. On Cluster the catalog's hash tag keeps them on one node; all are asked. */
export async function* scanPages(redis: Redis | Cluster, pattern: string): AsyncGenerator<readonly string[]> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis];
  // Nobody was asked: that is not to find nothing.
  if (nodes.length === 0) throw new Error('no node of the Redis Cluster is connected');
  for (const node of nodes) {
    let cursor = '0';
    do {
      const [next, page] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
      yield page;
      cursor = next;
    } while (cursor !== '0');
  }
}
