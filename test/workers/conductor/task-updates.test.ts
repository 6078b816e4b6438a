import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { createBacklog } from '../../../src/workers/backlog.ts';
import { type Conductor, ConductorRefusal } from '../../../src/workers/conductor/conductor.ts';
import type { Outcome } from '../../../src/workers/conductor/outcome.ts';
import { startUpdates as start, type TaskUpdatesParts } from '../../../src/workers/conductor/task-updates.ts';
import { capturedLog, connect, polled } from '../support/harness.ts';
import { soloLedger } from '../support/solo-ledger.ts';
import { type StubConductor, startStubConductor } from '../support/stub-conductor.ts';

// Vitest's fake timers leave this module alone; over the global `setTimeout` they reach the waits of `back-off.ts`, too.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const timer = setTimeout(() => resolve(value), ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    }),
}));

const WORKER = 'tests/1';
const DONE: Outcome = { kind: 'complete', output: { result: 'text' } };
const never = new AbortController().signal;

type Given = Pick<TaskUpdatesParts, 'conductor' | 'log' | 'giveUp'> & Partial<TaskUpdatesParts>;
const startUpdates = (task: Parameters<typeof start>[0], given: Given) =>
  start(task, {
    ledger: soloLedger(WORKER),
    workerId: WORKER,
    stopping: never,
    claimed: true,
    backlog: createBacklog(),
    accepted: { count: 0 },
    ...given,
  });

/** A task that the stub has given to us, with a response timeout of `seconds`. */
async function heldTask(stub: StubConductor, conductor: Conductor, seconds = 0) {
  const taskId = stub.add('q', { taskDefinition: { responseTimeoutSeconds: seconds } });
  const [given] = await conductor.poll({ queue: 'q', count: 1, waitMs: 100, workerId: WORKER, domain: undefined });
  const state = stub.tasks.get(taskId);
  if (state === undefined) throw new Error('no task');
  return { task: polled(given as Record<string, unknown>), state };
}

describe('heartbeats and outcomes over HTTP', () => {
  let stub: StubConductor;
  let link: ReturnType<typeof connect>;
  beforeEach(async () => {
    stub = await startStubConductor();
    link = connect(stub);
  });
  afterEach(async () => {
    await stub[Symbol.asyncDispose]();
    await link.close();
  });
  const updatesOf = (task: Parameters<typeof startUpdates>[0], giveUp = never) =>
    startUpdates(task, { conductor: link.conductor, log: link.captured.log, giveUp });

  it('a task that goes back after a long wait sleeps for so long that its poll timeout does not end it', async () => {
    const { task } = await heldTask(stub, link.conductor);
    const waited = { ...task, pollTimeoutMs: 60_000, scheduledAt: Date.now() - 100_000 };
    expect(await updatesOf(waited).finish({ kind: 'give-back', afterSeconds: 1 })).toBe(true);
    const [{ callbackAfterSeconds } = {}] = stub.updates;
    // What it waited beyond its poll timeout, and ten seconds to be polled.
    expect(callbackAfterSeconds).toBeGreaterThanOrEqual(50);
    expect(callbackAfterSeconds).toBeLessThanOrEqual(55);
  });

  it('no outcome is sent while a heartbeat is unanswered, however long that takes', async () => {
    stub.on.update = ({ extendLease }) => (extendLease === true ? { delayMs: Math.random() * 300 } : undefined);
    const all = Array.from({ length: 60 }, async () => {
      const { task, state } = await heldTask(stub, link.conductor, 0.05 + Math.random() * 0.1);
      const updates = updatesOf(task);
      await sleep(Math.random() * 250);
      expect(await updates.finish(DONE)).toBe(true);
      // Nothing that comes later undoes it.
      await sleep(320);
      return state.status;
    });
    expect(new Set(await Promise.all(all))).toEqual(new Set(['COMPLETED']));
    expect(stub.offences).toEqual([]);
    expect(stub.updates.filter(({ extendLease }) => extendLease === true).length).toBeGreaterThan(20);
    expect(stub.updates.filter(({ status }) => status === 'COMPLETED')).toHaveLength(60);
  });

  it('a heartbeat extends the lease and says nothing else', async () => {
    const { task } = await heldTask(stub, link.conductor, 0.05);
    const updates = updatesOf(task);
    await sleep(60);
    await updates.finish(DONE);
    expect(stub.updates[0]).toEqual({
      taskId: task.taskId,
      workflowInstanceId: task.workflowInstanceId,
      workerId: WORKER,
      status: 'IN_PROGRESS',
      extendLease: true,
    });
  });

  it('a task without a response timeout has no heartbeats', async () => {
    const { task } = await heldTask(stub, link.conductor, 0);
    const updates = updatesOf(task);
    await sleep(50);
    await updates.finish(DONE);
    expect(stub.updates).toHaveLength(1);
  });

  it('no heartbeat follows an outcome', async () => {
    const { task } = await heldTask(stub, link.conductor, 0.02);
    const updates = updatesOf(task);
    await sleep(40);
    await updates.finish(DONE);
    const sent = stub.updates.length;
    await sleep(60);
    expect(stub.updates).toHaveLength(sent);
  });

  it.each(['before', 'after'] as const)(
    'an outcome whose connection was cut %s it was handled is sent again',
    async (cut) => {
      let cuts = 0;
      stub.on.update = () => (cuts++ === 0 ? { cut } : undefined);
      const { task, state } = await heldTask(stub, link.conductor);
      expect(await updatesOf(task).finish(DONE)).toBe(true);
      expect(state.status).toBe('COMPLETED');
      expect(stub.updates).toHaveLength(2);
    },
  );

  it('503 and 429 are answered by trying until the outcome is taken, with one warning', async () => {
    let refusals = 0;
    stub.on.update = () => (refusals++ < 2 ? { status: refusals === 1 ? 503 : 429 } : undefined);
    const { task, state } = await heldTask(stub, link.conductor);
    expect(await updatesOf(task).finish(DONE)).toBe(true);
    expect(state.status).toBe('COMPLETED');
    expect(link.captured.at('warn')).toHaveLength(1);
  });

  it('404 drops the outcome: nobody waits for it', async () => {
    stub.on.update = () => ({ status: 404 });
    const { task } = await heldTask(stub, link.conductor);
    expect(await updatesOf(task).finish(DONE)).toBe(true);
    expect(stub.updates).toHaveLength(1);
    expect(link.captured.at('error')).toEqual([]);
  });

  it.each([400, 413])('%i brings a small terminal failure in place of the result', async (status) => {
    stub.on.update = (update) => (update.status === 'COMPLETED' ? { status } : undefined);
    const { task, state } = await heldTask(stub, link.conductor);
    expect(await updatesOf(task).finish(DONE)).toBe(true);
    expect(state.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    expect(state.outputData).toMatchObject({ error: { code: 'RESULT_REFUSED', retryable: false } });
    expect(stub.updates.at(-1)?.reasonForIncompletion).toContain(`${status}`);
  });

  it('an outcome that is refused altogether ends in one error line, not in a loop', async () => {
    stub.on.update = () => ({ status: 400 });
    const { task } = await heldTask(stub, link.conductor);
    await updatesOf(task).finish(DONE);
    expect(stub.updates).toHaveLength(2);
    expect(link.captured.at('error')).toHaveLength(1);
  });

  it('what cannot be handed over when the worker must end is said to be lost', async () => {
    stub.on.update = () => ({ status: 503 });
    const giveUp = new AbortController();
    const { task } = await heldTask(stub, link.conductor);
    const finished = updatesOf(task, giveUp.signal).finish(DONE);
    await sleep(20);
    giveUp.abort();
    expect(await finished).toBe(false);
  });
});

describe('an outcome after a heartbeat of unknown fate', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const OURS = { status: 'IN_PROGRESS', workerId: WORKER, pollCount: 1 };

  /** Conductor as a script: the heartbeat is lost, every look answers `state`. */
  function scripted(
    state: Awaited<ReturnType<Conductor['taskState']>>,
    heartbeatError: Error = new Error('socket closed'),
  ) {
    const sent: string[] = [];
    const conductor = {
      async update(result: { status?: string; extendLease?: boolean }) {
        sent.push(result.extendLease === true ? 'heartbeat' : `${result.status}`);
        if (result.extendLease === true) throw heartbeatError;
      },
      async taskState() {
        sent.push('look');
        return state;
      },
    } as unknown as Conductor;
    return { sent, conductor };
  }

  async function finishAfterLostHeartbeat(script: ReturnType<typeof scripted>, outcome: Outcome = DONE) {
    const task = polled({ taskDefinition: { responseTimeoutSeconds: 10 } });
    const { log } = capturedLog();
    const updates = startUpdates(task, { conductor: script.conductor, log, giveUp: never });
    await vi.advanceTimersByTimeAsync(7_000);
    let confirmed: boolean | undefined;
    void updates.finish(outcome).then((answer) => {
      confirmed = answer;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(script.sent).toEqual(['heartbeat', outcome.kind === 'complete' ? 'COMPLETED' : 'IN_PROGRESS']);
    expect(confirmed).toBeUndefined();
    await vi.advanceTimersByTimeAsync(5_000);
    return () => confirmed;
  }

  it('is looked after, and sent again where the task is still ours and open', async () => {
    const script = scripted(OURS);
    const confirmed = await finishAfterLostHeartbeat(script);
    expect(script.sent).toEqual(['heartbeat', 'COMPLETED', 'look', 'COMPLETED']);
    expect(confirmed()).toBe(true);
  });

  it.each([
    ['over', { ...OURS, status: 'COMPLETED' }],
    ['polled again by us', { ...OURS, pollCount: 2 }],
    ["somebody else's", { ...OURS, workerId: 'tests/2' }],
    ['back in the queue', { ...OURS, status: 'SCHEDULED' }],
    ['gone', undefined],
  ] as const)('is not sent again where the task is %s', async (_, state) => {
    const script = scripted(state);
    const confirmed = await finishAfterLostHeartbeat(script);
    expect(script.sent).toEqual(['heartbeat', 'COMPLETED', 'look']);
    expect(confirmed()).toBe(true);
  });

  it('needs no look where Conductor refused the heartbeat in so many words', async () => {
    const script = scripted(OURS, new ConductorRefusal('an update', 404, '{"message":"No such task"}'));
    const task = polled({ taskDefinition: { responseTimeoutSeconds: 10 } });
    const { log } = capturedLog();
    const updates = startUpdates(task, { conductor: script.conductor, log, giveUp: never });
    await vi.advanceTimersByTimeAsync(7_000);
    expect(await updates.finish(DONE)).toBe(true);
    expect(script.sent).toEqual(['heartbeat', 'COMPLETED']);
  });

  it.each([502, 504])('is looked after where a gateway answered %i: the heartbeat may yet arrive', async (status) => {
    const script = scripted(OURS, new ConductorRefusal('an update', status, ''));
    await finishAfterLostHeartbeat(script);
    expect(script.sent).toEqual(['heartbeat', 'COMPLETED', 'look', 'COMPLETED']);
  });

  it('goes out after 70 % of the response timeout, and soon again after one that was not taken', async () => {
    const script = scripted(OURS, new ConductorRefusal('an update', 503, ''));
    const task = polled({ taskDefinition: { responseTimeoutSeconds: 10 } });
    const { log } = capturedLog();
    const updates = startUpdates(task, { conductor: script.conductor, log, giveUp: never });
    await vi.advanceTimersByTimeAsync(6_999);
    expect(script.sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.sent).toHaveLength(1);
    // A tenth of the timeout later, since three tenths are all that is left.
    await vi.advanceTimersByTimeAsync(999);
    expect(script.sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.sent).toHaveLength(2);
    void updates.finish({ kind: 'fail', error: new ServiceError('THROTTLED', 'busy') });
    await vi.advanceTimersByTimeAsync(6_000);
    expect(script.sent).toContain('FAILED');
  });

  it('a response timeout of a year does not make heartbeats come all the time', async () => {
    vi.useRealTimers();
    const script = scripted(OURS, new ConductorRefusal('an update', 404, ''));
    const task = polled({ taskDefinition: { responseTimeoutSeconds: 31_536_000 } });
    const { log } = capturedLog();
    const updates = startUpdates(task, { conductor: script.conductor, log, giveUp: never });
    await sleep(50);
    await updates.finish(DONE);
    expect(script.sent).toEqual(['COMPLETED']);
  });
});
