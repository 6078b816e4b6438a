import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Lease } from '../../../src/integrations/lanes/lane-cluster.ts';
import type {} from '../../support/redis-for-all.ts';
import { until } from '../support/live-catalog.ts';
import { LANE, type LaneWorld, startLaneWorld } from './support/lane-world.ts';

let world: LaneWorld;
beforeEach(async () => {
  world = await startLaneWorld(inject('redisUrl'));
});
afterEach(() => world[Symbol.asyncDispose]());

const buckets = () => world.other.hgetall(world.names.lane(LANE).rates);
const sum = async (kind: 'r' | 't') =>
  Object.entries(await buckets()).reduce((all, [at, count]) => all + (at.startsWith(kind) ? Number(count) : 0), 0);
const second = async () => Math.floor((await world.now()) / 1_000);
/** Puts requests or tokens into the second that was `ago` seconds before the present one. */
const spent = async (kind: 'r' | 't', ago: number, count: number) =>
  world.other.hset(world.names.lane(LANE).rates, `${kind}:${(await second()) - ago}`, count);
const one = (leases: readonly Lease[]): Lease => leases[0] as Lease;

describe('requests a minute', () => {
  it('count over all workers, and say when the window opens again', async () => {
    const [first, second] = [await world.worker(), await world.worker()];
    expect((await first.ask({ requestsPerMinute: 5 }, 3)).granted).toHaveLength(3);
    const { granted, retryAfterMs, concurrency } = await second.ask({ requestsPerMinute: 5 }, 3);
    expect([granted.length, concurrency]).toEqual([2, undefined]);
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(61_000);
    expect((await first.ask({ requestsPerMinute: 5 })).granted).toEqual([]);
    expect(await sum('r')).toBe(5);
  });

  it('are those of this second and the sixty before it', async () => {
    const worker = await world.worker();
    await spent('r', 62, 100);
    await spent('r', 55, 3);
    await spent('r', 30, 1);
    const { granted, retryAfterMs } = await worker.ask({ requestsPerMinute: 5 }, 5);
    expect(granted).toHaveLength(1);
    // When the three leave: six seconds from the begin of this one.
    expect(retryAfterMs).toBeLessThanOrEqual(6_000);
    expect(Object.keys(await buckets())).toHaveLength(3);
  });

  it('of the future, or of nobody knows what, neither count for ever nor break anything', async () => {
    const worker = await world.worker();
    await spent('r', -3_600, 2);
    await world.other.hset(world.names.lane(LANE).rates, {
      'r:x': '9',
      nonsense: '9',
      [`r:${await second()}`]: 'many',
    });
    expect((await worker.ask({ requestsPerMinute: 5 }, 5)).granted).toHaveLength(3);
    expect(Object.keys(await buckets()).every((at) => /^r:\d+$/.test(at))).toBe(true);
    expect(await sum('r')).toBe(5);
  });

  it('are not spent where the lane has no place free', async () => {
    const worker = await world.worker();
    expect((await worker.ask({ concurrency: 2, requestsPerMinute: 10 }, 5)).granted).toHaveLength(2);
    expect(await sum('r')).toBe(2);
  });

  it('take no place where they are used up', async () => {
    const worker = await world.worker();
    await spent('r', 10, 9);
    const { granted, retryAfterMs } = await worker.ask({ concurrency: 5, requestsPerMinute: 10 }, 3);
    expect(granted).toHaveLength(1);
    expect(retryAfterMs).toBeGreaterThan(40_000);
    expect(await world.other.zcard(world.names.lane(LANE).leases)).toBe(1);
  });

  it('leave nothing behind for longer than the window', async () => {
    const worker = await world.worker();
    await worker.ask({ requestsPerMinute: 5, tokensPerMinute: 5 }, 1, 1);
    const left = await world.other.pttl(world.names.lane(LANE).rates);
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(62_000);
  });
});

describe('tokens a minute', () => {
  it('admit in order while the balance is above zero, and let it go below', async () => {
    const worker = await world.worker();
    const { granted } = await worker.ask({ tokensPerMinute: 100 }, 5, 40);
    expect(granted).toHaveLength(3);
    expect(await sum('t')).toBe(120);
    const next = await worker.ask({ tokensPerMinute: 100 }, 1, 1);
    expect(next.granted).toEqual([]);
    expect(next.retryAfterMs).toBeGreaterThan(50_000);
  });

  it('admit a request that is larger than the limit, once there is any balance', async () => {
    const [first, second] = [await world.worker(), await world.worker()];
    expect((await first.ask({ tokensPerMinute: 100 }, 1, 1_000)).granted).toHaveLength(1);
    expect((await second.ask({ tokensPerMinute: 100 }, 1, 1)).granted).toEqual([]);
  });

  it('say when the balance is above zero again', async () => {
    const worker = await world.worker();
    await spent('t', 55, 50);
    await spent('t', 40, 150);
    const { retryAfterMs } = await worker.ask({ tokensPerMinute: 100 }, 1, 10);
    expect(retryAfterMs).toBeGreaterThan(15_000);
    expect(retryAfterMs).toBeLessThanOrEqual(21_000);
  });

  it('are settled by what a call used: what was charged too much comes back', async () => {
    const worker = await world.worker();
    const { granted } = await worker.ask({ tokensPerMinute: 100 }, 1, 150);
    worker.store.release(one(granted), 30);
    worker.store.release(one(granted), 30);
    await until(async () => (await sum('t')) === 30);
    expect((await worker.ask({ tokensPerMinute: 100 }, 1, 10)).granted).toHaveLength(1);
    expect(await sum('t')).toBe(40);
  });

  it('are settled by what a call used: what was charged too little counts now', async () => {
    const worker = await world.worker();
    const { granted } = await worker.ask({ tokensPerMinute: 100 }, 1, 10);
    worker.store.release(one(granted), 130.5);
    await until(async () => (await sum('t')) === 131);
    expect((await worker.ask({ tokensPerMinute: 100 }, 1, 1)).granted).toEqual([]);
  });

  it('stay as estimated where nobody knows what a call used', async () => {
    const worker = await world.worker();
    const { granted } = await worker.ask({ concurrency: 1, tokensPerMinute: 100 }, 1, 60);
    worker.store.release(one(granted), undefined);
    await worker.ask({ concurrency: 1, tokensPerMinute: 100 }, 1, 1);
    expect(await sum('t')).toBe(61);
  });

  it('do not come back from a second that has left the window', async () => {
    const worker = await world.worker();
    const { granted } = await worker.ask({ tokensPerMinute: 100 }, 1, 90);
    await world.other.del(world.names.lane(LANE).rates);
    worker.store.release(one(granted), 0);
    await worker.store.stop();
    expect(await buckets()).toEqual({});
  });
});
