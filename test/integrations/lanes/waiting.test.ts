import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { Deferred } from '../../../src/integrations/lanes/lane-use.ts';
import { laneTask, soloLanes, useOf } from './support/solo-lanes.ts';

const settled = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};
const mayLeave = { sleepAtMostMs: 600_000 };

/** A lane of one whose only call runs until `end` is called. */
async function busy(options: Parameters<typeof soloLanes>[0] = {}) {
  const solo = soloLanes({ ...options, limits: { perWorker: 1, ...options.limits } });
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = solo.lanes.through(useOf(() => promise));
  await settled();
  return { ...solo, first, end: () => resolve('first') };
}

describe('a task that cannot start at once', () => {
  it('waits here where its turn is near', async () => {
    const { lanes, first, end, deferrals } = await busy();
    const second = lanes.through(useOf(async () => 'second', { task: laneTask(mayLeave) }));
    await settled();
    end();
    expect([await first, await second, deferrals]).toEqual(['first', 'second', []]);
  });

  it('goes back to Conductor where it is far: by its place, with what is ahead of it', async () => {
    const { lanes, first, end, deferrals } = await busy();
    // A call is taken to need a second before the lane has seen one: four of them are worth waiting for.
    const tasks = Array.from({ length: 8 }, () => laneTask(mayLeave));
    const ends = tasks.map((task) => lanes.through(useOf(async () => task.taskId, { task })).catch((error) => error));
    await settled();
    expect(deferrals.map(({ taskId }) => taskId)).toEqual(tasks.slice(4).map(({ taskId }) => taskId));
    expect(deferrals[0]).toMatchObject({ intervalMs: 1_000, throttled: false, atMostMs: 600_000 });
    expect(deferrals[0]?.ahead).toBeGreaterThan(4.5);
    end();
    await first;
    const outcomes = await Promise.all(ends);
    expect(outcomes.slice(0, 4)).toEqual(tasks.slice(0, 4).map(({ taskId }) => taskId));
    expect(outcomes.slice(4).every((one) => one instanceof Deferred && one.sleepMs === 2_000)).toBe(true);
  });

  it('waits no longer than half its response timeout', async () => {
    const { lanes, first, end, deferrals } = await busy();
    const short = { ...mayLeave, responseTimeoutMs: 2_000 };
    const ends = [short, short].map((more) =>
      lanes.through(useOf(async () => 'ran', { task: laneTask(more) })).catch((error) => error),
    );
    await settled();
    expect(deferrals).toHaveLength(1);
    end();
    await first;
    expect(await ends[0]).toBe('ran');
    expect(await ends[1]).toBeInstanceOf(Deferred);
  });

  it('goes back where too many wait already, those that were scheduled last', async () => {
    const { lanes, first, end, deferrals } = await busy({ waitingAtMost: 2 });
    const later = [laneTask(mayLeave), laneTask(mayLeave)];
    const ends = later.map((task) => lanes.through(useOf(async () => '', { task })).catch((error) => error));
    await settled();
    const early = laneTask({ ...mayLeave, order: 0 });
    const kept = lanes.through(useOf(async () => 'early', { task: early }));
    await settled();
    expect(deferrals.map(({ taskId }) => taskId)).toEqual([later[1]?.taskId]);
    end();
    expect(await first).toBe('first');
    expect(await kept).toBe('early');
    expect(await ends[1]).toBeInstanceOf(Deferred);
  });

  it('is held, however far its turn, where Conductor would time it out asleep', async () => {
    const { lanes, first, end, deferrals } = await busy({ waitingAtMost: 1 });
    const tasks = Array.from({ length: 8 }, () => laneTask());
    const ends = tasks.map((task) => lanes.through(useOf(async () => task.taskId, { task })));
    await settled();
    expect(deferrals).toEqual([]);
    end();
    await first;
    expect(await Promise.all(ends)).toEqual(tasks.map(({ taskId }) => taskId));
  });

  it('sleeps a while, and fails nobody, where Redis does not say for how long', async () => {
    const { lanes, end } = await busy({
      waitingAtMost: 0,
      defer: () => {
        throw new Error('Redis is away');
      },
    });
    const outcome = await lanes.through(useOf(async () => '', { task: laneTask(mayLeave) })).catch((error) => error);
    expect(outcome).toBeInstanceOf(Deferred);
    expect(outcome.sleepMs).toBe(5_000);
    end();
  });

  it('takes its ticket along no further than its start', async () => {
    const { lanes, forgotten } = soloLanes();
    const ticket = { taskId: 'ticketed', lane: 'a', order: 1, firstThrottledAt: undefined, throttles: 0 };
    await lanes.through(useOf(async () => '', { task: laneTask({ ticket }) }));
    expect(forgotten).toEqual(['ticketed']);
  });
});

describe('a task that Bedrock throttles', () => {
  const throttled = () => Promise.reject(new ServiceError('THROTTLED', 'slow down'));

  it('is put off, and the lane told', async () => {
    const { lanes, throttles, deferrals } = soloLanes();
    const outcome = await lanes.through(useOf(throttled, { task: laneTask(mayLeave) })).catch((error) => error);
    expect(outcome).toBeInstanceOf(Deferred);
    expect(throttles).toEqual(['a']);
    expect(deferrals[0]).toMatchObject({ throttled: true });
    expect(deferrals[0]?.atLeastMs).toBeGreaterThanOrEqual(1_000);
  });

  it('fails only once it has been put off for long enough, with what Bedrock said', async () => {
    const { lanes, forgotten } = soloLanes({ defer: () => ({ sleepMs: 1_000, throttledForMs: 900_001 }) });
    const task = laneTask(mayLeave);
    const outcome = await lanes.through(useOf(throttled, { task })).catch((error) => error);
    expect(outcome).toMatchObject({ code: 'THROTTLED' });
    expect(forgotten).toEqual([task.taskId]);
  });

  it('that may not be given back counts from its first refusal, whoever met it', async () => {
    const outcomeOf = async (firstThrottledAt: number | undefined) => {
      const ticket = { taskId: 'held', lane: 'a', order: 1, firstThrottledAt, throttles: 0 };
      let calls = 0;
      const use = useOf(
        async () => {
          calls += 1;
          if (calls === 1) await throttled();
          return 'answered';
        },
        { task: laneTask({ ticket }), deferAtMostMs: 60_000 },
      );
      return await soloLanes()
        .lanes.through(use)
        .catch((error) => error);
    };
    const sinceLong = await outcomeOf(Date.now() - 61_000);
    expect(sinceLong).toMatchObject({ code: 'THROTTLED' });
    expect(await Promise.all([outcomeOf(Date.now() - 1_000), outcomeOf(undefined)])).toEqual(['answered', 'answered']);
  });

  it('is tried again here where it may not be given back', async () => {
    const { lanes, deferrals } = soloLanes();
    let calls = 0;
    const use = useOf(async () => {
      calls += 1;
      if (calls === 1) await throttled();
      return 'answered';
    });
    expect(await lanes.through(use)).toBe('answered');
    expect([calls, deferrals]).toEqual([2, []]);
  });
});

it('a throttled task that was told to go meanwhile does not sit on', async () => {
  const { lanes } = soloLanes();
  const stopping = new AbortController();
  const outcome = lanes.through(
    useOf(
      async () => {
        stopping.abort(new Error('stopping'));
        throw new ServiceError('THROTTLED', 'slow down');
      },
      { waiting: stopping.signal },
    ),
  );
  await expect(outcome).rejects.toThrow('stopping');
});

describe('while nothing may start', () => {
  it('tasks wait, and none is sent away by a rank that nobody knows', async () => {
    const { lanes, state, deferrals } = soloLanes();
    state.mayStart = false;
    lanes.start();
    let begun = 0;
    const use = lanes.through(
      useOf(
        async () => {
          begun += 1;
          return 'ran';
        },
        { task: laneTask(mayLeave) },
      ),
    );
    await settled();
    expect([begun, deferrals]).toEqual([0, []]);
    state.mayStart = true;
    expect(await use).toBe('ran');
    lanes.stop();
  });
});

describe('a lane that is shared by all workers', () => {
  it('starts no more than were admitted, and asks again for the others', async () => {
    const { lanes, admissions, released } = soloLanes({ limits: { concurrency: 5 }, granted: () => 1 });
    const ends = [1, 2, 3].map((index) => lanes.through(useOf(async () => index, { estimatedTokens: index * 10 })));
    expect(await Promise.all(ends)).toEqual([1, 2, 3]);
    expect(admissions[0]?.attempts.map(({ estimatedTokens }) => estimatedTokens)).toEqual([10, 20, 30]);
    expect(released.map(({ lease }) => lease.estimatedTokens)).toEqual([10, 20, 30]);
    const ids = admissions.flatMap(({ attempts }) => attempts.map(({ leaseId }) => leaseId));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('frees a place that was admitted for a task that has left meanwhile', async () => {
    const leaving = new AbortController();
    const { lanes, released } = soloLanes({
      limits: { concurrency: 1 },
      granted: () => {
        leaving.abort(new Error('stopping'));
        return 1;
      },
    });
    await expect(lanes.through(useOf(async () => '', { waiting: leaving.signal }))).rejects.toThrow('stopping');
    await settled();
    expect(released).toHaveLength(1);
  });

  it('asks again for a task whose lease lapsed while it was called', async () => {
    const { lanes, lapsing, admissions } = soloLanes({ limits: { concurrency: 1 } });
    let calls = 0;
    const outcome = await lanes.through(
      useOf(async () => {
        calls += 1;
        if (calls > 1) return 'answered';
        lapsing.abort(new Error('lapsed'));
        throw new Error('broken off');
      }),
    );
    expect([outcome, calls, admissions.length]).toEqual(['answered', 2, 2]);
  });

  it('frees its place with the tokens that the answer took', async () => {
    const { lanes, released } = soloLanes({ limits: { tokensPerMinute: 100 } });
    await lanes.through(
      useOf(async () => '', {
        start: async (works, turn) => {
          turn.settle(42);
          return works.map(() => ({ kind: 'done', value: '' }));
        },
      }),
    );
    expect(released.map(({ tokens }) => tokens)).toEqual([42]);
  });
});
