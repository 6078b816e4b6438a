import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { readTicket } from '../../../src/cluster/lanes/ticket-json.ts';
import type { DeferralRequest } from '../../../src/integrations/lanes/lane-cluster.ts';
import type {} from '../../support/redis-for-all.ts';
import { until } from '../support/live-catalog.ts';
import { LANE, type LaneWorld, startLaneWorld } from './support/lane-world.ts';

let world: LaneWorld;
beforeEach(async () => {
  world = await startLaneWorld(inject('redisUrl'));
});
afterEach(() => world[Symbol.asyncDispose]());

const waiting = (taskId: string, order: number, more: Partial<DeferralRequest> = {}): DeferralRequest => ({
  lane: LANE,
  taskId,
  workflowInstanceId: `workflow of ${taskId}`,
  pollCount: 1,
  order,
  intervalMs: 10_000,
  ahead: 0,
  atMostMs: 600_000,
  throttled: false,
  ...more,
});

const ticketOf = async (taskId: string) => readTicket(await world.other.get(world.names.ledger.ticket(taskId)));
const tickets = () => world.other.zrange(world.names.lane(LANE).tickets, 0, '-1');
/** Makes a task come back, by its ticket, `inMs` from now. */
const dueIn = async (taskId: string, inMs: number) =>
  world.other.zadd(world.names.lane(LANE).due, (await world.now()) + inMs, taskId);

describe('a task that must wait', () => {
  it('sleeps its rank times the interval of the lane, less two seconds', async () => {
    const [{ store: one }, { store: two }] = [await world.worker(), await world.worker()];
    expect(await one.defer(waiting('a', 100))).toEqual({ sleepMs: 1_000, throttledForMs: undefined });
    expect((await two.defer(waiting('b', 200))).sleepMs).toBe(8_000);
    expect((await two.defer(waiting('c', 300, { ahead: 2 }))).sleepMs).toBe(38_000);
    expect((await one.defer(waiting('first', 50))).sleepMs).toBe(1_000);
    expect((await one.defer(waiting('b', 200))).sleepMs).toBe(18_000);
  });

  it.each([
    ['at least a second', { ahead: 0 }, 1_000],
    ['at least a second, whatever its timeouts', { atMostMs: 10 }, 1_000],
    ['as long as it is told at least', { atLeastMs: 5_500 }, 5_500],
    ['no longer than its timeouts allow', { ahead: 30, atLeastMs: 9_000, atMostMs: 7_000 }, 7_000],
    ['ten minutes at most', { ahead: 1_000, atMostMs: 3_600_000 }, 600_000],
    ['whole milliseconds', { ahead: 1, intervalMs: 4_000.7 }, 2_000],
    ['whole milliseconds, whatever it is told at least', { atLeastMs: 1_234.567 }, 1_234],
    ['as it is told where nothing bounds it', { atLeastMs: 2_500.5, atMostMs: Number.POSITIVE_INFINITY }, 2_500],
  ])('sleeps %s', async (_, more, sleepMs) => {
    const { store } = await world.worker();
    expect((await store.defer(waiting('a', 1, more))).sleepMs).toBe(sleepMs);
  });

  it('keeps its place when it comes back, even where it asks for a later one', async () => {
    const { store } = await world.worker();
    for (const [taskId, order] of [
      ['a', 1_764_000_000_001],
      ['b', 1_764_000_000_002],
    ] as const) {
      await store.defer(waiting(taskId, order));
    }
    await store.defer(waiting('a', 1_764_000_999_999, { pollCount: 2 }));
    expect(await tickets()).toEqual(['a', 'b']);
    expect(await ticketOf('a')).toMatchObject({ order: 1_764_000_000_001, pollCount: 2, lane: LANE });
  });

  it('keeps its place by its ticket alone, where the order was swept', async () => {
    const { store } = await world.worker();
    await store.defer(waiting('a', 1));
    await store.defer(waiting('b', 2));
    await world.other.zrem(world.names.lane(LANE).tickets, 'a');
    await store.defer(waiting('a', 3));
    expect(await tickets()).toEqual(['a', 'b']);
  });

  it('waits like a new one where its ticket cannot be read', async () => {
    const { store } = await world.worker();
    for (const text of ['', '{', 'null', '[1]', '{"order":"x","firstThrottledAt":{},"throttles":[]}']) {
      await world.other.set(world.names.ledger.ticket('a'), text);
      expect(readTicket(text)).toBeUndefined();
      expect(await store.defer(waiting('a', 7))).toEqual({ sleepMs: 1_000, throttledForMs: undefined });
      expect(await ticketOf('a')).toMatchObject({ taskId: 'a', order: 7, throttles: 0 });
    }
  });

  it('has a ticket that ends an hour after its sleep', async () => {
    const { store } = await world.worker();
    const { sleepMs } = await store.defer(waiting('a', 1, { ahead: 5 }));
    const left = await world.other.pttl(world.names.ledger.ticket('a'));
    expect(left).toBeGreaterThan(3_600_000);
    expect(left).toBeLessThanOrEqual(3_600_000 + sleepMs);
  });
});

describe('a throttled task', () => {
  it('counts from its first throttling, over workers and starts', async () => {
    const [{ store: one }, { store: two }] = [await world.worker(), await world.worker()];
    expect((await one.defer(waiting('a', 1, { throttled: true }))).throttledForMs).toBe(0);
    const first = (await ticketOf('a'))?.firstThrottledAt;
    one.forget({ lane: LANE, taskId: 'a' });
    await until(async () => (await tickets()).length === 0);
    await sleep(20);
    const later = await two.defer(waiting('a', 1, { throttled: true }));
    expect(later.throttledForMs).toBeGreaterThanOrEqual(20);
    expect(await ticketOf('a')).toMatchObject({ firstThrottledAt: first, throttles: 2 });
    const unthrottled = await two.defer(waiting('a', 1));
    expect(unthrottled.throttledForMs).toBeGreaterThanOrEqual(20);
    expect(await ticketOf('a')).toMatchObject({ throttles: 2 });
  });

  it('that is forgotten leaves nothing for longer than ten minutes', async () => {
    const { store } = await world.worker();
    await store.defer(waiting('a', 1, { throttled: true }));
    store.forget({ lane: LANE, taskId: 'a' });
    await until(async () => (await world.other.pttl(world.names.ledger.ticket('a'))) <= 600_000);
    expect(await tickets()).toEqual([]);
  });
});

describe('a task that has started', () => {
  it('leaves no trace, nor does its lane', async () => {
    const { store } = await world.worker();
    await store.defer(waiting('a', 1));
    await store.defer(waiting('b', 2));
    store.forget({ lane: LANE, taskId: 'a' });
    await until(async () => (await tickets()).length === 1);
    expect(await world.other.smembers(world.names.waiting)).toEqual([LANE]);
    store.forget({ lane: LANE, taskId: 'b' });
    await until(async () => (await world.other.keys(`${world.names.prefix}run:*`)).length === 1);
    expect(await world.other.keys(`${world.names.prefix}run:*`)).toEqual([world.names.ledger.epoch]);
  });

  it('and is to wait again before that was written keeps its place', async () => {
    const { store } = await world.worker();
    await store.defer(waiting('a', 1));
    await store.defer(waiting('b', 2));
    store.forget({ lane: LANE, taskId: 'a' });
    await store.defer(waiting('a', 3));
    await store.stop();
    expect(await tickets()).toEqual(['a', 'b']);
  });

  it('is forgotten at a stop at the latest', async () => {
    const { store } = await world.worker();
    await store.defer(waiting('a', 1));
    store.forget({ lane: LANE, taskId: 'a' });
    await store.stop();
    expect(await tickets()).toEqual([]);
  });
});

describe('sleepers', () => {
  it('are known to every worker, by lane', async () => {
    const [{ store: one }, { store: two }] = [await world.worker(), await world.worker({ started: true, tickMs: 50 })];
    await one.defer(waiting('a', 1, { ahead: 3 }));
    await one.defer(waiting('b', 2, { ahead: 3 }));
    await one.defer({ ...waiting('c', 3, { ahead: 3 }), lane: 'other' });
    expect([...one.sleeping()]).toEqual([
      [LANE, 2],
      ['other', 1],
    ]);
    await until(() => two.sleeping().size === 2);
    expect(Object.fromEntries(two.sleeping())).toEqual({ [LANE]: 2, other: 1 });
    one.forget({ lane: 'other', taskId: 'c' });
    await dueIn('a', -1);
    await until(() => two.sleeping().get(LANE) === 1 && !two.sleeping().has('other'));
  });

  it('are handed out in order, each once, however many ask', async () => {
    const workers = await Promise.all([world.worker(), world.worker(), world.worker()]);
    for (let n = 0; n < 250; n += 1) await workers[0]?.store.defer(waiting(`t${n}`, 1_000 - n, { ahead: 5 }));
    const answers = await Promise.all(workers.map(({ store }, index) => store.takeSleepers(LANE, 10 * (index + 1))));
    const taken = answers.flat().map(({ taskId }) => taskId);
    // What one has taken is due soon, and comes off what the next one wants.
    expect(taken).toEqual(Array.from({ length: 30 }, (_, n) => `t${249 - n}`));
    expect(answers.flat()[0]).toMatchObject({ taskId: 't249', workflowInstanceId: 'workflow of t249', pollCount: 1 });
    expect(await workers[0]?.store.takeSleepers(LANE, 30)).toEqual([]);
    expect(await workers[0]?.store.takeSleepers(LANE, 150)).toHaveLength(120);
  });

  it('that could not be called are due when they were, and are handed out again', async () => {
    const { store } = await world.worker();
    for (const [order, taskId] of ['a', 'b'].entries()) await store.defer(waiting(taskId, order, { ahead: 5 }));
    const due = () => world.other.zrange(world.names.lane(LANE).due, '0', '-1', 'WITHSCORES');
    const before = await due();
    const taken = await store.takeSleepers(LANE, 2);
    expect(taken.map(({ taskId }) => taskId)).toEqual(['a', 'b']);
    expect(await due()).not.toEqual(before);
    store.leaveAsleep(LANE, taken);
    await until(async () => JSON.stringify(await due()) === JSON.stringify(before));
    expect((await store.takeSleepers(LANE, 2)).map(({ taskId }) => taskId)).toEqual(['a', 'b']);
  });

  it('that were put off again, or are gone, before they could be called stay as they are', async () => {
    const { store } = await world.worker();
    for (const [order, taskId] of ['a', 'b'].entries()) await store.defer(waiting(taskId, order, { ahead: 5 }));
    const taken = await store.takeSleepers(LANE, 2);
    await store.defer(waiting('a', 0, { pollCount: 2 }));
    store.forget({ lane: LANE, taskId: 'b' });
    const due = async () => Number(await world.other.zscore(world.names.lane(LANE).due, 'a'));
    const before = await due();
    await until(async () => (await tickets()).length === 1);
    store.leaveAsleep(LANE, taken);
    await store.stop();
    expect([await due(), await tickets()]).toEqual([before, ['a']]);
    expect(await world.other.zscore(world.names.lane(LANE).due, 'b')).toBeNull();
  });

  it('that come back soon by themselves are not woken, nor is anybody in their place', async () => {
    const { store } = await world.worker();
    for (const [order, taskId] of ['a', 'b', 'c', 'd'].entries())
      await store.defer(waiting(taskId, order, { ahead: 5 }));
    await dueIn('a', 2_000);
    await dueIn('b', -200);
    expect((await store.takeSleepers(LANE, 3)).map(({ taskId }) => taskId)).toEqual(['c']);
  });

  it('that did not come back do not hold up the others', async () => {
    const { store } = await world.worker();
    for (const [order, taskId] of ['a', 'b', 'c'].entries()) await store.defer(waiting(taskId, order, { ahead: 5 }));
    await dueIn('a', -5_000);
    expect((await store.takeSleepers(LANE, 1)).map(({ taskId }) => taskId)).toEqual(['b']);
  });

  it('whose ticket is gone, unreadable or of another lane are passed over', async () => {
    const { store } = await world.worker();
    for (const [order, taskId] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      await store.defer(waiting(taskId, order, { ahead: 5 }));
    }
    await world.other.del(world.names.ledger.ticket('a'));
    await world.other.set(world.names.ledger.ticket('b'), '{"taskId":');
    await store.defer({ ...waiting('c', 2, { ahead: 5 }), lane: 'other' });
    await world.other.zrem(world.names.lane(LANE).due, 'd');
    expect((await store.takeSleepers(LANE, 5)).map(({ taskId }) => taskId)).toEqual(['e']);
    expect(await tickets()).not.toContain('d');
  });

  it('that are 30 s overdue are swept, by any that waits and by the tick', async () => {
    const { store } = await world.worker();
    for (const [order, taskId] of ['a', 'b', 'c'].entries()) await store.defer(waiting(taskId, order));
    await dueIn('a', -30_500);
    await dueIn('b', -29_000);
    expect((await store.defer(waiting('d', 9))).sleepMs).toBe(18_000);
    expect(await tickets()).toEqual(['b', 'c', 'd']);
    for (const taskId of ['b', 'c', 'd']) await dueIn(taskId, -31_000);
    await world.worker({ started: true, tickMs: 50 });
    await until(async () => (await world.other.smembers(world.names.waiting)).length === 0);
    expect(await tickets()).toEqual([]);
  });

  it('are asked for in vain where Redis is away', async () => {
    const { store, redis } = await world.worker();
    redis.disconnect();
    await until(() => !store.reachable);
    await expect(store.takeSleepers(LANE, 1)).rejects.toThrow();
    await expect(store.defer(waiting('a', 1))).rejects.toThrow();
  });
});
