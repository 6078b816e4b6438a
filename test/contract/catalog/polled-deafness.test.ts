import { type Cluster, Redis } from 'ioredis';
import { afterEach, describe, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import { createLiveCatalog } from '../../../src/catalog/live-catalog.ts';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import { openCluster, openRedis } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { capturedLog, until } from '../support/live-catalog.ts';
import { startOneNodeCluster } from '../support/one-node-cluster.ts';

const TARGET = 'INTEGRATION:p:m';
const GRANTS = keyNames('{cohere}:').grants('USER:alice');
const KINDS = ['a Redis Cluster', 'a Redis that is polled'] as const;

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A catalog that is polled through a proxy, and a right that somebody else gives and takes. */
async function polledCatalog(kind: (typeof KINDS)[number]) {
  const isCluster = kind === 'a Redis Cluster';
  const server = isCluster ? await startOneNodeCluster() : await startRedis();
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: server.port });
  const other = new Redis(server.url);
  // A node says where it is to be found: by way of the proxy.
  if (isCluster) await other.config('SET', 'cluster-announce-port', String(proxy.port));
  await other.hset(GRANTS, TARGET, 'EXECUTE');
  const { log } = capturedLog();
  const target = { url: `redis://127.0.0.1:${proxy.port}`, cluster: isCluster };
  const redis: Redis | Cluster = isCluster
    ? openCluster(target, 'catalog', log)
    : openRedis(target, 'catalog', log, { commandTimeout: 2_000 });
  const catalog = createLiveCatalog({ redis, ears: undefined, names: keyNames('{cohere}:'), log });
  catalog.start();
  cleanUps.push(
    () => server.stop(),
    () => proxy.close(),
    async () => {
      const stopped = catalog.stop();
      for (const connection of [redis, other]) connection.disconnect();
      await stopped;
    },
  );
  redis.connect().catch(() => undefined);
  await until(() => catalog.staleForMs() === undefined, 10_000);
  return {
    ...{ catalog, server, proxy },
    mayUse: () => catalog.current().grantsOf('USER:alice' as SubjectId).size === 1,
    revoke: () => other.hdel(GRANTS, TARGET),
  };
}

describe.each(KINDS)('%s', { timeout: 60_000 }, (kind) => {
  it('shows what was there from its first load on', async ({ expect }) => {
    const { mayUse } = await polledCatalog(kind);
    expect(mayUse()).toBe(true);
  });

  it('is not trusted behind a black hole, and read again by another connection', async ({ expect }) => {
    const { catalog, proxy, mayUse, revoke } = await polledCatalog(kind);
    proxy.hush();
    await revoke();
    await until(() => catalog.staleForMs() !== undefined, 8_000);
    expect(mayUse()).toBe(true);
    await until(() => catalog.staleForMs() === undefined, 40_000);
    expect(mayUse()).toBe(false);
  });

  it('is not trusted while it is stopped, and is soon after it goes on', async ({ expect }) => {
    const { catalog, server, mayUse } = await polledCatalog(kind);
    process.kill(server.processId, 'SIGSTOP');
    try {
      await until(() => catalog.staleForMs() !== undefined, 8_000);
    } finally {
      process.kill(server.processId, 'SIGCONT');
    }
    await until(() => catalog.staleForMs() === undefined, 8_000);
    expect(mayUse()).toBe(true);
  });
});
