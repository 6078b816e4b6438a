import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { startLoop, until } from './support/harness.ts';
import { type StubConductor, startStubConductor } from './support/stub-conductor.ts';

const QUEUE = 'LLM_TEXT_COMPLETE';

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

/** A loop whose handler notes what it runs. */
function noting() {
  const ran: string[] = [];
  const loop = startLoop(stub, {
    async handler({ task }) {
      ran.push(task.taskId);
      return { kind: 'complete', output: {} };
    },
  });
  return Object.assign(loop, { ran });
}

describe('a task whose claim', () => {
  it('cannot be written is not run: it goes back', async () => {
    await using loop = noting();
    loop.ledger.on.claim = () => {
      throw new Error('Redis is away');
    };
    const taskId = stub.add(QUEUE);
    await until(() => stub.updates.length === 1);
    expect(stub.updates[0]).toMatchObject({ taskId, status: 'IN_PROGRESS', callbackAfterSeconds: 5 });
    expect(loop.ran).toEqual([]);
    await until(() => loop.ledger.released.includes(taskId));
  });

  it('cannot be written under a name that was declared dead is left to those who look for it', async () => {
    await using loop = noting();
    loop.ledger.on.claim = () => {
      loop.ledger.incarnation = 'tests/2';
      throw new Error('tests/1 was declared dead');
    };
    stub.add(QUEUE);
    await until(() => loop.lostPolls.length === 1);
    loop.ledger.on = {};
    expect(loop.lostPolls).toEqual(['tests/1']);
    expect([stub.updates, loop.ran]).toEqual([[], []]);
    // Its slot is free: only the next poll may hold one.
    await until(() => loop.slots.used <= 1);
  });

  it('is another’s is left to it, and what the poll brought is looked for', async () => {
    await using loop = noting();
    loop.ledger.on.claim = () => ({ kind: 'taken' });
    const taskId = stub.add(QUEUE);
    stub.on.look = () => {
      Object.assign(stub.tasks.get(taskId) ?? {}, { workerId: 'other/1', pollCount: 2 });
      return undefined;
    };
    await until(() => loop.lostPolls.length === 1);
    expect([loop.ran, stub.updates, loop.ledger.forced]).toEqual([[], [], []]);
    await until(() => loop.slots.used <= 1);
  });

  it('is another’s by a ledger that Conductor does not agree with is claimed by force, and run', async () => {
    await using loop = noting();
    loop.ledger.on.claim = () => ({ kind: 'taken' });
    const taskId = stub.add(QUEUE);
    await until(() => stub.tasks.get(taskId)?.status === 'COMPLETED');
    expect(loop.ran).toEqual([taskId]);
    expect(loop.ledger.forced).toMatchObject([{ taskId, pollCount: 1 }]);
  });
});

describe('a task that is handed out once more while it runs', () => {
  /** Runs one task until `end`, then fails it. */
  async function running() {
    const taskId = stub.add(QUEUE);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    let runs = 0;
    const loop = startLoop(stub, {
      async handler() {
        runs += 1;
        await ended;
        return { kind: 'fail', error: new ServiceError('BEDROCK_UNAVAILABLE', 'away') };
      },
    });
    await until(() => runs === 1);
    return Object.assign(loop, { taskId, end, runs: () => runs });
  }

  it('goes on as the later poll’s, whose claim its outcome then needs', async () => {
    await using loop = await running();
    stub.queueAgain(QUEUE, loop.taskId);
    await until(() => loop.ledger.claimed.length === 2);
    expect(loop.ledger.claimed[1]).toMatchObject({ taskId: loop.taskId, pollCount: 2 });
    loop.ledger.on.stillOurs = ({ pollCount }) => pollCount === 2;
    loop.end();
    await until(() => stub.tasks.get(loop.taskId)?.status === 'FAILED');
    expect([loop.runs(), loop.lostPolls]).toEqual([1, []]);
  });

  it('by another’s give-back, since its run is of a dead name, is looked for: the run’s failure says nothing', async () => {
    await using loop = await running();
    loop.ledger.incarnation = 'tests/2';
    loop.ledger.on.stillOurs = () => false;
    // A poll that was opened under the old name may still be open.
    await until(() => stub.polls.at(-1)?.workerId === 'tests/2');
    stub.queueAgain(QUEUE, loop.taskId);
    await until(() => loop.lostPolls.length === 1);
    expect(loop.lostPolls).toEqual(['tests/2']);
    loop.end();
    await until(() => loop.slots.used <= 1);
    expect([loop.runs(), stub.updates]).toEqual([1, []]);
  });

  it('is looked for where the later poll is another’s by the ledger', async () => {
    await using loop = await running();
    loop.ledger.on.claim = () => ({ kind: 'taken' });
    stub.queueAgain(QUEUE, loop.taskId);
    await until(() => loop.lostPolls.length === 1);
    expect(loop.runs()).toBe(1);
    loop.end();
  });
});
