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

const completed = () => [...stub.tasks.values()].filter(({ status }) => status === 'COMPLETED').length;

const SLOTS = 50;

it('answers that wait for Conductor come off the number of tasks asked for, until none is', async () => {
  let refuses = true;
  stub.on.update = () => (refuses ? { status: 503 } : undefined);
  // What waits for Conductor holds no slot.
  await using loop = startLoop(stub, { slots: SLOTS });
  for (let n = 0; n < 1_500; n += 1) stub.add(QUEUE);
  await until(() => loop.ledger.answers.size >= 1_000, 30_000);
  await until(() => loop.slots.used === 0, 10_000);
  const polls = stub.polls.length;
  await sleep(200);
  expect(stub.polls).toHaveLength(polls);
  // Those that ran when the last was asked for, and no more.
  expect(stub.waitingIn(QUEUE)).toBeGreaterThanOrEqual(500 - 2 * SLOTS);
  refuses = false;
  await until(() => completed() === 1_500, 30_000);
  expect(stub.offences).toEqual([]);
}, 60_000);
