import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { Deferred, NO_LIMITS } from '../../../src/integrations/lanes/lane-use.ts';
import { until } from '../../workers/support/harness.ts';
import { laneTask, soloLanes, useOf } from './support/solo-lanes.ts';

const PLACES = 16;
const TASKS = 60;
const task = () => laneTask({ sleepAtMostMs: 600_000, responseTimeoutMs: 60_000 });
const outcomeOf = <T>(promise: Promise<T>): Promise<unknown> => promise.catch((error: unknown) => error);

/** A lane that has shown how fast it is, and another of one call; more tasks may wait than `busy` has places for. */
async function fastLane(options: Parameters<typeof soloLanes>[0] = {}) {
  const solo = soloLanes({
    limitsOf: (lane) => ({ ...NO_LIMITS, perWorker: lane === 'fast' ? 4 : 1 }),
    waitingAtMost: PLACES,
    ...options,
  });
  const use = (lane: string, run: () => Promise<string>) =>
    outcomeOf(solo.lanes.through(useOf(run, { lane, task: task() })));
  for (let round = 0; round < 10; round += 1) {
    await Promise.all([1, 2, 3, 4].map(() => use('fast', () => sleep(5, 'ran'))));
  }
  solo.lanes.start();
  return { ...solo, use, waiting: () => new Map(solo.lanes.loads()).get('fast')?.waiting ?? 0 };
}

describe('a fast model that hangs', { timeout: 30_000 }, () => {
  it('stops nobody’s polls: its tasks go to wait at Conductor, and others wait in their places', async () => {
    const { lanes, use, waiting, deferrals } = await fastLane();
    const hang = Promise.withResolvers<string>();
    const tasks = Array.from({ length: TASKS }, () => use('fast', () => hang.promise));
    await sleep(100);
    expect(waiting()).toBe(PLACES);
    await until(() => lanes.room() === Infinity, 5_000);
    // Half a minute would be a call's time: this is over long before.
    await until(() => waiting() === 0, 15_000);
    const outcomes = await Promise.all(tasks.slice(4));
    expect(outcomes.every((one) => one instanceof Deferred)).toBe(true);
    // It is expected to hang for as long again, so that its tasks come back seldom.
    expect(Math.max(...deferrals.map(({ ahead, intervalMs }) => ahead * intervalMs))).toBeGreaterThan(3_000);

    const others = [1, 2, 3].map(() => use('busy', () => sleep(50, 'ran')));
    expect(await Promise.all(others)).toEqual(['ran', 'ran', 'ran']);
    hang.resolve('ran');
    expect(await Promise.all(tasks.slice(0, 4))).toEqual(Array(4).fill('ran'));
    lanes.stop();
  });

  it('is as slow as the calls that timed out, until it answers again', async () => {
    const { lanes, use, deferrals } = await fastLane({ waitingAtMost: 1_000 });
    const late = new ServiceError('MODEL_TIMEOUT', 'no answer in time');
    const timesOut = async (): Promise<string> => {
      await sleep(1_500);
      throw late;
    };
    expect(await Promise.all([1, 2, 3, 4].map(() => use('fast', timesOut)))).toEqual(Array(4).fill(late));
    const answers = () => sleep(5, 'ran');
    const tasks = Array.from({ length: TASKS }, () => use('fast', answers));
    await sleep(0);
    // All of them could wait here, and at the pace of before the last would start in no time.
    const sent = deferrals.length;
    expect(sent).toBeGreaterThan(TASKS / 4);
    expect((await Promise.all(tasks)).filter((one) => one === 'ran')).toHaveLength(TASKS - sent);
    await Promise.all(Array.from({ length: TASKS }, () => use('fast', answers)));
    expect(deferrals.length).toBe(sent);
    lanes.stop();
  });

  it('in other workers, which hold all its places, stops no polls here either', async () => {
    const held = { by: 'nobody' };
    const { lanes, use, waiting } = await fastLane({
      limitsOf: () => ({ ...NO_LIMITS, concurrency: 4 }),
      granted: ({ attempts }) => (held.by === 'nobody' ? attempts.length : 0),
    });
    held.by = 'others';
    const tasks = Array.from({ length: TASKS }, () => use('fast', async () => 'ran'));
    await sleep(100);
    expect(waiting()).toBe(PLACES);
    await until(() => lanes.room() === Infinity, 5_000);
    // As many as may start here stay and ask.
    await until(() => waiting() === 4, 15_000);
    held.by = 'nobody';
    const outcomes = await Promise.all(tasks);
    expect(outcomes.filter((one) => one === 'ran')).toHaveLength(4);
    lanes.stop();
  });
});

describe('a lane whose limit a minute holds it up for long', () => {
  it('is not taken to stand still once the time is over', async () => {
    const state = { granted: 1 };
    const { lanes, use, deferrals } = await fastLane({
      limitsOf: () => ({ ...NO_LIMITS, requestsPerMinute: 6_000 }),
      granted: ({ attempts }) => Math.min(attempts.length, state.granted),
      retryAfterMs: 1_800,
    });
    state.granted = 0;
    const tasks = [1, 2, 3].map(() => use('fast', async () => 'ran'));
    await sleep(1_500);
    state.granted = 3;
    expect(await Promise.all(tasks)).toEqual(['ran', 'ran', 'ran']);
    expect(deferrals).toEqual([]);
    lanes.stop();
  });
});
