import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { KeptAnswer } from '../../../src/workers/ledger/ledger.ts';
import { createRescue, type Rescue } from '../../../src/workers/ledger/rescue.ts';
import type {} from '../../support/redis-for-all.ts';
import { connect } from '../../workers/support/harness.ts';
import { type StubConductor, startStubConductor } from '../../workers/support/stub-conductor.ts';
import { claimed, type Ledgers, openLedgers, poll, type StoreUnderTest } from '../support/ledger.ts';

const QUEUE = 'LLM_TEXT_COMPLETE';
const ANSWER: KeptAnswer = { inputHash: 'x', result: { status: 'COMPLETED', outputData: { result: 'kept' } } };

let ledgers: Ledgers;
let stub: StubConductor;
let link: ReturnType<typeof connect>;
let giveUp: AbortController;
beforeEach(async () => {
  ledgers = await openLedgers(inject('redisUrl'));
  stub = await startStubConductor();
  link = connect(stub);
  giveUp = new AbortController();
});
afterEach(async () => {
  giveUp.abort();
  await ledgers[Symbol.asyncDispose]();
  await stub[Symbol.asyncDispose]();
  await link.close();
});

/** A worker that rescues whatever it takes over. */
async function rescuer(label: string): Promise<StoreUnderTest & { readonly rescue: Rescue }> {
  const under = await ledgers.open(label, { beat: false });
  const { conductor } = link;
  const parts = { conductor, ledger: under.store, log: under.captured.log, giveUp: giveUp.signal, lookAgainMs: 5 };
  const rescue = createRescue(parts);
  under.store.listen({ takenOver: (tasks) => rescue.rescue(tasks) });
  await under.store.tick();
  return Object.assign(under, { rescue });
}

/** Tasks that a worker has polled and claimed. */
async function polledBy({ store }: StoreUnderTest, count: number, fields: Record<string, unknown> = {}) {
  const ids = Array.from({ length: count }, () => stub.add(QUEUE, fields));
  const polled = { queue: QUEUE, count, waitMs: 5, workerId: store.incarnation, domain: undefined };
  await link.conductor.poll(polled);
  await store.claim(
    store.incarnation,
    ids.map((id) => poll(id, stub.tasks.get(id)?.pollCount)),
  );
  return ids;
}

const updatesOf = (taskId: string) => stub.updates.filter((update) => update.taskId === taskId);
const releasedAll = async (ids: readonly string[]) => {
  const claims = await ledgers.other.mget(ids.map((id) => ledgers.keys.claim(id)));
  return claims.every((claim) => claim?.includes(' released by '));
};

describe('a task of a worker that died', () => {
  it('is given back, once, and off the ledger', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const ids = await polledBy(a, 20);
    await ledgers.untilMissed(b);
    await b.rescue.idle();
    expect(stub.updates).toHaveLength(20);
    for (const id of ids) {
      expect(updatesOf(id)).toMatchObject([{ status: 'IN_PROGRESS', callbackAfterSeconds: 1 }]);
      expect(stub.tasks.get(id)?.status).toBe('SCHEDULED');
    }
    await b.store.flush();
    expect(await releasedAll(ids)).toBe(true);
    expect(stub.offences).toEqual([]);
  });

  it('sleeps for so long, after a long wait, that its poll timeout does not end it', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const waited = { scheduledTime: Date.now() - 100_000, taskDefinition: { pollTimeoutSeconds: 60 } };
    await polledBy(a, 1, waited);
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    expect(stub.updates).toHaveLength(1);
    expect(stub.updates[0]?.callbackAfterSeconds).toBeGreaterThanOrEqual(50);
  });

  it('is given back once by two rescuers at once', async () => {
    const [a, b, c] = [await ledgers.open('a'), await rescuer('b'), await rescuer('c')];
    const ids = await polledBy(a, 30);
    await a.store.leave();
    await Promise.all([b.store.tick(), c.store.tick()]);
    await Promise.all([b.rescue.idle(), c.rescue.idle()]);
    expect(stub.updates.map(({ taskId }) => taskId).sort()).toEqual([...ids].sort());
  });

  it('gets the answer that was kept, and none is asked for again', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const [id = ''] = await polledBy(a, 1);
    await a.store.keepAnswer(id, ANSWER);
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    expect(updatesOf(id)).toMatchObject([{ status: 'COMPLETED', outputData: { result: 'kept' } }]);
    expect(stub.tasks.get(id)?.status).toBe('COMPLETED');
    await b.store.flush();
    expect(await ledgers.other.exists(ledgers.keys.answer(id))).toBe(0);
    expect(await releasedAll([id])).toBe(true);
  });

  it('whose answer came too late has it kept for a while, for a retry under a new id', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const [id = ''] = await polledBy(a, 1);
    await a.store.keepAnswer(id, ANSWER);
    Object.assign(stub.tasks.get(id) ?? {}, { status: 'TIMED_OUT' });
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    await b.store.flush();
    const seconds = await ledgers.other.ttl(ledgers.keys.answer(id));
    expect(seconds).toBeGreaterThan(600);
    expect(seconds).toBeLessThanOrEqual(1_200);
  });

  it('whose kept answer Conductor refuses for good fails, rather than staying for ever', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const [id = ''] = await polledBy(a, 1);
    await a.store.keepAnswer(id, ANSWER);
    stub.on.update = ({ status }) => (status === 'COMPLETED' ? { status: 413 } : undefined);
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    expect(stub.tasks.get(id)?.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    expect(updatesOf(id).at(-1)?.outputData?.error?.code).toBe('RESULT_REFUSED');
  });

  it.each([
    ['it is over', { status: 'COMPLETED' }],
    ['it waits in its queue', { status: 'SCHEDULED' }],
    ['another has it', { workerId: 'c/1' }],
    ['it was polled again', { pollCount: 2 }],
  ])('is left alone where %s', async (_, change) => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const [id = ''] = await polledBy(a, 1);
    Object.assign(stub.tasks.get(id) ?? {}, change);
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    expect(stub.updates).toEqual([]);
    await b.store.flush();
    expect(await releasedAll([id])).toBe(true);
  });

  it('that Conductor has no more is off the ledger', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    await claimed(a, poll('nowhere'));
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    await b.store.flush();
    expect(await releasedAll(['nowhere'])).toBe(true);
  });

  it('is not given back by one who lost its claim while it looked', async () => {
    const [a, b, c] = [await ledgers.open('a'), await rescuer('b'), await ledgers.open('c')];
    const [id = ''] = await polledBy(a, 1);
    const [looked, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    stub.on.look = () => {
      looked.resolve();
      return { until: mayGoOn.promise };
    };
    await a.store.leave();
    await b.store.tick();
    await looked.promise;
    await c.store.claim(c.store.incarnation, [poll(id, 2)]);
    mayGoOn.resolve();
    await b.rescue.idle();
    expect(stub.updates).toEqual([]);
    expect(await ledgers.other.get(ledgers.keys.claim(id))).toBe(`2 ${c.store.incarnation}`);
  });
});

describe('a give-back whose answer was lost', () => {
  it('is not repeated where it was done', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const [id = ''] = await polledBy(a, 1);
    stub.on.update = () => ({ cut: 'after' });
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    expect(updatesOf(id)).toHaveLength(1);
    expect(stub.looks).toHaveLength(2);
  });

  it('is repeated where it was not', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const [id = ''] = await polledBy(a, 1);
    let cuts = 0;
    stub.on.update = () => (cuts++ < 2 ? { cut: 'before' } : undefined);
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    expect(updatesOf(id)).toHaveLength(3);
    expect(stub.looks).toHaveLength(3);
    expect(stub.tasks.get(id)?.status).toBe('SCHEDULED');
  });
});

describe('a rescue', () => {
  it('is over as soon as it is given up, though Conductor never answers', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    await polledBy(a, 3);
    stub.on.look = () => ({ hang: true });
    await a.store.leave();
    await b.store.tick();
    await expect.poll(() => stub.looks.length).toBe(3);
    giveUp.abort(new Error('the worker is stopping'));
    await b.rescue.idle();
    expect(stub.updates).toEqual([]);
  });

  it('waits for a Conductor that is away, and for a Redis that is', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const ids = await polledBy(a, 12);
    let refused = 0;
    stub.on.look = () => (refused++ < 15 ? { status: 503 } : undefined);
    await a.store.leave();
    await b.store.tick();
    await expect.poll(() => refused).toBeGreaterThan(8);
    await (await b.cut())();
    await b.rescue.idle();
    expect(stub.updates.map(({ taskId }) => taskId).sort()).toEqual([...ids].sort());
    expect(b.rescue.waiting).toBe(0);
  });

  it('deals with eight tasks at once, no more', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    await polledBy(a, 40);
    let [open, most] = [0, 0];
    stub.on.look = () => {
      open += 1;
      most = Math.max(most, open);
      return undefined;
    };
    stub.on.update = () => {
      open -= 1;
      return undefined;
    };
    await a.store.leave();
    await b.store.tick();
    await b.rescue.idle();
    expect(stub.updates).toHaveLength(40);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('of tasks that fail again and again delays no other', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const ids = await polledBy(a, 20);
    // As many as are dealt with at once, and those that come first.
    const ill = new Set<string>();
    stub.on.look = (taskId) => {
      if (ill.size < 8) ill.add(taskId);
      return ill.has(taskId) ? { status: 500 } : undefined;
    };
    await a.store.leave();
    await b.store.tick();
    await expect.poll(() => stub.updates.length, { timeout: 5_000 }).toBe(12);
    expect(stub.updates.map(({ taskId }) => taskId).sort()).toEqual(ids.filter((id) => !ill.has(id)).sort());
    expect(b.rescue.waiting).toBe(8);
  });

  it('that is given up leaves its tasks to the next', async () => {
    const [a, b] = [await ledgers.open('a'), await rescuer('b')];
    const ids = await polledBy(a, 10);
    stub.on.look = () => ({ status: 503 });
    await a.store.leave();
    await b.store.tick();
    await expect.poll(() => stub.looks.length).toBeGreaterThan(0);
    giveUp.abort();
    await b.rescue.idle();
    await b.store.leave();
    stub.on = {};
    giveUp = new AbortController();
    const c = await rescuer('c');
    await c.rescue.idle();
    expect(stub.updates.map(({ taskId }) => taskId).sort()).toEqual([...ids].sort());
  });
});
