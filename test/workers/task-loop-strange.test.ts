import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startLoop, until } from './support/harness.ts';
import { type StubConductor, startStubConductor } from './support/stub-conductor.ts';

const QUEUE = 'LLM_TEXT_COMPLETE';

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

it('asks a server that answers empty polls at once with growing pauses', async () => {
  stub.holdMs = 0;
  await using _ = startLoop(stub, {});
  await sleep(400);
  // Without pauses it would be thousands.
  expect(stub.polls.length).toBeLessThan(40);
  expect(stub.polls.length).toBeGreaterThan(2);
});

it('runs a task once that Conductor sends twice while it is held', async () => {
  const taskId = stub.add(QUEUE);
  let runs = 0;
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  await using loop = startLoop(stub, {
    slots: 4,
    async handler() {
      runs += 1;
      await gate;
      return { kind: 'complete', output: {} };
    },
  });
  await until(() => runs === 1);
  stub.queueAgain(QUEUE, taskId);
  await until(() => loop.captured.at('warn').some(({ msg }) => msg === 'Conductor sent a task that is held already'));
  open();
  await until(() => stub.updates.length === 1);
  expect(runs).toBe(1);
  expect(loop.slots.used).toBeLessThanOrEqual(4);
});

it('runs a task that comes again before the answer to its give-back does', async () => {
  const taskId = stub.add(QUEUE);
  let runs = 0;
  stub.on.update = ({ status }) => (status === 'IN_PROGRESS' ? { delayMs: 1_500 } : undefined);
  await using _ = startLoop(stub, {
    slots: 4,
    async handler() {
      runs += 1;
      return runs === 1 ? { kind: 'give-back', afterSeconds: 1 } : { kind: 'complete', output: {} };
    },
  });
  await until(() => stub.updates.length === 1);
  stub.queueAgain(QUEUE, taskId);
  await until(() => runs === 2);
});
