import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Lease } from '../../../src/integrations/lanes/lane-cluster.ts';
import type {} from '../../support/redis-for-all.ts';
import { until } from '../support/live-catalog.ts';
import { LANE, type LaneWorld, startLaneWorld, type WorkerOfLanes } from './support/lane-world.ts';

let world: LaneWorld;
beforeEach(async () => {
  world = await startLaneWorld(inject('redisUrl'));
});
afterEach(() => world[Symbol.asyncDispose]());

/** A worker that always wants more, held back by nothing but the lane; asks again as lanes do. */
function greedy(worker: WorkerOfLanes, concurrency: number) {
  const held: Lease[] = [];
  let wants = true;
  let ran = 0;
  const running = (async () => {
    while (wants) {
      const { granted } = await worker.ask({ concurrency }, 20);
      held.push(...granted);
      await sleep(10);
      // One call ends.
      const ended = held.shift();
      if (ended === undefined) continue;
      ran += 1;
      worker.store.release(ended, undefined);
    }
  })();
  return {
    held,
    ran: () => ran,
    async [Symbol.asyncDispose]() {
      wants = false;
      await running;
    },
  };
}

describe('a full lane', () => {
  it('is shared evenly with a worker that comes later', async () => {
    const [a, b] = [await world.worker(), await world.worker()];
    await using first = greedy(a, 8);
    await until(() => first.held.length === 8, 10_000);
    await using second = greedy(b, 8);
    await until(() => second.held.length >= 4, 10_000);
    expect(first.held.length).toBeLessThanOrEqual(4);
    const [ranFirst, ranSecond] = [first.ran(), second.ran()];
    await until(() => first.ran() + second.ran() > ranFirst + ranSecond + 100, 20_000);
    expect(first.ran() - ranFirst).toBeGreaterThan(25);
    expect(second.ran() - ranSecond).toBeGreaterThan(25);
  });

  it('lets every worker have a turn, though it has fewer places than there are workers', async () => {
    const workers = [await world.worker(), await world.worker(), await world.worker()];
    await using first = greedy(workers[0] as WorkerOfLanes, 1);
    await until(() => first.held.length === 1, 10_000);
    await using second = greedy(workers[1] as WorkerOfLanes, 1);
    await using third = greedy(workers[2] as WorkerOfLanes, 1);
    await until(() => second.ran() > 2 && third.ran() > 2, 20_000);
    const before = first.ran();
    await until(() => first.ran() > before, 20_000);
  });

  it('leaves a place to one who waits, and to nobody else, no longer than that one asks', async () => {
    const [a, b] = [await world.worker(), await world.worker()];
    const { granted } = await a.ask({ concurrency: 4 }, 4);
    expect((await b.ask({ concurrency: 4 }, 1)).granted).toEqual([]);
    a.store.release(granted[0] as Lease, undefined);
    a.store.release(granted[1] as Lease, undefined);
    // One of the two places is kept for the other, who wants one.
    expect((await a.ask({ concurrency: 4 }, 2)).granted).toHaveLength(1);
    expect((await a.ask({ concurrency: 4 }, 2)).granted).toHaveLength(0);
    await until(async () => (await a.ask({ concurrency: 4 }, 1)).granted.length === 1, 10_000);
    expect(await world.other.zcard(world.names.lane(LANE).leases)).toBe(4);
  });

  it('is all there for one who asks alone, whatever lies in the record of askers', async () => {
    const [a, b] = [await world.worker(), await world.worker()];
    await world.other.hset(world.names.lane(LANE).askers, {
      nonsense: 'x',
      future: `${(await world.now()) + 60_000}:1:5`,
      past: `${(await world.now()) - 600}:1:5`,
    });
    expect((await a.ask({ concurrency: 4 }, 4)).granted).toHaveLength(4);
    expect((await b.ask({ concurrency: 4 }, 1)).granted).toEqual([]);
    expect(await world.other.hkeys(world.names.lane(LANE).askers)).toEqual(['worker/2']);
  });
});
