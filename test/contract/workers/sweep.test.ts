import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type {} from '../../support/redis-for-all.ts';
import type { StubConductor } from '../../workers/support/stub-conductor.ts';
import { claimed, type Ledgers, poll } from '../support/ledger.ts';
import { DEFINITION, openSweepWorld, type SweepWorld } from '../support/sweep-world.ts';

let world: SweepWorld;
let ledgers: Ledgers;
let stub: StubConductor;
beforeEach(async () => {
  world = await openSweepWorld(inject('redisUrl'));
  ({ ledgers, stub } = world);
});
afterEach(() => world[Symbol.asyncDispose]());

describe('tasks that a dead worker had polled and never claimed', () => {
  it('are given back in one pass, and it is suspected no more', async () => {
    const b = await world.sweeper('b');
    const ids = await world.popped('a/1', 12);
    await world.suspected('a/1');
    await b.look();
    expect(world.givenBack()).toEqual([...ids].sort());
    for (const update of stub.updates) expect(update).toMatchObject({ status: 'IN_PROGRESS', callbackAfterSeconds: 1 });
    expect(await world.suspects()).toEqual([]);
    await b.store.flush();
    expect(await ledgers.other.get(ledgers.keys.claim(ids[0] ?? ''))).toBe(`1 released by ${b.store.incarnation}`);
    expect(stub.offences).toEqual([]);
  });

  it('are left until its last poll was certainly answered', async () => {
    const b = await world.sweeper('b');
    await world.popped('a/1');
    await b.store.suspect('a/1');
    await b.look();
    expect(stub.requests.filter(({ path }) => path.startsWith('/workflow'))).toEqual([]);
    await world.age(10_000);
    await b.look();
    expect(stub.updates).toHaveLength(1);
  });

  it('are found after a death, whose claims are another’s affair', async () => {
    const [a, b] = [await ledgers.open('a'), await world.sweeper('b')];
    const [lost = ''] = await world.popped(a.store.incarnation);
    const [known = ''] = await world.popped(a.store.incarnation);
    await claimed(a, poll(known));
    await ledgers.untilMissed(b);
    await world.age(10_000);
    await b.look();
    expect(world.givenBack()).toEqual([lost]);
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['that are over', { workflowType: 'claims' }, { status: 'COMPLETED' }],
    ['that wait in their queue', { workflowType: 'claims' }, { status: 'SCHEDULED' }],
    ['of somebody else', { workflowType: 'claims' }, { workerId: 'x/1' }],
    ['of another queue', { workflowType: 'claims', queue: 'OTHER' }, {}],
    ['of workflows without our tasks', { workflowType: 'other' }, {}],
  ])('are not confused with tasks %s', async (_, fields, change) => {
    const b = await world.sweeper('b');
    stub.workflowDefinitions = [DEFINITION, { name: 'other', tasks: [{ name: 'x', taskReferenceName: 'x' }] }];
    const [id = ''] = await world.popped('a/1', 1, fields);
    Object.assign(stub.tasks.get(id) ?? {}, change);
    await world.suspected('a/1');
    await b.look();
    expect(stub.updates).toEqual([]);
    expect(await world.suspects()).toEqual([]);
  });

  it('are left alone where somebody claimed that poll or a later one', async () => {
    const [b, c] = [await world.sweeper('b'), await ledgers.open('c')];
    const [first = '', second = '', third = ''] = await world.popped('a/1', 3);
    await claimed(c, poll(first), poll(second, 2), poll(third));
    c.store.release(c.store.incarnation, poll(third));
    await c.store.flush();
    await world.suspected('a/1');
    await b.look();
    expect(stub.updates).toEqual([]);
  });

  it('are found in workflows that decide their tasks only when they run', async () => {
    const b = await world.sweeper('b');
    stub.workflowDefinitions = [{ name: 'claims', tasks: [{ name: 'd', taskReferenceName: 'd', type: 'DYNAMIC' }] }];
    const ids = await world.popped('a/1');
    await world.suspected('a/1');
    await b.look();
    expect(world.givenBack()).toEqual(ids);
  });
});

describe('a pass', () => {
  it('is made by one replica, and only where somebody is suspected', async () => {
    const [b, c] = [await world.sweeper('b'), await world.sweeper('c')];
    await Promise.all([b.look(), c.look()]);
    expect(stub.requests).toEqual([]);
    await world.popped('a/1', 5);
    await world.suspected('a/1');
    await Promise.all([b.look(), c.look()]);
    expect(stub.requests.filter(({ path }) => path === '/metadata/workflow')).toHaveLength(1);
    expect(stub.updates).toHaveLength(5);
  });

  it('asks Conductor four things at once, no more', async () => {
    const b = await world.sweeper('b');
    await world.popped('a/1', 40);
    await world.suspected('a/1');
    stub.on.workflows = () => ({ delayMs: 3 });
    await b.look();
    expect(stub.updates).toHaveLength(40);
    expect(stub.mostWorkflowCalls).toBeLessThanOrEqual(4);
    expect(stub.mostWorkflowCalls).toBeGreaterThan(1);
  });

  it('that did not see everything is repeated, and acquits nobody', async () => {
    const b = await world.sweeper('b');
    const ids = await world.popped('a/1', 4);
    await world.suspected('a/1');
    stub.on.workflows = (path) => (path === `/workflow/workflow-of-${ids[2]}` ? { status: 500 } : undefined);
    await b.look();
    expect(stub.updates).toHaveLength(3);
    expect(await world.suspects()).toEqual(['a/1']);
    stub.on.workflows = undefined as never;
    await b.look();
    expect(world.givenBack()).toEqual([...ids].sort());
    expect(await world.suspects()).toEqual([]);
  });

  it('is tried until Conductor answers, with one warning', async () => {
    const b = await world.sweeper('b');
    const ids = await world.popped('a/1');
    await world.suspected('a/1');
    stub.on.workflows = () => ({ status: 503 });
    for (let times = 0; times < 3; times += 1) await b.look();
    expect(b.captured.at('warn')).toHaveLength(1);
    stub.on.workflows = undefined as never;
    await b.look();
    expect(world.givenBack()).toEqual(ids);
  });

  it('does not go on for more than a day about one whose workflows cannot be seen', async () => {
    const b = await world.sweeper('b');
    await ledgers.other.hset(ledgers.keys.suspects, 'a/1', '17');
    stub.on.workflows = () => ({ status: 500 });
    await b.look();
    expect(await world.suspects()).toEqual([]);
  });

  it('ends when the worker stops', async () => {
    const b = await world.sweeper('b');
    await world.popped('a/1', 40);
    await world.suspected('a/1');
    stub.on.workflows = () => ({ delayMs: 200 });
    const looking = b.sweep.look();
    await expect.poll(() => stub.requests.length).toBeGreaterThan(4);
    await b.sweep.stop();
    await looking;
    const asked = () => stub.requests.filter(({ path }) => path.startsWith('/workflow')).length;
    const before = asked();
    expect(before).toBeLessThan(20);
    await b.look();
    expect(asked()).toBe(before);
    expect(await world.suspects()).toEqual(['a/1']);
  });

  it('is made by itself once it was started', async () => {
    const b = await world.sweeper('b');
    const ids = await world.popped('a/1');
    await world.suspected('a/1');
    b.sweep.start();
    await expect.poll(world.givenBack).toEqual(ids);
  });
});
