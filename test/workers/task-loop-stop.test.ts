import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startLoop, until } from './support/harness.ts';
import { type StubConductor, startStubConductor } from './support/stub-conductor.ts';

const A = 'LLM_TEXT_COMPLETE';

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

const statusOf = (taskId: string) => stub.tasks.get(taskId)?.status;

describe('a stop', () => {
  it('opens no new poll, awaits the open one, and gives back the tasks that come with it', async () => {
    stub.on.poll = () => ({ delayMs: 150 });
    const ran: string[] = [];
    await using loop = startLoop(stub, {
      async handler({ task }) {
        ran.push(task.taskId);
        return { kind: 'complete', output: {} };
      },
    });
    await until(() => stub.polls.length === 1);
    const stopped = loop.stop(5_000);
    const taskId = stub.add(A);
    expect(await stopped).toBe(true);
    expect(stub.polls).toHaveLength(1);
    expect(ran).toEqual([]);
    expect(statusOf(taskId)).toBe('SCHEDULED');
    expect(stub.updates).toEqual([
      expect.objectContaining({ taskId, status: 'IN_PROGRESS', callbackAfterSeconds: expect.any(Number) }),
    ]);
    expect(stub.updates[0]).not.toHaveProperty('extendLease');
    expect(stub.offences).toEqual([]);
  });

  it('lets running tasks finish within the drain time, and hands their results over', async () => {
    const taskId = stub.add(A);
    let started = false;
    await using loop = startLoop(stub, {
      async handler() {
        started = true;
        await sleep(200);
        return { kind: 'complete', output: { result: 'late' } };
      },
    });
    await until(() => started);
    expect(await loop.stop(5_000)).toBe(true);
    expect(statusOf(taskId)).toBe('COMPLETED');
    expect(stub.tasks.get(taskId)?.outputData).toEqual({ result: 'late' });
  });

  it('tells waiting tasks at once, breaks off running ones when the drain time is over, and gives both back', async () => {
    const [waits, runs] = [stub.add(A, { inputData: { waits: true } }), stub.add(A)];
    const told: [string, boolean][] = [];
    let started = 0;
    await using loop = startLoop(stub, {
      async handler({ task, waiting, running }) {
        started += 1;
        const signal = task.input['waits'] === true ? waiting : running;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        told.push([task.taskId, running.aborted]);
        return { kind: 'give-back', afterSeconds: 1 };
      },
    });
    await until(() => started === 2);
    expect(await loop.stop(200)).toBe(true);
    expect(told).toEqual([
      [waits, false],
      [runs, true],
    ]);
    expect([statusOf(waits), statusOf(runs)]).toEqual(['SCHEDULED', 'SCHEDULED']);
    expect(stub.offences).toEqual([]);
  });

  it('of an idle loop is over when its open poll is answered', async () => {
    stub.holdMs = 5_000;
    await using loop = startLoop(stub, {});
    await until(() => stub.polls.length === 1);
    // Were it to wait for the drain time, the test would end before it.
    expect(await loop.stop(10_000)).toBe(true);
    expect(stub.polls.every(({ timeoutMs }) => timeoutMs <= 5_000)).toBe(true);
  });

  it('during an outage of Conductor does not wait for the next attempt', async () => {
    stub.on.poll = () => ({ status: 500 });
    await using loop = startLoop(stub, {});
    await until(() => stub.polls.length === 3, 4_000);
    // Were it to wait for the drain time, the test would end before it.
    expect(await loop.stop(10_000)).toBe(true);
  });

  it('before every slot is free leaves no slot taken', async () => {
    for (let n = 0; n < 6; n += 1) stub.add(A);
    await using loop = startLoop(stub, {
      slots: 3,
      async handler({ running }) {
        await new Promise((resolve) => running.addEventListener('abort', resolve));
        return { kind: 'give-back', afterSeconds: 0 };
      },
    });
    await until(() => loop.slots.used === 3);
    expect(await loop.stop(50)).toBe(true);
    expect(loop.slots.used).toBe(0);
    expect(stub.waitingIn(A)).toBe(3);
    expect(stub.offences).toEqual([]);
  });

  it('waits for tasks whose owner is not settled yet, and gives back those that are ours', async () => {
    const taskId = stub.add(A);
    const { promise: looked, resolve: look } = Promise.withResolvers<void>();
    stub.on.look = () => ({ until: looked });
    await using loop = startLoop(stub, {});
    loop.ledger.on.claim = () => ({ kind: 'taken' });
    await until(() => stub.looks.length === 1);
    let over = false;
    const stopped = loop.stop(2_000).finally(() => {
      over = true;
    });
    await sleep(300);
    expect(over).toBe(false);
    look();
    expect(await stopped).toBe(true);
    expect(statusOf(taskId)).toBe('SCHEDULED');
    expect(loop.ledger.forced).toHaveLength(1);
  });

  it('that must end while a poll is open has it looked for what the poll may yet bring', async () => {
    stub.on.poll = ({ queue }) => (queue === A ? { hang: true } : undefined);
    await using loop = startLoop(stub, { queues: [A, 'another'] });
    await until(() => new Set(stub.polls.map(({ queue }) => queue)).size === 2);
    expect(await loop.stop(0)).toBe(false);
    expect(loop.lostPolls).toEqual(['tests/1']);
  }, 15_000);

  it('that must end while Conductor takes no outcome looks for nothing', async () => {
    const taskId = stub.add(A);
    stub.on.update = () => ({ hang: true });
    await using loop = startLoop(stub, {});
    await until(() => stub.updates.length === 1);
    expect(await loop.stop(0)).toBe(false);
    expect([statusOf(taskId), loop.lostPolls]).toEqual(['IN_PROGRESS', []]);
  }, 15_000);
});
