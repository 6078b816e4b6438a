import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { type CatalogUnderTest, INTEGRATION, MODEL, startCatalog, until } from '../support/live-catalog.ts';

/** A Redis of its own: connections are killed, users are made, and it is stopped. */
let server: Server;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

async function idOf(other: Redis, port: number | undefined): Promise<string | undefined> {
  const list = (await other.client('LIST')) as string;
  return list
    .split('\n')
    .find((line) => line.includes(`addr=127.0.0.1:${port} `))
    ?.match(/^id=(\d+)/)?.[1];
}

const portOf = (connection: Redis) => (connection as unknown as { stream?: { localPort?: number } }).stream?.localPort;

async function kill({ other }: CatalogUnderTest, connection: Redis): Promise<void> {
  const id = await idOf(other, portOf(connection));
  if (id !== undefined) await other.client('KILL', 'ID', id);
}

describe('a connection of the catalog that is cut', () => {
  it.each([
    ['the reader', ['redis']],
    ['the subscriber', ['ears']],
    ['both', ['redis', 'ears']],
    ['both, the subscriber first', ['ears', 'redis']],
  ] as const)('leaves nothing stale: %s, while changes are made', async (_, which) => {
    await using under = await startCatalog(server.url);
    const { other, names, current } = under;
    for (let round = 0; round < 8; round += 1) {
      const changes = (async () => {
        for (let n = 0; n < 20; n += 1) {
          await other.hset(names.hash('users'), 'alice', JSON.stringify({ name: `${round}.${n}` }));
          await other.sadd(names.members(`g${round}`), `u${n}`);
          await other.del(names.members(`g${round - 1}`));
          await sleep(1);
        }
      })();
      await sleep(Math.random() * 15);
      await Promise.all(which.map((name) => kill(under, under[name])));
      await changes;
      await until(() => current().user('alice')?.name === `${round}.19`, 5_000);
      await until(() => current().parts.members.get(`g${round}`)?.size === 20, 5_000);
      await until(() => current().parts.members.size === 1, 5_000);
      await under.loaded();
    }
    // It goes on being told, not only read again.
    await other.hset(names.hash('users'), 'bob', '{}');
    await until(() => current().user('bob') !== undefined);
    expect(under.captured.lines.map(({ msg }) => msg).join()).not.toContain('polled instead');
  });

  it('counts as stale from then until it has been read again', async () => {
    await using under = await startCatalog(server.url);
    expect(under.catalog.staleForMs()).toBeUndefined();
    await kill(under, under.ears);
    await until(() => under.catalog.staleForMs() !== undefined);
    await until(() => under.catalog.staleForMs() === undefined, 5_000);
    expect(under.catalog.loaded()).toBe(true);
  });
});

describe('a Redis that goes away', () => {
  it('leaves the records as they were, stale for ever longer, and is followed again when it is back', async () => {
    const first = await startRedis();
    await using under = await startCatalog(first.url);
    const { other, names, catalog } = under;
    await other.hset(names.hash('integrations'), 'p', INTEGRATION);
    await until(() => !under.current().empty);

    await first.stop();
    await until(() => catalog.staleForMs() !== undefined);
    const early = catalog.staleForMs() ?? 0;
    await sleep(100);
    expect(catalog.staleForMs()).toBeGreaterThanOrEqual(early + 90);
    expect(under.current().integration('p').kind).toBe('found');

    const second = await startRedis({ port: first.port });
    try {
      // Nothing was kept on disk: the catalog is empty now.
      await until(() => catalog.staleForMs() === undefined, 10_000);
      expect(under.current().empty).toBe(true);
      await other.hset(names.hash('models'), 'p:m', MODEL);
      await until(() => under.current().model('p', 'm').kind === 'found');
    } finally {
      await second.stop();
    }
  });

  it('from the start is waited for: nothing is loaded, then everything by itself', async () => {
    const gone = await startRedis();
    await gone.stop();
    await using under = await startCatalog(gone.url, { load: false });
    await sleep(150);
    expect(under.catalog.loaded()).toBe(false);
    expect(under.catalog.staleForMs()).toBeGreaterThan(0);
    expect(under.current().empty).toBe(true);

    const back = await startRedis({ port: gone.port });
    try {
      await under.loaded();
      await under.other.hset(under.names.hash('integrations'), 'p', INTEGRATION);
      await until(() => !under.current().empty);
    } finally {
      await back.stop();
    }
  });

  it('says so once a connection, not at every attempt', async () => {
    const gone = await startRedis();
    await gone.stop();
    await using under = await startCatalog(gone.url, { load: false });
    await sleep(400);
    const said = under.captured.at('warn').filter(({ msg }) => msg.startsWith('Redis does not answer'));
    expect(said.map(({ connection }) => connection).sort()).toEqual(['catalog', 'catalog-ears']);
  });

  it('does not hold up a stop', { timeout: 5_000 }, async () => {
    const gone = await startRedis();
    await gone.stop();
    const under = await startCatalog(gone.url, { load: false });
    await sleep(20);
    await expect(under[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });
});

describe('a Redis that permits no tracking', () => {
  it('is polled, with one warning', async () => {
    const admin = await startCatalog(server.url);
    await using _ = admin;
    await admin.other.call('ACL', 'SETUSER', 'poller', 'on', '>pw', '~*', '&*', '+@all', '-client');
    await using under = await startCatalog(server.url, { url: server.url.replace('//', '//poller:pw@') });
    const { other, names, current } = under;
    await other.hset(names.hash('models'), 'p:m', MODEL);
    await until(() => current().model('p', 'm').kind === 'found', 4_000);
    await other.hdel(names.hash('models'), 'p:m');
    await until(() => current().model('p', 'm').kind === 'absent', 4_000);
    expect(under.captured.at('warn').map(({ msg }) => msg)).toEqual([
      'Redis refuses client tracking: the catalog is polled instead',
    ]);
  });

  it('is polled on after its connection was cut', async () => {
    const admin = await startCatalog(server.url);
    await using _ = admin;
    await admin.other.call('ACL', 'SETUSER', 'poller2', 'on', '>pw', '~*', '&*', '+@all', '-client');
    await using under = await startCatalog(server.url, { url: server.url.replace('//', '//poller2:pw@') });
    await kill(under, under.redis);
    await until(() => under.catalog.staleForMs() !== undefined);
    await under.other.hset(under.names.hash('models'), 'p:m', MODEL);
    await until(() => under.current().model('p', 'm').kind === 'found', 5_000);
    await until(() => under.catalog.staleForMs() === undefined, 5_000);
  });
});
