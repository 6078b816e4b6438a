import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
