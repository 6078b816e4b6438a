import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Deferred, NO_LIMITS } from '../../../src/integrations/lanes/lane-use.ts';
import { laneTask, soloLanes, useOf } from './support/solo-lanes.ts';

const settled = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};
/** By the clock of the test, where that is set. */
const sleepFake = (ms: number) => new Promise<string>((resolve) => setTimeout(resolve, ms, ''));
const mayLeave = { sleepAtMostMs: 600_000 };
const task = (more = {}) => laneTask({ ...mayLeave, ...more });
const outcomeOf = <T>(promise: Promise<T>): Promise<unknown> => promise.catch((error: unknown) => error);

describe('a lane with fewer places than there are workers', () => {
  it('starts what it was admitted to, however slow its calls are', async () => {
    const { lanes, deferrals } = soloLanes({ limits: { concurrency: 1 }, workers: 20 });
    expect(await outcomeOf(lanes.through(useOf(async () => 'ran', { task: task() })))).toBe('ran');
    expect(deferrals).toEqual([]);
  });

  it('keeps one that waits for the place, so that somebody is there when it is free', async () => {
    let free = false;
    const { lanes, deferrals } = soloLanes({ limits: { concurrency: 1 }, workers: 20, granted: () => (free ? 1 : 0) });
    const ends = [1, 2, 3].map((order) =>
      outcomeOf(lanes.through(useOf(async () => `ran ${order}`, { task: task({ order }) }))),
    );
    await sleep(50);
    expect(deferrals).toHaveLength(2);
    free = true;
    expect(await ends[0]).toBe('ran 1');
    expect(await ends[1]).toBeInstanceOf(Deferred);
  });
});

describe('a lane beside one that has taken all places to wait', () => {
  it('still starts whom it may, though it must ask for each', async () => {
    const slow = Promise.withResolvers<string>();
    const { lanes, deferrals } = soloLanes({
      limitsOf: (lane) => (lane === 'slow' ? { ...NO_LIMITS, perWorker: 1 } : { ...NO_LIMITS, concurrency: 5 }),
      waitingAtMost: 3,
    });
    const first = lanes.through(useOf(() => slow.promise, { lane: 'slow' }));
    const waiting = [1, 2, 3].map(() => lanes.through(useOf(async () => '', { lane: 'slow' })));
    await settled();
    const ends = [1, 2].map(() => outcomeOf(lanes.through(useOf(async () => 'ran', { lane: 'quick', task: task() }))));
    expect(await Promise.all(ends)).toEqual(['ran', 'ran']);
    expect(deferrals).toEqual([]);
    slow.resolve('');
    await Promise.all([first, ...waiting]);
  });
});

describe('a lane whose limit a minute is used up', () => {
  const limits = { tokensPerMinute: 100 };

  it('sends its tasks away until there is room again, and hides nobody else’s', async () => {
    const { lanes, deferrals } = soloLanes({ limits, granted: () => 0, retryAfterMs: 30_000, waitingAtMost: 4 });
    const ends = Array.from({ length: 8 }, () => outcomeOf(lanes.through(useOf(async () => '', { task: task() }))));
    const outcomes = await Promise.all(ends);
    expect(outcomes.every((one) => one instanceof Deferred)).toBe(true);
    expect(deferrals.every(({ atLeastMs = 0 }) => atLeastMs > 20_000)).toBe(true);
    expect(lanes.room()).toBe(Infinity);
  });

  it('keeps those whose time is near', async () => {
    let granted = 0;
    const { lanes, deferrals } = soloLanes({ limits, granted: () => granted, retryAfterMs: 200 });
    const end = outcomeOf(lanes.through(useOf(async () => 'ran', { task: task() })));
    await sleep(50);
    granted = 1;
    expect(await end).toBe('ran');
    expect(deferrals).toEqual([]);
  });

  it('stops no polls by those that may not be sent away', async () => {
    const leaving = new AbortController();
    const { lanes } = soloLanes({ limits, granted: () => 0, retryAfterMs: 30_000, waitingAtMost: 4 });
    const ends = Array.from({ length: 8 }, () =>
      outcomeOf(lanes.through(useOf(async () => '', { task: laneTask(), waiting: leaving.signal }))),
    );
    await settled();
    expect(lanes.room()).toBe(Infinity);
    leaving.abort(new Error('stopping'));
    await Promise.all(ends);
  });
});

describe('a lane whose tasks sleep although it has room', () => {
  const sleeping = new Map([['a', 100]]);
  const wantedOf = async (
    options: Parameters<typeof soloLanes>[0],
    before = (_: ReturnType<typeof soloLanes>) => {},
  ) => {
    const solo = soloLanes({ limits: { concurrency: 2 }, sleeping, ...options });
    before(solo);
    solo.lanes.start();
    await sleep(1_100);
    solo.lanes.stop();
    return solo.wantedSleepers[0];
  };

  it('calls back what all workers can take, not what one of them can', async () => {
    // Four seconds of two calls at once that are taken to need a second each.
    expect(await wantedOf({})).toBe(8);
    expect(await wantedOf({ workers: 2 })).toBe(8);
  });

  it('calls nobody while its limit a minute is used up', async () => {
    const used = { limits: { requestsPerMinute: 600 }, granted: () => 0, retryAfterMs: 30_000 };
    const wanted = await wantedOf(used, ({ lanes }) => {
      void outcomeOf(lanes.through(useOf(async () => '', { task: task() })));
    });
    expect(wanted).toBeUndefined();
  });

  it('calls back one for each place where its calls are slow, and nobody while they hang', async () => {
    vi.useFakeTimers();
    try {
      const { lanes, wantedSleepers } = soloLanes({ limits: { concurrency: 10 }, sleeping });
      lanes.start();
      const call = lanes.through(useOf(() => sleepFake(20_000)));
      await vi.advanceTimersByTimeAsync(20_000);
      await call;
      const before = wantedSleepers.length;
      await vi.advanceTimersByTimeAsync(1_000);
      // In four seconds two would begin: that leaves eight of them idle.
      expect(wantedSleepers.slice(before)).toEqual([10]);

      const calls = Array.from({ length: 10 }, () => lanes.through(useOf(() => sleepFake(200_000))));
      await vi.advanceTimersByTimeAsync(100_000);
      const hanging = wantedSleepers.length;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(wantedSleepers.length).toBe(hanging);
      await vi.advanceTimersByTimeAsync(60_000);
      await Promise.all(calls);
      expect(wantedSleepers.length).toBeGreaterThan(hanging);
      lanes.stop();
    } finally {
      vi.useRealTimers();
    }
  });
});
