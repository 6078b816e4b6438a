import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../../workers/support/harness.ts';
import { soloLanes, useOf } from './support/solo-lanes.ts';

const settled = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};
const AT_ONCE = 50;
const PLACES = 10;

/** A lane of fast calls whose next ones run until they are told to end, and `waiting` tasks behind them. */
async function crowded(waiting: number) {
  const solo = soloLanes({ limits: { perWorker: AT_ONCE }, waitingAtMost: PLACES });
  for (let call = 0; call < 20; call += 1) await solo.lanes.through(useOf(async () => ''));
  const gates: (() => void)[] = [];
  const through = () =>
    solo.lanes.through(
      useOf(() => {
        const { promise, resolve } = Promise.withResolvers<string>();
        gates.push(() => resolve(''));
        return promise;
      }),
    );
  const ends = Array.from({ length: AT_ONCE + waiting }, through);
  await settled();
  async function end(count: number): Promise<void> {
    for (const open of gates.splice(0, count)) open();
    await settled();
  }

  return {
    lanes: solo.lanes,
    waiting: () => [...solo.lanes.loads()].reduce((sum, [, load]) => sum + load.waiting, 0),
    end,
    async endAll() {
      while (gates.length > 0) await end(gates.length);
      await Promise.all(ends);
    },
  };
}

describe('how many tasks are worth asking for', () => {
  it('is as many as may wait still, where a fast lane has some that do', async () => {
    const { lanes, endAll } = await crowded(4);
    expect(lanes.room()).toBe(PLACES - 4);
    await endAll();
    expect(lanes.room()).toBe(Infinity);
  });

  it('is none once all places are taken, until half of them are free again', async () => {
    const { lanes, waiting, end, endAll } = await crowded(PLACES);
    expect([waiting(), lanes.room()]).toEqual([PLACES, 0]);
    await end(3);
    expect([waiting(), lanes.room()]).toEqual([PLACES - 3, 0]);
    await end(2);
    expect([waiting(), lanes.room()]).toEqual([PLACES / 2, PLACES / 2]);
    await endAll();
  });

  it('is waited for by those who ask for tasks, who go on when there is room, or when they are told to', async () => {
    const { lanes, end, endAll } = await crowded(PLACES);
    let went = 0;
    const stopping = new AbortController();
    const on = lanes.untilRoom(new AbortController().signal).then(() => {
      went += 1;
    });
    const stopped = lanes.untilRoom(stopping.signal).then(() => {
      went += 1;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(went).toBe(0);
    stopping.abort();
    await stopped;
    expect(went).toBe(1);
    await end(PLACES);
    await on;
    await endAll();
  });
});

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

describe('how many more for a quick lane', () => {
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
