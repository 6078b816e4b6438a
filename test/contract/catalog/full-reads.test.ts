import { expect, inject, it } from 'vitest';
import { createLiveCatalog } from '../../../src/catalog/live-catalog.ts';
import { openRedis } from '../../../src/redis/connect.ts';
import type {} from '../../support/redis-for-all.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { capturedLog, freshPrefix, startCatalog, until } from '../support/live-catalog.ts';

it('loses nothing that is written while everything is read', async () => {
  await using under = await startCatalog(inject('redisUrl'), { load: false });
  const { other, names } = under;
  // Enough other keys that the search for ours takes many steps.
  const filler = freshPrefix();
  const pipeline = other.pipeline();
  for (let n = 0; n < 60_000; n += 1) pipeline.set(`${filler}${n}`, '');
  await pipeline.exec();
  for (let round = 0; round < 3; round += 1) {
    await other.client('KILL', 'ID', await under.redis.client('ID'));
    for (let n = 0; n < 60; n += 1) {
      await other.hset(names.grants(`USER:u${round}-${n}`), 'INTEGRATION_PROVIDER:p', 'EXECUTE');
    }
  }
  await under.loaded();
  const missing = () =>
    Array.from({ length: 180 }, (_, n) => `USER:u${Math.floor(n / 60)}-${n % 60}`).filter(
      (subject) => !under.current().parts.grants.has(subject),
    );
  await until(() => missing().length === 0, 5_000).catch(() => undefined);
  expect(missing()).toEqual([]);
  await other.eval("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end", 0, `${filler}*`);
});

it('is current after a poll that takes longer than the time between polls', async () => {
  const url = new URL(inject('redisUrl'));
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port), delayMs: 300 });
  const { log } = capturedLog();
  const redis = openRedis({ url: `redis://127.0.0.1:${proxy.port}`, cluster: false }, 'slow', log);
  const { names, other } = await startCatalog(inject('redisUrl'));
  await other.hset(names.hash('integrations'), 'p', '{}');
  const catalog = createLiveCatalog({ redis, ears: undefined, names, log });
  await redis.connect();
  catalog.start();
  // A listing and a read, each of several slow steps: well over a second together.
  await until(() => catalog.loaded() && catalog.staleForMs() === undefined, 10_000);
  await catalog.stop();
  redis.disconnect();
  other.disconnect();
  await proxy.close();
});
