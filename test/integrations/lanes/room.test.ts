import { describe, expect, it } from 'vitest';
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
