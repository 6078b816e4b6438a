import { describe, expect, it } from 'vitest';
import type { TaskState } from '../../src/workers/conductor/conductor.ts';
import { createSleeperCalls } from '../../src/workers/sleepers.ts';
import { capturedLog } from './support/harness.ts';

const SLEEPER = {
  taskId: 'task',
  workflowInstanceId: 'workflow',
  pollCount: 2,
  taken: { dueAt: 60_000, countedAt: 2_000 },
};

/** Calls one sleeper of which Conductor says this. */
async function call(state: Partial<TaskState> | undefined) {
  const sent: unknown[] = [];
  const forgotten: unknown[] = [];
  const calls = createSleeperCalls({
    conductor: {
      taskState: async () =>
        state === undefined ? undefined : { status: 'SCHEDULED', workerId: 'w/1', pollCount: 2, ...state },
      update: async (result) => void sent.push(result),
    },
    cluster: { forget: (ticket) => void forgotten.push(ticket), leaveAsleep: () => undefined },
    incarnation: () => 'w/2',
    log: capturedLog().log,
  });
  calls.wake('lane', SLEEPER);
  await calls.settled();
  return { sent, forgotten };
}

describe('a task that sleeps at Conductor', () => {
  it('is called back with a callback of one second', async () => {
    const { sent } = await call({});
    expect(sent).toEqual([
      {
        taskId: 'task',
        workflowInstanceId: 'workflow',
        workerId: 'w/2',
        status: 'IN_PROGRESS',
        callbackAfterSeconds: 1,
      },
    ]);
  });

  it('is left asleep where a shorter callback would time it out', async () => {
    const scheduledAt = Date.now() - 100_000;
    expect(await call({ pollTimeoutMs: 60_000, scheduledAt })).toEqual({ sent: [], forgotten: [] });
    expect((await call({ pollTimeoutMs: 600_000, scheduledAt })).sent).toHaveLength(1);
  });

  it('keeps its ticket where somebody has polled it meanwhile, who may have put it off again', async () => {
    expect(await call({ pollCount: 3 })).toEqual({ sent: [], forgotten: [] });
    expect(await call({ status: 'IN_PROGRESS', pollCount: 3 })).toEqual({ sent: [], forgotten: [] });
  });

  it('loses its ticket once it is over or gone', async () => {
    const ticket = { lane: 'lane', taskId: 'task' };
    expect(await call({ status: 'CANCELED' })).toEqual({ sent: [], forgotten: [ticket] });
    expect(await call(undefined)).toEqual({ sent: [], forgotten: [ticket] });
  });
});

describe('a task that could not be called back', () => {
  /** A Conductor that fails, or answers when it is told to. */
  function failing() {
    const answer = Promise.withResolvers<never>();
    const open = { now: 0, most: 0, calls: 0 };
    const left: string[] = [];
    const calls = createSleeperCalls({
      conductor: {
        async taskState() {
          open.calls += 1;
          open.now += 1;
          open.most = Math.max(open.most, open.now);
          return await answer.promise.finally(() => {
            open.now -= 1;
          });
        },
        update: async () => undefined,
      },
      cluster: {
        forget: () => undefined,
        leaveAsleep: (_, sleepers) => void left.push(...sleepers.map(({ taskId }) => taskId)),
      },
      incarnation: () => 'w/2',
      log: capturedLog().log,
    });
    const wake = (count: number) => {
      for (let n = 0; n < count; n += 1) calls.wake('lane', { ...SLEEPER, taskId: `${n}` });
    };
    return { calls, open, left, wake, fail: () => answer.reject(new Error('Conductor is away')) };
  }

  it('is left asleep as it was, to be called another time', async () => {
    const { calls, left, wake, fail } = failing();
    wake(1);
    fail();
    await calls.settled();
    expect(left).toEqual(['0']);
  });

  it('is one of few at a time, and of not too many altogether', async () => {
    const { calls, open, left, wake, fail } = failing();
    wake(100);
    expect(left).toHaveLength(36);
    await new Promise((turn) => setImmediate(turn));
    fail();
    await calls.settled();
    expect(open).toEqual({ now: 0, most: 8, calls: 64 });
    expect(left).toHaveLength(100);
  });

  it('because the worker stops is not waited for', async () => {
    const { calls, open, left, wake, fail } = failing();
    wake(64);
    await new Promise((turn) => setImmediate(turn));
    const stopped = calls.stop();
    fail();
    await stopped;
    wake(1);
    expect(open.calls).toBe(8);
    expect(left).toHaveLength(65);
  });
});
