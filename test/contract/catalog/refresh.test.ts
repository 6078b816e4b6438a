import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import type {} from '../../support/redis-for-all.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { INTEGRATION, MODEL, startCatalog, until } from '../support/live-catalog.ts';

const ALICE = 'USER:alice' as SubjectId;
const startPolled = () => startCatalog(inject('redisUrl'), { polled: true });

describe.each([
  ['that is told of changes', () => startCatalog(inject('redisUrl'))],
  ['that polls', startPolled],
])('the refresh of a catalog %s', (_, start) => {
  it('shows at once what was written before it, however often', async () => {
    await using under = await start();
    const { other, names, catalog, current } = under;
    for (let round = 1; round <= 200; round += 1) {
      await other
        .multi()
        .hset(names.hash('users'), 'alice', JSON.stringify({ name: `${round}` }))
        .del(names.grants(ALICE))
        .hset(names.grants(ALICE), `PROMPT:${round}`, 'READ')
        .exec();
      await catalog.refresh([names.hash('users'), names.grants(ALICE)]);
      expect(current().user('alice')?.name).toBe(`${round}`);
      expect([...current().grantsOf(ALICE).keys()]).toEqual([`PROMPT:${round}`]);
    }
  });

  it('shows it to each of many who write and ask at the same time', async () => {
    await using under = await start();
    const { other, names, catalog, current } = under;
    const writer = async (id: string) => {
      for (let round = 1; round <= 30; round += 1) {
        await other.hset(names.hash('users'), id, JSON.stringify({ name: `${round}` }));
        await other.sadd(names.members(`${id}-${round}`), id);
        await catalog.refresh([names.hash('users'), names.members(`${id}-${round}`)]);
        expect(current().user(id)?.name).toBe(`${round}`);
        expect(current().groupsOf(id)).toHaveLength(round);
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, n) => writer(`user-${n}`)));
  });

  it('of a deleted key shows that it is gone', async () => {
    await using under = await start();
    const { other, names, catalog, current } = under;
    await other.sadd(names.members('g'), 'alice');
    await catalog.refresh([names.members('g')]);
    expect(current().groupsOf('alice')).toEqual(['g']);
    await other.del(names.members('g'));
    await catalog.refresh([names.members('g')]);
    expect(current().groupsOf('alice')).toEqual([]);
  });

  it('of nothing, of keys that are not of the catalog and of unchanged ones ends', async () => {
    await using under = await start();
    const { names, catalog, current } = under;
    const before = current();
    await catalog.refresh([]);
    await catalog.refresh([names.denials, 'another']);
    await catalog.refresh([names.hash('roles'), names.members('nobody')]);
    expect(current()).toBe(before);
  });

  it('goes over the loss of the connection', async () => {
    await using under = await start();
    const { other, names, catalog, current, redis } = under;
    for (let round = 1; round <= 5; round += 1) {
      await other.hset(names.hash('users'), 'alice', JSON.stringify({ name: `${round}` }));
      const id = await redis.client('ID');
      const [seen] = await Promise.all([catalog.refresh([names.hash('users')]), other.client('KILL', 'ID', id)]);
      expect(seen).toBeUndefined();
      expect(current().user('alice')?.name).toBe(`${round}`);
    }
  });

  it('is refused once the catalog is stopped, and so is one that waits then', async () => {
    const under = await start();
    const waits = under.catalog.refresh([under.names.hash('users')]);
    const refusal = expect(waits).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await under[Symbol.asyncDispose]();
    await refusal;
    await expect(under.catalog.refresh([under.names.hash('users')])).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});

it('the refresh of one key keeps what changed in others', async () => {
  await using under = await startCatalog(inject('redisUrl'));
  const { other, names, catalog, current } = under;
  for (let round = 0; round < 50; round += 1) {
    await other.hset(names.hash('models'), `p:${round}`, MODEL);
    await other.hset(names.hash('integrations'), 'p', INTEGRATION);
    await catalog.refresh([names.hash('integrations')]);
    await until(() => current().model('p', `${round}`).kind === 'found');
  }
});

it('a catalog that polls goes on polling, however often it is refreshed', async () => {
  await using under = await startPolled();
  const { other, names, catalog, current } = under;
  await other.hset(names.hash('models'), 'p:m', MODEL);
  const stopped = new AbortController();
  const refreshing = (async () => {
    while (!stopped.signal.aborted) {
      await catalog.refresh([names.hash('users')]);
      await sleep(1);
    }
  })();
  try {
    await until(() => current().model('p', 'm').kind === 'found', 5_000);
    await sleep(4_000);
    expect(catalog.staleForMs()).toBeUndefined();
  } finally {
    stopped.abort();
    await refreshing;
  }
});

it('is refused where Redis does not answer in time', { timeout: 20_000 }, async () => {
  const url = new URL(inject('redisUrl'));
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  await using under = await startCatalog(inject('redisUrl'), { url: `redis://127.0.0.1:${proxy.port}` });
  proxy.hush();
  await expect(under.catalog.refresh([under.names.hash('users')])).rejects.toMatchObject({ code: 'UNREACHABLE' });
  await proxy.close();
});

it('before the first load waits for it', async () => {
  await using under = await startCatalog(inject('redisUrl'), { load: false });
  await under.other.hset(under.names.hash('models'), 'p:m', MODEL);
  await under.catalog.refresh([under.names.hash('users')]);
  expect(under.current().model('p', 'm').kind).toBe('found');
});
