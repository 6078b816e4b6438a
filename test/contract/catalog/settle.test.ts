import { describe, expect, inject, it } from 'vitest';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import type {} from '../../support/redis-for-all.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { type CatalogOptions, startCatalog } from '../support/live-catalog.ts';

const ALICE = 'USER:alice' as SubjectId;

async function proxied(): Promise<TcpProxy & AsyncDisposable> {
  const { hostname, port } = new URL(inject('redisUrl'));
  const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  return { ...proxy, [Symbol.asyncDispose]: () => proxy.close() };
}

async function showsWhatOthersWrote(options: CatalogOptions, rounds: number): Promise<void> {
  await using under = await startCatalog(inject('redisUrl'), options);
  const { other, names, catalog, current } = under;
  for (let round = 1; round <= rounds; round += 1) {
    await other.hset(names.grants(ALICE), `PROMPT:${round}`, 'READ');
    await other.sadd(names.members(`g${round}`), 'alice');
    await catalog.settle();
    expect(current().grantsOf(ALICE).size).toBe(round);
    expect(current().groupsOf('alice')).toHaveLength(round);
  }
}

describe('a settled catalog shows everything that was written before, whatever it was', () => {
  it('where Redis tells of it', async () => await showsWhatOthersWrote({}, 100));

  it('where Redis tells of it late', async () => {
    await using proxy = await proxied();
    proxy.delay(100);
    await showsWhatOthersWrote({ earsUrl: `redis://127.0.0.1:${proxy.port}` }, 5);
  });

  it('where it polls', async () => await showsWhatOthersWrote({ polled: true }, 50));

  it('where the one that hears of changes is cut off', async () => {
    await using proxy = await proxied();
    await using under = await startCatalog(inject('redisUrl'), { earsUrl: `redis://127.0.0.1:${proxy.port}` });
    const { other, names, catalog, current } = under;
    proxy.hush();
    await other.hset(names.grants(ALICE), 'PROMPT:p', 'READ');
    await catalog.settle();
    expect(current().grantsOf(ALICE).size).toBe(1);
  });
});
