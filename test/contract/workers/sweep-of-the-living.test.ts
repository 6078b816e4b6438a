import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type {} from '../../support/redis-for-all.ts';
import type { StubConductor } from '../../workers/support/stub-conductor.ts';
import { claimed, type Ledgers, poll } from '../support/ledger.ts';
import { openSweepWorld, type SweepWorld, withRedisAhead } from '../support/sweep-world.ts';

let world: SweepWorld;
let ledgers: Ledgers;
let stub: StubConductor;
beforeEach(async () => {
  world = await openSweepWorld(inject('redisUrl'));
  ({ ledgers, stub } = world);
});
afterEach(() => world[Symbol.asyncDispose]());

describe('tasks of one who lives, whose poll got no answer', () => {
  it('are given back when they are seen again, 10 s later, without a claim', async () => {
    const [a, b] = [await ledgers.open('a'), await world.sweeper('b')];
    const ids = await world.popped(a.store.incarnation, 2);
    await world.suspected(a.store.incarnation);
    await b.look();
    await b.look();
    expect(stub.updates).toEqual([]);
    expect(await world.suspects()).toEqual([a.store.incarnation]);
    await withRedisAhead(b, 10_000, () => b.look());
    expect(world.givenBack()).toEqual(ids);
    expect(await world.suspects()).toEqual([]);
    // The answer comes after all.
    expect(await claimed(a, ...ids.map((id) => poll(id)))).toEqual(['taken', 'taken']);
  });

  it('are its own where it claimed them between', async () => {
    const [a, b] = [await ledgers.open('a'), await world.sweeper('b')];
    const [id = ''] = await world.popped(a.store.incarnation);
    await world.suspected(a.store.incarnation);
    await b.look();
    expect(await claimed(a, poll(id))).toEqual(['ours']);
    await withRedisAhead(b, 10_000, () => b.look());
    expect(stub.updates).toEqual([]);
    expect(await world.suspects()).toEqual([]);
  });

  it('are counted from the start where they were polled again', async () => {
    const [a, b] = [await ledgers.open('a'), await world.sweeper('b')];
    const [id = ''] = await world.popped(a.store.incarnation);
    await world.suspected(a.store.incarnation);
    await b.look();
    Object.assign(stub.tasks.get(id) ?? {}, { pollCount: 2 });
    await world.age(50_000);
    await withRedisAhead(b, 10_000, () => b.look());
    expect(stub.updates).toEqual([]);
    await withRedisAhead(b, 20_000, () => b.look());
    expect(world.givenBack()).toEqual([id]);
  });

  // Counted from the last suspicion, they would wait for as long as polls keep failing; only the acquittal does.
  it('are given back although its polls keep failing, and it is suspected until they no longer do', async () => {
    const [a, b] = [await ledgers.open('a'), await world.sweeper('b')];
    const ids = await world.popped(a.store.incarnation, 2);
    const failing = () => a.store.suspect(a.store.incarnation);
    await world.suspected(a.store.incarnation);
    await failing();
    await b.look();
    await failing();
    await withRedisAhead(b, 10_000, () => b.look());
    expect(world.givenBack()).toEqual(ids);
    await failing();
    await withRedisAhead(b, 20_000, () => b.look());
    expect(await world.suspects()).toEqual([a.store.incarnation]);
    // No poll has failed for so long that what the last one brought was there to be seen, twice.
    await withRedisAhead(b, 30_000, () => b.look());
    expect(await world.suspects()).toEqual([]);
  });

  it('are looked for no more often than the second look needs', async () => {
    const [a, b] = [await ledgers.open('a'), await world.sweeper('b')];
    await world.suspected(a.store.incarnation);
    const passes = () => stub.requests.filter(({ path }) => path === '/metadata/workflow').length;
    for (let times = 0; times < 4; times += 1) await b.look();
    expect(passes()).toBe(1);
    await withRedisAhead(b, 10_000, () => b.look());
    expect(passes()).toBe(2);
  });
});
