import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import {
  type CatalogUnderTest,
  commandCounts,
  INTEGRATION,
  MODEL,
  startCatalog,
  until,
} from '../support/live-catalog.ts';

/** A Redis of its own: what other tests read must not be counted. */
let server: Server;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** What the catalog asked Redis while `act` ran, by command; the commands of `act` itself are left out by their names. */
async function readsDuring(under: CatalogUnderTest, act: () => Promise<void>): Promise<Record<string, number>> {
  const before = await commandCounts(under.other);
  await act();
  const after = await commandCounts(under.other);
  const reads = [
    'hgetall',
    'smembers',
    'hscan',
    'sscan',
    'evalsha_ro',
    'scan',
    'multi',
    'exec',
    'hget',
    'type',
    'keys',
  ];
  return Object.fromEntries(
    reads
      .map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const)
      .filter(([, difference]) => difference > 0),
  );
}

describe('what the catalog costs Redis', () => {
  it('nothing at all for lookups of a catalog that does not change', async () => {
    await using under = await startCatalog(server.url);
    await under.other.hset(under.names.hash('models'), 'p:m', MODEL);
    await until(() => under.current().model('p', 'm').kind === 'found');
    const before = await commandCounts(under.other);
    for (let task = 0; task < 20_000; task += 1) {
      under.current().model('p', 'm');
      under.current().grantsOf('USER:alice' as SubjectId);
      under.current().groupsOf('alice');
    }
    await sleep(200);
    const after = await commandCounts(under.other);
    expect({ ...after, info: 0 }).toEqual({ ...before, info: 0 });
  });

  it('one read of one key for a change of one key', async () => {
    await using under = await startCatalog(server.url);
    await under.other.hset(under.names.hash('integrations'), 'p', INTEGRATION);
    await until(() => under.current().integration('p').kind === 'found');
    const reads = await readsDuring(under, async () => {
      await under.other.hset(under.names.hash('models'), 'p:m', MODEL);
      await until(() => under.current().model('p', 'm').kind === 'found');
      await sleep(50);
    });
    expect(reads).toEqual({ hscan: 1, evalsha_ro: 1 });
  });

  it('one read of one set for a change of its members', async () => {
    await using under = await startCatalog(server.url);
    const reads = await readsDuring(under, async () => {
      await under.other.sadd(under.names.members('analysts'), 'alice');
      await until(() => under.current().groupsOf('alice').length === 1);
      await sleep(50);
    });
    expect(reads).toEqual({ sscan: 1, evalsha_ro: 1 });
  });

  it('nothing for keys that change all the time: run, audit, admin and other prefixes', async () => {
    await using under = await startCatalog(server.url);
    const { other, names } = under;
    const reads = await readsDuring(under, async () => {
      for (let round = 0; round < 50; round += 1) {
        await other.xadd(names.denials, '*', 'a', 'b');
        await other.hset(`${names.prefix}run:leases`, `${round}`, 'x');
        await other.xadd(`${names.prefix}audit`, '*', 'a', 'b');
        await other.set(`${names.prefix}admin:key`, `${round}`);
        await other.hset(`x${names.prefix}models`, 'p:m', MODEL);
        await other.hset(`${names.prefix}models-of-others`, 'p:m', MODEL);
      }
      await sleep(100);
    });
    expect(reads).toEqual({});
    expect(under.current().model('p', 'm').kind).toBe('absent');
  });
});

describe('the identity of records', () => {
  it('stays where another record, another kind or another key changes', async () => {
    await using under = await startCatalog(server.url);
    const { other, names, current } = under;
    await other.hset(names.hash('models'), 'p:a', MODEL, 'p:b', MODEL);
    await other.hset(names.hash('users'), 'alice', '{"name":"Alice"}');
    await until(() => current().model('p', 'b').kind === 'found' && current().user('alice') !== undefined);
    const [model, user] = [current().lookup('models', 'p:a'), current().user('alice')];

    await other.hset(names.hash('models'), 'p:b', '{"enabled":false}');
    await other.sadd(names.members('g'), 'alice');
    await until(() => {
      const b = current().model('p', 'b');
      return b.kind === 'found' && !b.record.enabled && current().groupsOf('alice').length === 1;
    });
    expect(current().lookup('models', 'p:a')).toBe(model);
    expect(current().user('alice')).toBe(user);
  });

  it('stays when everything is read again', async () => {
    await using under = await startCatalog(server.url);
    const { other, names, current, redis } = under;
    await other.hset(names.hash('models'), 'p:a', MODEL);
    await until(() => current().model('p', 'a').kind === 'found');
    const model = current().lookup('models', 'p:a');
    await other.client('KILL', 'ID', await redis.client('ID'));
    await other.hset(names.hash('prompts'), 'p', '{"template":"written while nobody listened"}');
    await until(() => current().prompt('p').kind === 'found' && under.catalog.staleForMs() === undefined, 5_000);
    expect(current().lookup('models', 'p:a')).toBe(model);
  });
});

describe('a large catalog', () => {
  it('of 5,000 models and 500 groups with grants loads whole', async () => {
    await using under = await startCatalog(server.url, { load: false });
    const { other, names, current } = under;
    const fields = Array.from({ length: 5_000 }, (_, n) => [`p:model-${n}`, `{"description":"${n}"}`]).flat();
    await other.hset(names.hash('models'), ...fields);
    const pipeline = other.pipeline();
    for (let n = 0; n < 500; n += 1) {
      pipeline.sadd(names.members(`g${n}`), 'alice', `user-${n}`);
      pipeline.hset(names.grants(`GROUP:g${n}`), `INTEGRATION:p:model-${n}`, 'EXECUTE');
    }
    await pipeline.exec();
    await under.loaded();
    await until(() => current().groupsOf('alice').length === 500, 5_000);
    expect([...current().names('models')]).toHaveLength(5_000);
    expect(current().model('p', 'model-4999')).toMatchObject({ kind: 'found', record: { description: '4999' } });
    expect(current().parts.grants.size).toBe(500);
    expect([...current().faults()]).toEqual([]);
  });
});
