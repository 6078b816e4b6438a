import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startLoop, until } from './support/harness.ts';
import { type StubConductor, startStubConductor } from './support/stub-conductor.ts';

const A = 'LLM_TEXT_COMPLETE';
const B = 'LLM_GENERATE_EMBEDDINGS';

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

const statuses = () => [...stub.tasks.values()].map(({ status }) => status);
const completed = () => statuses().filter((status) => status === 'COMPLETED').length;

describe('the task loop', () => {
  it('polls each type for its own tasks, by its id, and runs every one once', async () => {
    for (let n = 0; n < 30; n += 1) stub.add(n % 2 === 0 ? A : B);
    await using loop = startLoop(stub, { queues: [A, B] });
    await until(() => completed() === 30);
    expect(new Set(stub.polls.map(({ queue }) => queue))).toEqual(new Set([A, B]));
    expect(new Set(stub.polls.map(({ workerId }) => workerId))).toEqual(new Set(['tests/1']));
    expect(stub.polls.every(({ domain }) => domain === null)).toBe(true);
    expect(stub.updates).toHaveLength(30);
    await loop.stop();
    expect(stub.offences).toEqual([]);
  });

  it('names its domain in the query where it has one', async () => {
    await using loop = startLoop(stub, { domain: 'gold' });
    await until(() => stub.polls.length > 0);
    await loop.stop();
    expect(stub.polls.every(({ domain }) => domain === 'gold')).toBe(true);
  });

  it('never holds more tasks than it has slots, whatever the polls bring and however long tasks take', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.record({ queue: fc.nat(2), ms: fc.integer({ min: 0, max: 12 }) }), { maxLength: 60 }),
        fc.integer({ min: 0, max: 8 }),
        async (slots, queueCount, work, pollDelay) => {
          const own = await startStubConductor();
          await using _ = own;
          const queues = ['q0', 'q1', 'q2'].slice(0, queueCount);
          own.on.poll = () => ({ delayMs: Math.random() * pollDelay });
          for (const { queue, ms } of work) own.add(`q${queue % queueCount}`, { inputData: { ms } });
          await using loop = startLoop(own, {
            slots,
            queues,
            async handler({ task }) {
              await sleep(task.input['ms'] as number);
              return { kind: 'complete', output: {} };
            },
          });
          await until(() => [...own.tasks.values()].every(({ status }) => status === 'COMPLETED'), 8_000);
          expect(loop.seen.mostHeld).toBeLessThanOrEqual(slots);
          expect(loop.seen.mostUsed).toBeLessThanOrEqual(slots);
          expect(Math.max(...own.polls.map(({ count }) => count))).toBeLessThanOrEqual(slots);
          expect(await loop.stop(1_000)).toBe(true);
          expect(loop.slots.used).toBe(0);
          expect(own.offences).toEqual([]);
          expect(own.updates).toHaveLength(work.length);
        },
      ),
      { numRuns: 12 },
    );
  }, 30_000);

  it.each([1, 2, 6])('gives both queues their share of %i slots while both are full', async (slots) => {
    for (let n = 0; n < 400; n += 1) stub.add(n % 2 === 0 ? A : B);
    await using _ = startLoop(stub, {
      slots,
      queues: [A, B],
      async handler() {
        await sleep(2);
        return { kind: 'complete', output: {} };
      },
    });
    await until(() => completed() >= 120, 8_000);
    const shares = [A, B].map(
      (queue) => [...stub.tasks.values()].filter((task) => task.queue === queue && task.status === 'COMPLETED').length,
    );
    expect(Math.min(...shares)).toBeGreaterThan(30);
  });

  it('asks for one task while idle, for more as more come', async () => {
    await using _ = startLoop(stub, { slots: 32 });
    await until(() => stub.polls.length === 4);
    expect(stub.polls.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
    for (let n = 0; n < 100; n += 1) stub.add(A);
    await until(() => completed() === 100);
    expect(Math.max(...stub.polls.map(({ count }) => count))).toBeGreaterThanOrEqual(8);
  });

  it('goes on with the next task when one handler fails, and gives its slot back', async () => {
    stub.add(A, { inputData: { bad: true } });
    for (let n = 0; n < 5; n += 1) stub.add(A);
    await using loop = startLoop(stub, {
      slots: 1,
      async handler({ task }) {
        if (task.input['bad'] === true) throw new Error('a fault');
        return { kind: 'complete', output: {} };
      },
    });
    await until(() => completed() === 5);
    expect(loop.captured.at('error').map(({ msg }) => msg)).toEqual(['A task met a fault of this worker']);
    expect([...stub.tasks.values()].filter(({ status }) => status === 'FAILED')).toHaveLength(1);
    expect(await loop.stop(500)).toBe(true);
  });
});

describe('a task whose handler failed', () => {
  it('is not kept alive by heartbeats: Conductor must be able to time it out', async () => {
    stub.add(A, { taskDefinition: { responseTimeoutSeconds: 0.05 } });
    await using loop = startLoop(stub, {
      async handler() {
        throw new Error('a fault');
      },
    });
    await until(() => loop.captured.at('error').length === 1);
    await sleep(200);
    expect(stub.updates.filter(({ extendLease }) => extendLease === true)).toEqual([]);
  });
});

describe('a Conductor that does not answer as it should', () => {
  it.each([
    ['answers 500', { status: 500 }],
    ['closes the socket', { cut: 'before' as const }],
    ['answers 401 without keys of ours', { status: 401 }],
  ])('%s: is asked ever more seldom, with one warning, and used again by itself', async (_, treatment) => {
    let broken = true;
    const times: number[] = [];
    stub.on.poll = () => {
      times.push(performance.now());
      return broken ? treatment : undefined;
    };
    await using loop = startLoop(stub, {});
    await until(() => times.length >= 4, 6_000);
    // Each wait is half to the whole of 200, 400, 800 … ms: the third is longer than the first could be.
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(gaps[0]).toBeGreaterThanOrEqual(60);
    expect(gaps[2]).toBeGreaterThanOrEqual(300);
    expect(loop.loop.conductorAnswers()).toBe(false);
    expect(loop.captured.at('warn').map(({ msg }) => msg)).toEqual(['Conductor cannot be polled; trying again']);
    await until(() => loop.slots.used === 0);

    broken = false;
    stub.add(A);
    await until(() => completed() === 1, 5_000);
    expect(loop.loop.conductorAnswers()).toBe(true);
    expect(loop.captured.at('info').map(({ msg }) => msg)).toContain('Conductor answers polls again');
  });

  it.each([
    ['answers 500', { status: 500 }, true],
    ['closes the socket', { cut: 'before' as const }, true],
    ['answers 408', { status: 408 }, true],
    ['answers 401', { status: 401 }, false],
    ['answers 429', { status: 429 }, false],
  ])('%s: may have handed out tasks: %o %s', async (_, treatment, expected) => {
    stub.on.poll = () => treatment;
    await using loop = startLoop(stub, {});
    await until(() => loop.captured.at('warn').length === 1);
    expect(loop.lostPolls).toEqual(expected ? ['tests/1'] : []);
  });

  it('sends something that is no task: said so, and the rest runs', async () => {
    stub.add(A, { taskId: 7 });
    stub.add(A);
    await using loop = startLoop(stub, {});
    await until(() => completed() === 1);
    expect(loop.captured.at('error').map(({ msg }) => msg)).toEqual(['Conductor sent something that is no task']);
    await loop.stop(100);
    expect(loop.slots.used).toBe(0);
  });

  it('takes outcomes only after a while: the task is handed over then', async () => {
    let refusals = 0;
    stub.on.update = () => (refusals++ < 2 ? { status: 503 } : undefined);
    stub.add(A);
    await using _ = startLoop(stub, {});
    await until(() => completed() === 1, 5_000);
    expect(stub.updates).toHaveLength(3);
  });
});
