import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnswerLate } from '../../../src/http-exchange.ts';
import { ConductorRefusal, createConductor, mayHaveBeenDone } from '../../../src/workers/conductor/conductor.ts';
import { createConductorSession } from '../../../src/workers/conductor/session.ts';
import { capturedLog, connect } from '../support/harness.ts';
import { type StubConductor, startStubConductor } from '../support/stub-conductor.ts';

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

const POLL = { queue: 'a type/ü', count: 3, waitMs: 5, workerId: 'label/1 2&x', domain: undefined };
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('was not refused'),
    (error: unknown) => error as ConductorRefusal,
  );

describe('the calls to Conductor', () => {
  it('poll with queue, count, wait, id and domain, whatever characters they hold', async () => {
    stub.add(POLL.queue, { inputData: { a: 1 } });
    const tasks = await link.conductor.poll({ ...POLL, domain: 'gold+1' });
    expect(stub.polls).toEqual([
      { queue: 'a type/ü', count: 3, timeoutMs: 5, workerId: 'label/1 2&x', domain: 'gold+1' },
    ]);
    expect(tasks).toMatchObject([{ taskId: 'task-1', inputData: { a: 1 } }]);
    expect(await link.conductor.poll(POLL)).toEqual([]);
    expect(stub.polls[1]?.domain).toBeNull();
  });

  it('tell what Conductor knows of a task, and that it knows none', async () => {
    const taskId = stub.add('q');
    expect(await link.conductor.taskState(taskId)).toEqual({ status: 'SCHEDULED', workerId: undefined, pollCount: 0 });
    await link.conductor.poll({ ...POLL, queue: 'q' });
    expect(await link.conductor.taskState(taskId)).toEqual({
      status: 'IN_PROGRESS',
      workerId: POLL.workerId,
      pollCount: 1,
    });
    expect(await link.conductor.taskState('none')).toBeUndefined();
    stub.on.look = () => ({ status: 500 });
    expect((await refusal(link.conductor.taskState(taskId))).status).toBe(500);
  });

  it('take an empty answer, by which older servers say so, for nothing there', async () => {
    const taskId = stub.add('q', { workflowType: 'w' });
    stub.on.look = () => ({ status: 204 });
    stub.on.workflows = () => ({ status: 204 });
    expect(await link.conductor.taskState(taskId)).toBeUndefined();
    expect(await link.conductor.runningWorkflows('w')).toEqual([]);
    expect(await link.conductor.workflowTasks(`workflow-of-${taskId}`)).toEqual([]);
  });

  it('tell which workflows run and what their tasks are', async () => {
    const fields = { workflowType: 'a name/ü' };
    const [first, second] = [stub.add('q', fields), stub.add('q', fields)];
    stub.add('q', { workflowType: 'other' });
    await link.conductor.poll({ ...POLL, queue: 'q', count: 1 });
    expect(await link.conductor.runningWorkflows('a name/ü')).toEqual([
      `workflow-of-${first}`,
      `workflow-of-${second}`,
    ]);
    expect(await link.conductor.runningWorkflows('none')).toEqual([]);
    expect(await link.conductor.workflowTasks(`workflow-of-${first}`)).toEqual([
      { taskId: first, taskType: 'q', status: 'IN_PROGRESS', workerId: POLL.workerId, pollCount: 1 },
    ]);
    expect(await link.conductor.workflowTasks(`workflow-of-${second}`)).toEqual([
      { taskId: second, taskType: 'q', status: 'SCHEDULED', workerId: undefined, pollCount: 0 },
    ]);
    expect(await link.conductor.workflowTasks('none')).toEqual([]);
    stub.workflowDefinitions = [{ name: 'w', version: 2, tasks: [{ name: 't' }] }];
    expect(await link.conductor.workflowDefinitions()).toMatchObject([{ name: 'w', tasks: [{ name: 't' }] }]);
  });

  it.each([
    ['a look at workflow definitions', () => link.conductor.workflowDefinitions()],
    ['a look at running workflows', () => link.conductor.runningWorkflows('w')],
    ['a look at the tasks of a workflow', () => link.conductor.workflowTasks('workflow-of-task-1')],
  ])('do not take a failure of %s for nothing there', async (operation, call) => {
    stub.add('q', { workflowType: 'w' });
    stub.on.workflows = () => ({ status: 503 });
    expect((await refusal(call())).message).toContain(operation);
  });

  it.each([
    [
      { createdBy: 'alice', workflowDefinition: { ownerEmail: 'o@x' } },
      { createdBy: 'alice', ownerEmail: 'o@x' },
    ],
    [
      { createdBy: null, ownerApp: '' },
      { createdBy: undefined, ownerEmail: undefined },
    ],
  ])('tell who started a workflow: %j', async (workflow, expected) => {
    stub.workflows.set('w', workflow);
    expect(await link.conductor.workflowOrigin('w')).toEqual(expected);
  });

  it.each([
    [400, false],
    [404, false],
    [409, false],
    [413, false],
    [401, true],
    [403, true],
    [408, true],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
    [504, true],
  ])('are refused by %i; worth repeating: %s', async (status, worthRepeating) => {
    stub.on.update = () => ({ status });
    const error = await refusal(
      link.conductor.update({ taskId: 't', workflowInstanceId: 'workflow-of-t', status: 'COMPLETED' }),
    );
    expect(error).toBeInstanceOf(ConductorRefusal);
    expect({ status: error.status, worthRepeating: error.worthRepeating }).toEqual({ status, worthRepeating });
    expect(error.message).toContain(`stub ${status}`);
  });

  it('fail with something else where there was no answer', async () => {
    stub.on.update = () => ({ cut: 'before' });
    const error = await refusal(link.conductor.update({ taskId: 't', workflowInstanceId: 'workflow-of-t' }));
    expect(error).not.toBeInstanceOf(ConductorRefusal);
  });

  it.each([
    ['a refusal', { status: 409 }, false],
    ['a demand for a token', { status: 401 }, false],
    ['a time-out of a gateway', { status: 408 }, true],
    ['a fault of the server', { status: 503 }, true],
    ['a lost connection', { cut: 'before' as const }, true],
  ])('may have been done after %s: %o %s', async (_, treatment, expected) => {
    stub.on.update = () => treatment;
    const error = await refusal(link.conductor.update({ taskId: 't', workflowInstanceId: 'workflow-of-t' }));
    expect(mayHaveBeenDone(error)).toBe(expected);
  });

  it('were not done where nobody listens', async () => {
    await stub[Symbol.asyncDispose]();
    const error = await refusal(link.conductor.update({ taskId: 't', workflowInstanceId: 'workflow-of-t' }));
    expect(mayHaveBeenDone(error)).toBe(false);
  });

  it('are not made where the token comes too late for them', async () => {
    const session = { ...createConductorSession({ apiUrl: stub.apiUrl, auth: undefined, log: capturedLog().log }) };
    session.headers = () => sleep(50, {});
    const conductor = createConductor({ apiUrl: stub.apiUrl, session });
    const late = conductor.update({ taskId: stub.add('q'), workflowInstanceId: 'workflow-of-task-1' }, 10);
    await expect(late).rejects.toThrow(AnswerLate);
    expect(stub.updates).toEqual([]);
    await conductor.close();
  });

  it('cut a long refusal short', () => {
    expect(new ConductorRefusal('an update', 400, 'x'.repeat(10_000)).message.length).toBeLessThan(400);
  });

  it('go to a server whose API is not at the root', async () => {
    expect(new URL(stub.apiUrl).pathname).toBe('/api');
    await link.conductor.poll(POLL);
    expect(stub.requests[0]?.path).toMatch(/^\/tasks\/poll\/batch\//);
    expect(stub.offences).toEqual([]);
  });
});
