import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startLoop, until } from './support/harness.ts';
import { type StubConductor, startStubConductor } from './support/stub-conductor.ts';

const QUEUE = 'LLM_TEXT_COMPLETE';

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

const withStatus = (status: string) => [...stub.tasks.values()].filter((task) => task.status === status).length;

describe('an outcome', () => {
  it('that Conductor will not take holds no slot while it is tried again', async () => {
    let refused = true;
    const first = stub.add(QUEUE);
    stub.on.update = ({ taskId }) => (refused && taskId === first ? { status: 503 } : undefined);
    for (let n = 0; n < 5; n += 1) stub.add(QUEUE);
    await using loop = startLoop(stub, { slots: 1 });
    await until(() => withStatus('COMPLETED') === 5);
    refused = false;
    await until(() => withStatus('COMPLETED') === 6);
    expect(await loop.stop(500)).toBe(true);
  });

  it('too large for Conductor ends the task with a small, clear failure', async () => {
    stub.add(QUEUE);
    await using _ = startLoop(stub, {
      handler: async () => ({ kind: 'complete', output: { result: 'x'.repeat(10 * 1024 * 1024) } }),
    });
    await until(() => withStatus('FAILED_WITH_TERMINAL_ERROR') === 1);
    expect(stub.updates).toHaveLength(1);
    expect(stub.updates[0]).toMatchObject({
      reasonForIncompletion: expect.stringContaining('too large'),
      outputData: { error: { code: 'RESULT_REFUSED', retryable: false } },
    });
  });
});

describe("a task's own time", () => {
  it('breaks off what runs when it is over, and fails the task so that Conductor may retry it', async () => {
    stub.add(QUEUE, { taskDefinition: { timeoutSeconds: 0.01, timeoutPolicy: 'RETRY' } });
    let reason: unknown;
    await using _ = startLoop(stub, {
      async handler({ running, waiting }) {
        await sleep(10_000, undefined, { signal: running }).catch(() => undefined);
        reason = running.reason;
        expect(waiting.aborted).toBe(true);
        throw reason;
      },
    });
    await until(() => withStatus('FAILED') === 1);
    expect(reason).toMatchObject({ code: 'TASK_TIMED_OUT' });
    expect(stub.updates.at(-1)).toMatchObject({ outputData: { error: { code: 'TASK_TIMED_OUT', retryable: true } } });
  });

  it.each([[{ timeoutSeconds: 0 }], [{ timeoutSeconds: 0.01, timeoutPolicy: 'ALERT_ONLY' }]])(
    'breaks nothing off under %j',
    async (taskDefinition) => {
      stub.add(QUEUE, { taskDefinition });
      await using _ = startLoop(stub, {
        async handler({ running }) {
          await sleep(1_200);
          return { kind: 'complete', output: { aborted: running.aborted } };
        },
      });
      await until(() => withStatus('COMPLETED') === 1);
      expect(stub.updates.at(-1)).toMatchObject({ outputData: { aborted: false } });
    },
  );
});
