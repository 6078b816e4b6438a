import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { type CatalogUnderTest, commandCounts, startCatalog, until } from '../support/live-catalog.ts';

/** A Redis of its own: connections are killed, users are made, commands are counted, and it is emptied. */
let server: Server;
beforeAll(async () => {
  server = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
});
afterAll(() => server.stop());

const ALICE = 'USER:alice' as SubjectId;
const TARGET = 'INTEGRATION:p:m';
const proxyOf = ({ port }: { port: number }) => startTcpProxy({ host: '127.0.0.1', port });
const throughProxy = ({ port }: { port: number }) => `redis://127.0.0.1:${port}`;
const mayUse = ({ current }: CatalogUnderTest) => current().grantsOf(ALICE).size === 1;

async function grant(under: CatalogUnderTest): Promise<void> {
  await under.other.hset(under.names.grants(ALICE), TARGET, 'EXECUTE');
  await until(() => mayUse(under) && under.catalog.staleForMs() === undefined);
}

const revoke = ({ other, names }: CatalogUnderTest) => other.hdel(names.grants(ALICE), TARGET);

/** A right that is gone is soon either seen to be gone, or the catalog does not call itself current; in the end both are mended. */
async function neverTrusted(under: CatalogUnderTest): Promise<void> {
  await until(() => !mayUse(under) || under.catalog.staleForMs() !== undefined, 8_000);
  await until(() => under.catalog.staleForMs() === undefined, 20_000);
  expect(mayUse(under)).toBe(false);
}

describe('a right that is revoked while Redis tells of nothing', { timeout: 60_000 }, () => {
  it('is not trusted: a black hole in the subscriber’s connection alone', async () => {
    const proxy = await proxyOf(server);
    try {
      await using under = await startCatalog(server.url, { earsUrl: throughProxy(proxy) });
      await grant(under);
      proxy.hush();
      await revoke(under);
      await neverTrusted(under);
    } finally {
      await proxy.close();
    }
  });

  it('is not trusted: a black hole in the reader’s connection alone, while other workers keep the canary singing', async () => {
    const proxy = await proxyOf(server);
    try {
      await using under = await startCatalog(server.url, { url: throughProxy(proxy), earsUrl: server.url });
      await using _ = await startCatalog(server.url, { prefix: under.names.prefix });
      await grant(under);
      proxy.hush();
      await revoke(under);
      await neverTrusted(under);
    } finally {
      await proxy.close();
    }
  });

  it('is not trusted: tracking that was switched off behind our back', async () => {
    await using under = await startCatalog(server.url);
    await grant(under);
    await under.redis.call('CLIENT', 'TRACKING', 'OFF');
    await revoke(under);
    await neverTrusted(under);
    expect(under.captured.at('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining('Redis is silent')]);
    // It is told of changes again, not only read once.
    await grant(under);
  });

  it('is not trusted: a subscriber that is killed', async () => {
    await using under = await startCatalog(server.url);
    await grant(under);
    await under.other.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await revoke(under);
    await neverTrusted(under);
  });

  it('is not trusted: everything flushed', async () => {
    await using under = await startCatalog(server.url);
    await grant(under);
    await under.other.flushall();
    await until(() => !mayUse(under));
  });

  it('is not trusted: another Redis in the place of the one before', async () => {
    const first = await startRedis();
    await using under = await startCatalog(first.url);
    await grant(under);
    await first.stop();
    const second = await startRedis({ port: first.port });
    try {
      await neverTrusted(under);
      await grant(under);
    } finally {
      await second.stop();
    }
  });
});

describe('the canary', { timeout: 60_000 }, () => {
  it('leaves nothing behind for ever, and is no reason to read', async () => {
    await using under = await startCatalog(server.url);
    const reads = async () => (await commandCounts(under.other))['hgetall'] ?? 0;
    const before = await reads();
    await until(async () => (await under.other.exists(under.names.canary)) === 1, 5_000);
    expect(await under.other.ttl(under.names.canary)).toBeGreaterThan(0);
    // The next one shows that the first was heard.
    await under.other.del(under.names.canary);
    await until(async () => (await under.other.exists(under.names.canary)) === 1, 5_000);
    expect(await reads()).toBe(before);
  });

  it('that a user may not write is done without, with one warning; silence is noticed all the same', async () => {
    await using admin = await startCatalog(server.url);
    await admin.other.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '&*', '+@all', '-set');
    const proxy = await proxyOf(server);
    try {
      const reader = (url: string) => url.replace('//', '//reader:pw@');
      await using under = await startCatalog(server.url, {
        url: reader(server.url),
        earsUrl: reader(throughProxy(proxy)),
      });
      const warnings = () => under.captured.at('warn').map(({ msg }) => msg);
      await until(() => warnings().length > 0, 8_000);
      await grant(under);
      // Longer than silence would be borne.
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      expect(warnings()).toEqual([expect.stringContaining('refuses the canary key')]);
      expect(under.catalog.staleForMs()).toBeUndefined();

      proxy.hush();
      await revoke(under);
      await neverTrusted(under);
      expect(warnings()).toEqual([
        expect.stringContaining('refuses the canary key'),
        expect.stringContaining('Redis is silent'),
      ]);
    } finally {
      await proxy.close();
    }
  });

  it('that a replica refuses is done without', async () => {
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(server.port)] });
    try {
      await using under = await startCatalog(server.url, { url: replica.url });
      await until(async () => (await under.redis.info('replication')).includes('master_link_status:up'), 10_000);
      await under.loaded();
      await until(() => under.captured.at('warn').length > 0, 8_000);
      expect(under.captured.at('warn')).toEqual([
        expect.objectContaining({ reason: expect.stringContaining('READONLY') }),
      ]);
      await grant(under);
      await revoke(under);
      await until(() => !mayUse(under));
    } finally {
      await replica.stop();
    }
  });

  it('that a primary takes no longer, since it was demoted, leads to connections being made anew', async () => {
    const demoted = await startRedis();
    try {
      await using under = await startCatalog(demoted.url);
      await until(async () => (await under.other.exists(under.names.canary)) === 1, 5_000);
      const connected = new Set<string>();
      for (const [name, connection] of [
        ['redis', under.redis],
        ['ears', under.ears],
      ] as const)
        connection.once('connect', () => connected.add(name));
      const other = new Redis(demoted.url);
      await other.replicaof('127.0.0.1', server.port);
      other.disconnect();
      await until(() => connected.size === 2, 15_000);
      await under.loaded();
      expect(under.captured.at('warn').map(({ msg }) => msg)).toContain('Redis has become a replica: connecting again');
    } finally {
      await demoted.stop();
    }
  });
});

it('a Redis that takes tracking and tells of nothing is polled in the end', { timeout: 60_000 }, async () => {
  await using under = await startCatalog(server.url);
  // As a proxy that knows no pushes: it says OK to everything.
  const call = under.redis.call.bind(under.redis) as (...args: unknown[]) => Promise<unknown>;
  under.redis.call = ((...args: unknown[]) =>
    args[1] === 'TRACKING' ? Promise.resolve('OK') : call(...args)) as typeof under.redis.call;
  await call('CLIENT', 'TRACKING', 'OFF');
  const polled = () => under.captured.at('warn').some(({ msg }) => msg.includes('polled instead'));
  await until(polled, 30_000);
  await grant(under);
  await revoke(under);
  await until(() => !mayUse(under), 5_000);
});
