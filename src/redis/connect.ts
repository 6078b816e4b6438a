import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';

/** Replies keep the form that RESP2 has, whatever the protocol. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

export interface RedisTarget {
  /** `redis://`, `rediss://`, `redis+sentinel://user:password@host:port,host:port/master-name[/db]`, `redis+cluster://`, or nodes separated by commas. */
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
} as const satisfies ConnectionOptions;

/**
 * A connection that is not opened yet: call `connect()`. `name` shows in CLIENT LIST. Errors are logged at warn, each
 * kind once until the connection is up again, since ioredis emits one for every attempt.
 */
export function openRedis(target: RedisTarget, name: string, log: Logger, options: ConnectionOptions = {}): Redis {
  const all: ConnectionOptions = { ...DEFAULTS, ...endpointOf(target.url), connectionName: name, ...options };
  return reported(new Redis(all), name, log);
}

export function openCluster(target: RedisTarget, name: string, log: Logger): Cluster {
  const nodes = target.url.split(',').map(
    (node) =>
      new URL(
        node
          .trim()
          .replace(/^redis\+cluster:/, 'redis:')
          .replace(/^rediss:/, 'redis:'),
      ),
  );
  const first = nodes[0];
  const options = {
    connectTimeout: DEFAULTS.connectTimeout,
    keepAlive: DEFAULTS.keepAlive,
    ...(first === undefined ? {} : credentialsOf(first)),
    ...(target.url.startsWith('rediss:') ? { tls: {} } : {}),
    connectionName: name,
  };
  const cluster = new Cluster(
    nodes.map((node) => ({ host: node.hostname, port: Number(node.port || 6379) })),
    { lazyConnect: true, redisOptions: options, clusterRetryStrategy: reconnectDelay },
  );
  return reported(cluster, name, log);
}

function endpointOf(url: string): ConnectionOptions {
  if (url.startsWith('redis+sentinel://')) return sentinelOf(url);
  const parsed = new URL(url);
  const database = parsed.pathname.slice(1);
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: Number(parsed.port || 6379),
    ...credentialsOf(parsed),
    ...(database === '' ? {} : { db: Number(database) }),
    ...(parsed.protocol === 'rediss:' ? { tls: { servername: parsed.hostname } } : {}),
  };
}

function sentinelOf(url: string): ConnectionOptions {
  const [nodes = '', path = ''] = url.slice('redis+sentinel://'.length).split(/\/(.*)/s);
  const [userInfo, hosts] = nodes.includes('@') ? nodes.split(/@(?=[^@]*$)/) : [undefined, nodes];
  const [master = 'mymaster', database = ''] = path.split('/');
  const credentials = userInfo === undefined ? {} : credentialsOf(new URL(`redis://${userInfo}@sentinel`));
  return {
    sentinels: (hosts ?? '').split(',').map((host) => {
      const node = new URL(`redis://${host.trim()}`);
      return { host: node.hostname, port: Number(node.port || 26379) };
    }),
    name: master === '' ? 'mymaster' : master,
    ...credentials,
    ...(database === '' ? {} : { db: Number(database) }),
    sentinelRetryStrategy: reconnectDelay,
  };
}

function credentialsOf(url: URL): { username?: string; password?: string } {
  return {
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
  };
}

function reported<T extends Redis | Cluster>(connection: T, name: string, log: Logger): T {
  let lastSaid: string | undefined;
  connection.on('error', (error: Error) => {
    const said = (error as NodeJS.ErrnoException).code ?? error.message;
    if (said === lastSaid) return;
    lastSaid = said;
    log.warn({ connection: name, reason: error.message || said }, 'Redis does not answer; trying again');
  });
  connection.on('ready', () => {
    if (lastSaid !== undefined) log.info({ connection: name }, 'Redis answers again');
    lastSaid = undefined;
  });
  return connection;
}

/** All keys that match, in no order, each once. On Cluster the catalog's hash tag keeps them on one node; all are asked. */
export async function scanKeys(redis: Redis | Cluster, pattern: string): Promise<string[]> {
  const keys = new Set<string>();
  for (const node of redis instanceof Cluster ? redis.nodes('master') : [redis]) {
    let cursor = '0';
    do {
      const [next, page] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
      for (const key of page) keys.add(key);
      cursor = next;
    } while (cursor !== '0');
  }
  return [...keys];
}
