import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../devservers/ports.ts';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';

/** A Redis that may be killed and started again on what it had written: `appendfsync always`. */
export interface MortalRedis {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** The file to which it appends every write. */
  readonly appendOnlyFile: string;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
  /** Where it was killed; does nothing where it runs. */
  restart(): Promise<void>;
  /** Everything in it, by key and type, to compare. */
  contents(): Promise<Record<string, unknown>>;
  /** Does something with a connection of its own. */
  with<T>(use: (redis: Redis) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function startMortalRedis(): Promise<MortalRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-mortal-redis-'));
  const port = await freePort();
  const start = () =>
    startRedis({
      port,
      dir: folder,
      args: ['--appendonly', 'yes', '--appendfsync', 'always', '--loglevel', 'warning'],
    });
  let server: Server = await start();

  async function withConnection<T>(use: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(port, '127.0.0.1');
    try {
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  return {
    host: '127.0.0.1',
    port,
    url: `redis://127.0.0.1:${port}`,
    appendOnlyFile: join(folder, 'appendonlydir', 'appendonly.aof.1.incr.aof'),
    async kill() {
      server.process.kill('SIGKILL');
      await server.process.exited;
    },
    async restart() {
      if (server.process.exit() !== undefined) server = await start();
    },
    contents: () => withConnection(everythingIn),
    with: withConnection,
    async close() {
      await server.process.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Every key of a Redis with what it holds, whatever its type; sets and hashes in order, so that equal ones read the same. */
export async function everythingIn(redis: Redis, pattern = '*'): Promise<Record<string, unknown>> {
  const read: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    string: (key) => redis.get(key),
    hash: async (key) => Object.fromEntries(Object.entries(await redis.hgetall(key)).sort()),
    set: async (key) => (await redis.smembers(key)).sort(),
    zset: (key) => redis.zrange(key, 0, '-1', 'WITHSCORES'),
    list: (key) => redis.lrange(key, 0, -1),
    stream: (key) => redis.xrange(key, '-', '+'),
  };
  const all: Record<string, unknown> = {};
  for (const key of (await redis.keys(pattern)).sort()) {
    const type = await redis.type(key);
    const reader = read[type];
    if (reader === undefined && type !== 'none')
      throw new Error(`${key} is of the type ${type}, which nobody reads here`);
    all[key] = await reader?.(key);
  }
  return all;
}
