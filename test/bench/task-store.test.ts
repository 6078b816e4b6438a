import { describe, expect, it } from 'vitest';
import { createTaskStore, type StubTask } from '../../bench/stub/task-store.ts';

const template = { workflow: 'bench_text', queue: 'LLM_TEXT_COMPLETE', constant: '"taskType":"LLM_TEXT_COMPLETE"' };

function createWorld() {
  const store = createTaskStore();
  const poll = (count: number, waitMs = 0) =>
    new Promise<readonly StubTask[]>((resolve) => {
      store.poll(template.queue, { count, waitMs, workerId: 'worker' }, resolve);
    });
  return { store, poll };
}

describe('the stub Conductor', () => {
  it('answers a poll that waits with the first task, and hands each out once', async () => {
    const { store, poll } = createWorld();
    const [first, second] = [poll(5, 10_000), poll(5, 10_000)];
    store.add(template, 1);
    expect(await first).toHaveLength(1);
    store.add(template, 7);
    expect(await second).toHaveLength(5);
    expect(await poll(5)).toHaveLength(2);
    expect(store.counts).toMatchObject({ polls: 3, emptyPolls: 0, polledTasks: 8 });
  });

  it('gives a task that was given back to the next poll after its callback, with a higher poll count', async () => {
    const { store, poll } = createWorld();
    store.add(template, 1);
    const [task] = await poll(1);
    store.update({ taskId: task?.taskId ?? '', status: 'IN_PROGRESS', callbackAfterSeconds: 0.05 });
    expect(await poll(1)).toEqual([]);
    expect(await poll(1, 10_000)).toMatchObject([{ taskId: task?.taskId, pollCount: 2 }]);
  });

  it('wakes a sleeper by a give-back with a shorter callback, and only once', async () => {
    const { store, poll } = createWorld();
    store.add(template, 1);
    const taskId = (await poll(1))[0]?.taskId ?? '';
    store.update({ taskId, status: 'IN_PROGRESS', callbackAfterSeconds: 600 });
    store.update({ taskId, status: 'IN_PROGRESS', callbackAfterSeconds: 0 });
    expect(await poll(1, 10_000)).toHaveLength(1);
    store.update({ taskId, status: 'COMPLETED' });
    expect(store.running('bench_text')).toEqual([]);
  });

  it('ignores what is said of a task that is over, and leaves a heartbeat’s task where it is', async () => {
    const { store, poll } = createWorld();
    store.add(template, 1);
    const taskId = (await poll(1))[0]?.taskId ?? '';
    store.update({ taskId, status: 'IN_PROGRESS', extendLease: true });
    expect(await poll(1)).toEqual([]);
    store.update({ taskId, status: 'COMPLETED' });
    store.update({ taskId, status: 'FAILED' });
    expect(store.byTask(taskId)?.status).toBe('COMPLETED');
    expect(store.counts).toMatchObject({ heartbeats: 1, completed: 1, failed: 0, ignored: 1 });
  });

  it('keeps the task for the next where a poller has gone', async () => {
    const { store, poll } = createWorld();
    const gone = store.poll(template.queue, { count: 1, waitMs: 10_000, workerId: 'gone' }, () => {
      throw new Error('answered nobody');
    });
    gone();
    store.add(template, 1);
    expect(await poll(1)).toHaveLength(1);
  });

  it('hands out no task of a workflow that was terminated', async () => {
    const { store, poll } = createWorld();
    const [workflowId = ''] = store.add(template, 2);
    store.cancel(workflowId);
    expect(await poll(5)).toHaveLength(1);
    expect(store.running('bench_text')).toHaveLength(1);
  });
});
