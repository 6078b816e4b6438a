import { describe, expect, it } from 'vitest';
import type { TaskState } from '../../src/workers/conductor/conductor.ts';
import { createSleeperCalls } from '../../src/workers/sleepers.ts';
import { capturedLog } from './support/harness.ts';

const SLEEPER = { taskId: 'task', workflowInstanceId: 'workflow', pollCount: 2 };

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
    cluster: { forget: (ticket) => void forgotten.push(ticket) },
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
