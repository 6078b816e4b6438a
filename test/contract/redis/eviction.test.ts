import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { openRedis } from '../../../src/redis/connect.ts';
import { evictionPolicy, warnUnlessNoEviction } from '../../../src/redis/eviction.ts';
import { capturedLog, until } from '../support/live-catalog.ts';

/** A Redis of its own: its policy is changed. */
let server: Server;
let admin: Redis;
beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
});
afterEach(() => admin.config('SET', 'maxmemory-policy', 'noeviction'));
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

/** A worker's connection, and what is said of its Redis. */
function open(url = server.url) {
  const captured = capturedLog();
  const redis = openRedis({ url, cluster: false }, 'tests', captured.log);
  const stop = warnUnlessNoEviction(redis, captured.log);
  const policies = () => captured.at('warn').flatMap(({ policy }) => (policy === undefined ? [] : [policy]));
  return {
    redis,
    policies,
    async [Symbol.asyncDispose]() {
      await stop();
      redis.disconnect();
    },
  };
}

const reconnect = async ({ redis }: { redis: Redis }) => {
  const ready = new Promise((resolve) => redis.once('ready', resolve));
  redis.disconnect(true);
  await ready;
};

it('a Redis that evicts is a warning, once, however often the connection comes up', async () => {
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await using worker = open();
  await worker.redis.connect();
  await until(() => worker.policies().length > 0);
  await reconnect(worker);
  // What was asked before is answered, and said, by then.
  await worker.redis.info('memory');
  await worker.redis.ping();
  expect(worker.policies()).toEqual(['allkeys-lru']);
});

it('a Redis that evicts nothing is none, until one that does is in its place', async () => {
  await using worker = open();
  await worker.redis.connect();
  // What was asked before is answered, and said, by then.
  await worker.redis.info('memory');
  await worker.redis.ping();
  expect(worker.policies()).toEqual([]);
  await admin.config('SET', 'maxmemory-policy', 'volatile-ttl');
  await reconnect(worker);
  await until(() => worker.policies().length > 0);
  expect(worker.policies()).toEqual(['volatile-ttl']);
});

it('a Redis that keeps CONFIG to itself tells its policy; one that keeps INFO to itself, too, is believed', async () => {
  await admin.config('SET', 'maxmemory-policy', 'allkeys-random');
  const as = async (user: string, ...rules: string[]) => {
    await admin.call('ACL', 'SETUSER', user, 'on', '>pw', '~*', '&*', '+@all', ...rules);
    const redis = new Redis(server.url.replace('//', `//${user}:pw@`), { enableReadyCheck: false });
    const policy = await evictionPolicy(redis);
    redis.disconnect();
    return policy;
  };
  expect(await as('plain', '-config')).toBe('allkeys-random');
  expect(await as('silent', '-config', '-info')).toBeUndefined();
});
