import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { createRescue } from '../../../src/workers/ledger/rescue.ts';
import { createSweep, type Sweep } from '../../../src/workers/ledger/sweep.ts';
import type {} from '../../support/redis-for-all.ts';
import { connect } from '../../workers/support/harness.ts';
import { type StubConductor, startStubConductor } from '../../workers/support/stub-conductor.ts';
import { claimed, type Ledgers, openLedgers, poll, type StoreUnderTest } from '../support/ledger.ts';

const QUEUE = 'LLM_TEXT_COMPLETE';
const DEFINITION = {
  name: 'claims',
  tasks: [{ name: 'ask', taskReferenceName: 'ask', type: QUEUE }],
};

let ledgers: Ledgers;
let stub: StubConductor;
let link: ReturnType<typeof connect>;
let giveUp: AbortController;
let sweeps: Sweep[];
beforeEach(async () => {
  ledgers = await openLedgers(inject('redisUrl'));
  stub = await startStubConductor();
  stub.workflowDefinitions = [DEFINITION];
  link = connect(stub);
  giveUp = new AbortController();
  sweeps = [];
});
afterEach(async () => {
  giveUp.abort();
  await Promise.all(sweeps.map((sweep) => sweep.stop()));
  await ledgers[Symbol.asyncDispose]();
  await stub[Symbol.asyncDispose]();
  await link.close();
});

type Sweeper = StoreUnderTest & { look: () => Promise<void>; sweep: Sweep };

/** A replica that looks without waiting between its looks. */
async function sweeper(label: string, queues = [QUEUE]): Promise<Sweeper> {
  const under = await ledgers.open(label);
  const { log } = under.captured;
  const { conductor } = link;
  const rescue = createRescue({ conductor, ledger: under.store, log, giveUp: giveUp.signal, lookAgainMs: 5 });
  const sweep = createSweep({
    conductor,
    suspects: under.store,
    rescue: rescue.rescue,
    queues,
    log,
    timing: { everyMs: 0, gapMs: 0 },
  });
  sweeps.push(sweep);
  const look = async () => {
    await sweep.look();
    await rescue.idle();
  };
  return Object.assign(under, { look, sweep });
}

/** Tasks that somebody has polled and nobody claimed. */
async function popped(workerId: string, count = 1, fields: Record<string, unknown> = { workflowType: 'claims' }) {
  const queue = typeof fields['queue'] === 'string' ? fields['queue'] : QUEUE;
  const ids = Array.from({ length: count }, () => stub.add(queue, fields));
  await link.conductor.poll({ queue, count, waitMs: 5, workerId, domain: undefined });
  return ids;
}

/** Moves a suspicion, and all that followed of it, into the past. */
async function age(ms: number): Promise<void> {
  for (const [incarnation, since] of Object.entries(await ledgers.other.hgetall(ledgers.keys.suspects))) {
    await ledgers.other.hset(ledgers.keys.suspects, incarnation, String(Number(since) - ms));
  }
}

async function suspected(incarnation: string): Promise<void> {
  await ledgers.other.hset(ledgers.keys.suspects, incarnation, String(Date.now() - 60_000));
}

const givenBack = () => stub.updates.map(({ taskId }) => taskId).sort();
const suspects = () => ledgers.other.hkeys(ledgers.keys.suspects);

describe('tasks that a dead worker had polled and never claimed', () => {
  it('are given back in one pass, and it is suspected no more', async () => {
    const b = await sweeper('b');
    const ids = await popped('a/1', 12);
    await suspected('a/1');
    await b.look();
    expect(givenBack()).toEqual([...ids].sort());
    for (const update of stub.updates) expect(update).toMatchObject({ status: 'IN_PROGRESS', callbackAfterSeconds: 1 });
    expect(await suspects()).toEqual([]);
    await b.store.flush();
    expect(await ledgers.other.get(ledgers.keys.claim(ids[0] ?? ''))).toBe(`1 released by ${b.store.incarnation}`);
    expect(stub.offences).toEqual([]);
  });

  it('are left until its last poll was certainly answered', async () => {
    const b = await sweeper('b');
    await popped('a/1');
    await b.store.suspect('a/1');
    await b.look();
    expect(stub.requests.filter(({ path }) => path.startsWith('/workflow'))).toEqual([]);
    await age(10_000);
    await b.look();
    expect(stub.updates).toHaveLength(1);
  });

  it('are found after a death, whose claims are another’s affair', async () => {
    const [a, b] = [await ledgers.open('a'), await sweeper('b')];
    const [lost = ''] = await popped(a.store.incarnation);
    const [known = ''] = await popped(a.store.incarnation);
    await claimed(a, poll(known));
    await ledgers.untilMissed(b);
    await age(10_000);
    await b.look();
    expect(givenBack()).toEqual([lost]);
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['that are over', { workflowType: 'claims' }, { status: 'COMPLETED' }],
    ['that wait in their queue', { workflowType: 'claims' }, { status: 'SCHEDULED' }],
    ['of somebody else', { workflowType: 'claims' }, { workerId: 'x/1' }],
    ['of another queue', { workflowType: 'claims', queue: 'OTHER' }, {}],
    ['of workflows without our tasks', { workflowType: 'other' }, {}],
  ])('are not confused with tasks %s', async (_, fields, change) => {
    const b = await sweeper('b');
    stub.workflowDefinitions = [DEFINITION, { name: 'other', tasks: [{ name: 'x', taskReferenceName: 'x' }] }];
    const [id = ''] = await popped('a/1', 1, fields);
    Object.assign(stub.tasks.get(id) ?? {}, change);
    await suspected('a/1');
    await b.look();
    expect(stub.updates).toEqual([]);
    expect(await suspects()).toEqual([]);
  });

  it('are left alone where somebody claimed that poll or a later one', async () => {
    const [b, c] = [await sweeper('b'), await ledgers.open('c')];
    const [first = '', second = '', third = ''] = await popped('a/1', 3);
    await claimed(c, poll(first), poll(second, 2), poll(third));
    c.store.release(c.store.incarnation, poll(third));
    await c.store.flush();
    await suspected('a/1');
    await b.look();
    expect(stub.updates).toEqual([]);
  });

  it('are found in workflows that decide their tasks only when they run', async () => {
    const b = await sweeper('b');
    stub.workflowDefinitions = [{ name: 'claims', tasks: [{ name: 'd', taskReferenceName: 'd', type: 'DYNAMIC' }] }];
    const ids = await popped('a/1');
    await suspected('a/1');
    await b.look();
    expect(givenBack()).toEqual(ids);
  });
});

describe('tasks of one who lives, whose poll got no answer', () => {
  it('are given back when they are seen again, 10 s later, without a claim', async () => {
    const [a, b] = [await ledgers.open('a'), await sweeper('b')];
    const ids = await popped(a.store.incarnation, 2);
    await suspected(a.store.incarnation);
    await b.look();
    await b.look();
    expect(stub.updates).toEqual([]);
    expect(await suspects()).toEqual([a.store.incarnation]);
    await withRedisAhead(b, 10_000, () => b.look());
    expect(givenBack()).toEqual(ids);
    expect(await suspects()).toEqual([]);
    // The answer comes after all.
    expect(await claimed(a, ...ids.map((id) => poll(id)))).toEqual(['taken', 'taken']);
  });

  it('are its own where it claimed them between', async () => {
    const [a, b] = [await ledgers.open('a'), await sweeper('b')];
    const [id = ''] = await popped(a.store.incarnation);
    await suspected(a.store.incarnation);
    await b.look();
    expect(await claimed(a, poll(id))).toEqual(['ours']);
    await withRedisAhead(b, 10_000, () => b.look());
    expect(stub.updates).toEqual([]);
    expect(await suspects()).toEqual([]);
  });

  it('are counted from the start where they were polled again, or it was suspected again', async () => {
    const [a, b] = [await ledgers.open('a'), await sweeper('b')];
    const [id = ''] = await popped(a.store.incarnation);
    await suspected(a.store.incarnation);
    await b.look();
    Object.assign(stub.tasks.get(id) ?? {}, { pollCount: 2 });
    await ledgers.other.hset(ledgers.keys.suspects, a.store.incarnation, String(Date.now() - 50_000));
    await withRedisAhead(b, 10_000, () => b.look());
    expect(stub.updates).toEqual([]);
    expect(await suspects()).toEqual([a.store.incarnation]);
    await withRedisAhead(b, 20_000, () => b.look());
    expect(givenBack()).toEqual([id]);
  });
});

describe('a pass', () => {
  it('is made by one replica, and only where somebody is suspected', async () => {
    const [b, c] = [await sweeper('b'), await sweeper('c')];
    await Promise.all([b.look(), c.look()]);
    expect(stub.requests).toEqual([]);
    await popped('a/1', 5);
    await suspected('a/1');
    await Promise.all([b.look(), c.look()]);
    expect(stub.requests.filter(({ path }) => path === '/metadata/workflow')).toHaveLength(1);
    expect(stub.updates).toHaveLength(5);
  });

  it('asks Conductor four things at once, no more', async () => {
    const b = await sweeper('b');
    await popped('a/1', 40);
    await suspected('a/1');
    stub.on.workflows = () => ({ delayMs: 3 });
    await b.look();
    expect(stub.updates).toHaveLength(40);
    expect(stub.mostWorkflowCalls).toBeLessThanOrEqual(4);
    expect(stub.mostWorkflowCalls).toBeGreaterThan(1);
  });

  it('that did not see everything is repeated, and acquits nobody', async () => {
    const b = await sweeper('b');
    const ids = await popped('a/1', 4);
    await suspected('a/1');
    stub.on.workflows = (path) => (path === `/workflow/workflow-of-${ids[2]}` ? { status: 500 } : undefined);
    await b.look();
    expect(stub.updates).toHaveLength(3);
    expect(await suspects()).toEqual(['a/1']);
    stub.on.workflows = undefined as never;
    await b.look();
    expect(givenBack()).toEqual([...ids].sort());
    expect(await suspects()).toEqual([]);
  });

  it('is tried until Conductor answers, with one warning', async () => {
    const b = await sweeper('b');
    const ids = await popped('a/1');
    await suspected('a/1');
    stub.on.workflows = () => ({ status: 503 });
    for (let times = 0; times < 3; times += 1) await b.look();
    expect(b.captured.at('warn')).toHaveLength(1);
    stub.on.workflows = undefined as never;
    await b.look();
    expect(givenBack()).toEqual(ids);
  });

  it('does not go on for more than a day about one whose workflows cannot be seen', async () => {
    const b = await sweeper('b');
    await ledgers.other.hset(ledgers.keys.suspects, 'a/1', '17');
    stub.on.workflows = () => ({ status: 500 });
    await b.look();
    expect(await suspects()).toEqual([]);
  });

  it('ends when the worker stops', async () => {
    const b = await sweeper('b');
    await popped('a/1', 40);
    await suspected('a/1');
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
    expect(await suspects()).toEqual(['a/1']);
  });

  it('is made by itself once it was started', async () => {
    const b = await sweeper('b');
    const ids = await popped('a/1');
    await suspected('a/1');
    b.sweep.start();
    await expect.poll(givenBack).toEqual(ids);
  });
});

/** As though Redis' clock were further on, where the sweep reads it. */
async function withRedisAhead({ store }: Sweeper, ms: number, act: () => Promise<void>): Promise<void> {
  const suspectsNow = store.suspects;
  Object.assign(store, {
    async suspects() {
      const { now, found } = await suspectsNow();
      return { now: now + ms, found };
    },
  });
  try {
    await act();
  } finally {
    Object.assign(store, { suspects: suspectsNow });
  }
}
