import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { createLanes, type Lanes } from '../../../src/integrations/lanes/lanes.ts';
import { laneTask, useOf } from '../../integrations/lanes/support/solo-lanes.ts';
import type {} from '../../support/redis-for-all.ts';
import { type LaneWorld, NO_LIMITS, startLaneWorld } from './support/lane-world.ts';

let world: LaneWorld;
let lanes: Lanes[] = [];
beforeEach(async () => {
  world = await startLaneWorld(inject('redisUrl'));
});
afterEach(async () => {
  for (const one of lanes) one.stop();
  lanes = [];
  await world[Symbol.asyncDispose]();
});

/** The lanes of one worker, each with two places over all workers. */
async function workerOfLanes(): Promise<Lanes> {
  const { store, instance } = await world.worker({ started: true });
  const made = createLanes({
    ...{ cluster: store, instance, waitingAtMost: 1_000, tasksHeld: () => 0, wake: () => undefined },
    limits: () => ({ ...NO_LIMITS, perWorker: undefined, concurrency: 2 }),
    mayStart: () => store.reachable,
    workers: () => 2,
  });
  made.start();
  lanes.push(made);
  return made;
}

it('two limited lanes of two workers are each full, never above, and never in each other’s way', async () => {
  const workers = [await workerOfLanes(), await workerOfLanes()];
  const running = { quick: 0, slow: 0 };
  const most = { quick: 0, slow: 0 };
  const call = (worker: Lanes, lane: 'quick' | 'slow', ms: number) =>
    worker.through(
      useOf(async () => '', {
        lane,
        task: laneTask(),
        async start(works, turn) {
          if (!turn.holds()) return works.map(() => ({ kind: 'again' }));
          running[lane] += 1;
          most[lane] = Math.max(most[lane], running[lane]);
          await sleep(ms);
          running[lane] -= 1;
          return works.map((value) => ({ kind: 'done', value }));
        },
      }),
    );
  const calls = workers.flatMap((worker) =>
    Array.from({ length: 10 }, () => [call(worker, 'quick', 20), call(worker, 'slow', 200)]).flat(),
  );
  // A place that is lost comes back after the 15 s of a lease: later than this.
  const ended = await Promise.race([Promise.all(calls), sleep(12_000, 'stalled')]);
  expect(ended).toHaveLength(40);
  expect(most).toEqual({ quick: 2, slow: 2 });
});
