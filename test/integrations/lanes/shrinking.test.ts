import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { throttleWait } from '../../../src/integrations/lanes/put-off.ts';
import { laneTask, soloLanes, useOf } from './support/solo-lanes.ts';

const settled = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};

/** Calls that run until the first that runs is told to end, or to fail. */
function calls(solo: ReturnType<typeof soloLanes>, count: number) {
  const running: ReturnType<typeof Promise.withResolvers<string>>[] = [];
  const ends = Array.from({ length: count }, () =>
    solo.lanes
      .through(
        useOf(() => {
          const call = Promise.withResolvers<string>();
          running.push(call);
          return call.promise;
        }),
      )
      .catch((error: unknown) => error),
  );
  return {
    running,
    ends,
    async end(error?: ServiceError) {
      const call = running.shift();
      if (error === undefined) call?.resolve('ran');
      else call?.reject(error);
      await settled();
    },
  };
}

describe('a lane that throttling has shrunk', () => {
  it('begins no more calls at once than are left of it, and more again as it grows', async () => {
    const solo = soloLanes({ limits: { perWorker: 6 } });
    const { running, ends, end } = calls(solo, 12);
    await settled();
    expect(running).toHaveLength(6);
    solo.state.effective = 2;
    for (let ended = 0; ended < 4; ended += 1) await end();
    expect(running).toHaveLength(2);
    await end();
    expect(running).toHaveLength(2);
    solo.state.effective = 4;
    await end();
    expect(running).toHaveLength(4);
    solo.state.effective = undefined;
    while (running.length > 0) await end();
    expect(await Promise.all(ends)).toEqual(Array(12).fill('ran'));
  });

  it('is never larger than its limit of each worker, whatever is left of it', async () => {
    const solo = soloLanes({ limits: { perWorker: 3 } });
    solo.state.effective = 50;
    const { running, ends, end } = calls(solo, 5);
    await settled();
    expect(running).toHaveLength(3);
    while (running.length > 0) await end();
    await Promise.all(ends);
  });

  it('is told of each success while somebody waited for a place, and of no other call', async () => {
    const solo = soloLanes({ limits: { perWorker: 2 } });
    solo.state.effective = 2;
    const { ends, end } = calls(solo, 4);
    await settled();
    await end();
    expect(solo.succeededWhileFull).toEqual(['a']);
    // The one that fails leaves a place for the last that waited: from then on nobody does.
    await end(new ServiceError('BEDROCK_UNAVAILABLE', 'away'));
    expect(solo.succeededWhileFull).toEqual(['a']);
    await end();
    await end();
    await Promise.all(ends);
    expect(solo.succeededWhileFull).toEqual(['a']);
  });
});

describe('the sleep of a throttled task', () => {
  it('is half to the whole of what it could be, which doubles with each refusal up to a minute', () => {
    for (const [times, full] of [
      [0, 1_000],
      [1, 2_000],
      [3, 8_000],
      [6, 60_000],
      [50, 60_000],
    ] as const) {
      const waits = Array.from({ length: 200 }, () => throttleWait(times));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(full / 2);
      expect(Math.max(...waits)).toBeLessThanOrEqual(full);
      // So that those who were refused together do not come back together.
      expect(new Set(waits).size).toBeGreaterThan(100);
      expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(full / 4);
    }
  });

  it('is another for each of those who were refused together', async () => {
    const { lanes, deferrals } = soloLanes();
    const throttled = () => Promise.reject(new ServiceError('THROTTLED', 'slow down'));
    const task = () => laneTask({ sleepAtMostMs: 600_000 });
    await Promise.allSettled(Array.from({ length: 20 }, () => lanes.through(useOf(throttled, { task: task() }))));
    const sleeps = deferrals.map(({ atLeastMs = 0 }) => atLeastMs);
    expect(new Set(sleeps).size).toBeGreaterThan(15);
    expect(Math.min(...sleeps)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(2_000);
  });
});
