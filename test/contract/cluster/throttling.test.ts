import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { LaneStore } from '../../../src/cluster/lane-store.ts';
import type { ClusterLimits } from '../../../src/integrations/lanes/lane-cluster.ts';
import type {} from '../../support/redis-for-all.ts';
import { until } from '../support/live-catalog.ts';
import { LANE, type LaneWorld, NO_LIMITS, startLaneWorld } from './support/lane-world.ts';

let world: LaneWorld;
beforeEach(async () => {
  world = await startLaneWorld(inject('redisUrl'));
});
afterEach(() => world[Symbol.asyncDispose]());

const CLUSTER_OF_16: ClusterLimits = { ...NO_LIMITS, concurrency: 16 };
const key = () => world.names.lane(LANE).throttle;
const limitInRedis = async () => Number(await world.other.hget(key(), 'limit'));
const soon = { started: true, tickMs: 30 };

/** A call that began just now, or `startedMsAgo`, is throttled. */
function throttled(
  store: LaneStore,
  { startedMsAgo = 0, running = 1, limits = CLUSTER_OF_16, perWorker = undefined as number | undefined } = {},
) {
  store.throttled(LANE, { startedMsAgo, running, limits, perWorker });
}

async function cut(store: LaneStore, to: number, report: Parameters<typeof throttled>[1] = {}): Promise<void> {
  throttled(store, report);
  await until(() => store.effective(LANE) === to, 10_000);
}

function succeed(store: LaneStore, times: number): void {
  for (let n = 0; n < times; n += 1) store.succeededWhileFull(LANE);
}

describe('a lane with a limit over all workers', () => {
  it('is not shrunk at the start', async () => {
    const { store, ask } = await world.worker();
    expect(store.effective(LANE)).toBeUndefined();
    expect(await ask({ concurrency: 16 }, 20)).toMatchObject({ granted: { length: 16 }, concurrency: 16 });
  });

  it('is halved from the calls that run, over all workers, and admits no more than that', async () => {
    const [one, two] = [await world.worker(), await world.worker(soon)];
    await one.ask({ concurrency: 16 }, 6);
    const { granted } = await two.ask({ concurrency: 16 }, 6);
    await cut(one.store, 6);
    for (const lease of granted) two.store.release(lease, undefined);
    expect(await two.ask({ concurrency: 16 })).toMatchObject({ granted: [], concurrency: 6 });
    expect(two.store.effective(LANE)).toBe(6);
  });

  it('is cut once for a burst, whoever reports it', async () => {
    const [one, two] = [await world.worker(), await world.worker()];
    await one.ask({ concurrency: 16 }, 16);
    for (let n = 0; n < 20; n += 1) throttled(one.store);
    for (let n = 0; n < 20; n += 1) throttled(two.store);
    await until(() => one.store.effective(LANE) === 8 && two.store.effective(LANE) === 8, 10_000);
    for (const { store } of [one, two]) throttled(store, { startedMsAgo: 60_000 });
    for (const { store } of [one, two]) await store.stop();
    expect(await limitInRedis()).toBe(8);
  });

  it('is cut again by calls that began after the cut, down to one', async () => {
    const { store, ask } = await world.worker();
    await ask({ concurrency: 16 }, 16);
    for (const limit of [8, 4, 2, 1]) await cut(store, limit);
    const { cutAt: before } = await world.other.hgetall(key());
    await sleep(5);
    throttled(store);
    await until(async () => (await world.other.hget(key(), 'cutAt')) !== before, 10_000);
    expect(store.effective(LANE)).toBe(1);
  });

  it('grows by one for as many successes as it has places, until it is what it was', async () => {
    const { store, ask } = await world.worker();
    await ask({ concurrency: 16 }, 4);
    const limits = { ...NO_LIMITS, concurrency: 4 };
    await cut(store, 2, { limits });
    succeed(store, 1);
    await sleep(20);
    expect(store.effective(LANE)).toBe(2);
    succeed(store, 1);
    await until(() => store.effective(LANE) === 3, 10_000);
    succeed(store, 3);
    await until(() => store.effective(LANE) === undefined, 10_000);
    expect(await world.other.exists(key())).toBe(0);
    succeed(store, 100);
    expect(store.effective(LANE)).toBeUndefined();
  });

  it('shows every worker what the others made of it', async () => {
    const [one, two] = [await world.worker(), await world.worker(soon)];
    two.store.effective(LANE);
    await one.ask({ concurrency: 16 }, 16);
    await cut(one.store, 8);
    await until(() => two.store.effective(LANE) === 8, 10_000);
    await world.other.del(key());
    await until(() => two.store.effective(LANE) === undefined, 10_000);
  });

  it('forgets its throttling ten minutes after the last change', async () => {
    const { store } = await world.worker();
    await cut(store, 4, { running: 8 });
    expect(await world.other.pttl(key())).toBeGreaterThan(590_000);
    await world.other.pexpire(key(), 1_000);
    succeed(store, 4);
    await until(() => store.effective(LANE) === 5, 10_000);
    expect(await world.other.pttl(key())).toBeGreaterThan(590_000);
  });

  it.each([
    ['no number', { limit: 'x', cutAt: 'y', scope: 'cluster', ceiling: '16' }],
    ['a cut in the future', { limit: '3', cutAt: '99999999999999', scope: 'cluster', ceiling: '16' }],
  ])('is cut anew where the record has %s', async (_, record) => {
    const { store } = await world.worker();
    await world.other.hset(key(), record);
    await cut(store, 4, { running: 8 });
    expect(await world.other.hgetall(key())).toMatchObject({ limit: '4', cutAt: expect.stringMatching(/^\d{13}$/) });
  });
});

describe('a lane without a limit over all workers', () => {
  it('is halved from the calls of the worker that is throttled, for each worker', async () => {
    const [one, two] = [await world.worker(), await world.worker(soon)];
    two.store.effective(LANE);
    await cut(one.store, 20, { limits: NO_LIMITS, running: 40 });
    await until(() => two.store.effective(LANE) === 20, 10_000);
    // Should it get a limit over all workers, that is not the one of each.
    expect(await two.ask({ concurrency: 50 }, 60)).toMatchObject({ granted: { length: 50 }, concurrency: 50 });
  });

  it('is not cut again by a worker whose call began before it knew', async () => {
    const [one, two] = [await world.worker(), await world.worker()];
    await cut(one.store, 20, { limits: NO_LIMITS, running: 40 });
    await cut(two.store, 20, { limits: NO_LIMITS, running: 100 });
    await cut(two.store, 10, { limits: NO_LIMITS, running: 20 });
  });

  it('grows once for a round of all workers', async () => {
    const [one, two] = [await world.worker(), await world.worker()];
    const report = { limits: NO_LIMITS, running: 4, perWorker: 10 };
    await cut(one.store, 2, report);
    await cut(two.store, 2, report);
    for (const { store } of [one, two]) succeed(store, 2);
    await until(() => one.store.effective(LANE) === 3 && two.store.effective(LANE) === 3, 10_000);
    expect(await limitInRedis()).toBe(3);
  });

  it('has a ceiling: its limit of each worker, else ten thousand', async () => {
    const { store } = await world.worker();
    await cut(store, 5_000, { limits: NO_LIMITS, running: 1_000_000 });
    await world.other.hset(key(), 'limit', 9_999);
    succeed(store, 5_000);
    await until(() => store.effective(LANE) === 9_999, 10_000);
    succeed(store, 9_999);
    await until(() => store.effective(LANE) === undefined, 10_000);
  });
});

describe('throttling', () => {
  it('is kept in mind while Redis is away', async () => {
    const { store, redis } = await world.worker();
    await cut(store, 4, { running: 8 });
    redis.disconnect();
    throttled(store);
    succeed(store, 4);
    await store.stop();
    expect(store.effective(LANE)).toBe(4);
    expect(world.captured.at('warn').map(({ msg }) => msg)).toContain('What replicas share of lanes is not up to date');
  });
});
