import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../../workers/support/harness.ts';
import { soloLanes, useOf } from './support/solo-lanes.ts';

const AT_ONCE = 16;
const PLACES = 8;

/** A lane with calls so quick that its tasks are not sent back to wait, and a count of tasks that the worker holds. */
async function quickLane() {
  const held = { tasks: 0 };
  const solo = soloLanes({ limits: { perWorker: AT_ONCE }, waitingAtMost: PLACES, tasksHeld: () => held.tasks });
  for (let round = 0; round < 20; round += 1) await solo.lanes.through(useOf(() => sleep(1, 'ran')));
  const ends = Promise.withResolvers<string>();
  const running = Array.from({ length: AT_ONCE - 1 }, () => solo.lanes.through(useOf(() => ends.promise)));
  await sleep(0);
  return { ...solo, held, running, end: () => ends.resolve('ran') };
}

describe('more tasks for a quick lane', () => {
  it('are worth asking for as far as it has calls free and places to wait', async () => {
    const { lanes, running, end } = await quickLane();
    expect(lanes.room()).toBe(1 + PLACES);
    end();
    await Promise.all(running);
    expect(lanes.room()).toBe(Infinity);
  });

  it('are fewer by those that were asked for and are in no lane yet', async () => {
    const { lanes, held, running, end } = await quickLane();
    held.tasks = running.length + 3;
    expect(lanes.room()).toBe(1 + PLACES - 3);
    held.tasks = running.length + 1 + PLACES;
    expect(lanes.room()).toBe(0);
    held.tasks = running.length;
    expect(lanes.room()).toBe(1 + PLACES);
    end();
    await Promise.all(running);
  });
});

describe('a lane whose first calls run', () => {
  it('may be quick, and is not asked for more than it can take, until their age tells otherwise', async () => {
    const { lanes } = soloLanes({ limits: { perWorker: AT_ONCE }, waitingAtMost: PLACES });
    const ends = Promise.withResolvers<string>();
    const running = Array.from({ length: AT_ONCE }, () => lanes.through(useOf(() => ends.promise)));
    await sleep(0);
    expect(lanes.room()).toBe(PLACES);
    await until(() => lanes.room() === Infinity, 5_000);
    ends.resolve('ran');
    await Promise.all(running);
  });
});
