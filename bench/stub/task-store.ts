/** Tasks and their queues in memory: what a Conductor does with polls and updates, and nothing more. */
import { randomUUID } from 'node:crypto';

export interface TaskTemplate {
  /** Name of the workflow; each has this one task. */
  readonly workflow: string;
  /** The task's type, which is also its queue. */
  readonly queue: string;
  /** JSON of every field of a polled task that is the same for all tasks of the workflow, without the outer braces. */
  readonly constant: string;
}

export interface StubTask {
  readonly taskId: string;
  readonly workflowId: string;
  readonly template: TaskTemplate;
  /** Milliseconds since 1970, as are all times here. */
  readonly scheduledTime: number;
  startTime: number;
  endTime: number;
  status: 'SCHEDULED' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'FAILED_WITH_TERMINAL_ERROR' | 'CANCELED';
  pollCount: number;
  workerId: string;
}

export interface TaskUpdate {
  readonly taskId: string;
  readonly status: string;
  readonly extendLease?: boolean;
  readonly callbackAfterSeconds?: number;
}

export interface Counts {
  polls: number;
  emptyPolls: number;
  /** Tasks handed out by polls and by update-v2. */
  polledTasks: number;
  completed: number;
  failed: number;
  giveBacks: number;
  heartbeats: number;
  /** Updates of tasks that were over, which are ignored as the real server does. */
  ignored: number;
}

export interface TaskStore {
  add(template: TaskTemplate, count: number): string[];
  /** At most `count` tasks at once, or the first to come within `waitMs`. `onWait` gets a function that ends the wait. */
  poll(
    queue: string,
    poll: { readonly count: number; readonly waitMs: number; readonly workerId: string },
    answer: (tasks: readonly StubTask[]) => void,
  ): () => void;
  /** One task if there is one. */
  take(queue: string, workerId: string): StubTask | undefined;
  update(update: TaskUpdate): void;
  cancel(workflowId: string): void;
  byWorkflow(workflowId: string): StubTask | undefined;
  byTask(taskId: string): StubTask | undefined;
  running(workflow: string): string[];
  waitingIn(queue: string): number;
  readonly counts: Counts;
  clearCounts(): void;
}

interface Waiter {
  readonly count: number;
  readonly workerId: string;
  readonly answer: (tasks: readonly StubTask[]) => void;
  readonly timer: NodeJS.Timeout;
}

interface Queue {
  /** Read from `head`: shifting a long array is slow. */
  tasks: StubTask[];
  head: number;
  readonly waiters: Set<Waiter>;
}

export function createTaskStore(): TaskStore {
  const queues = new Map<string, Queue>();
  const tasks = new Map<string, StubTask>();
  const workflows = new Map<string, StubTask>();
  const running = new Map<string, Set<string>>();
  const sleeping = new Map<StubTask, NodeJS.Timeout>();
  const counts: Counts = noCounts();

  function queueOf(name: string): Queue {
    const known = queues.get(name);
    if (known !== undefined) return known;
    const fresh: Queue = { tasks: [], head: 0, waiters: new Set() };
    queues.set(name, fresh);
    return fresh;
  }

  function takeFrom(queue: Queue, count: number, workerId: string): StubTask[] {
    const taken: StubTask[] = [];
    while (taken.length < count && queue.head < queue.tasks.length) {
      const task = queue.tasks[queue.head] as StubTask;
      queue.head += 1;
      if (task.status !== 'SCHEDULED') continue;
      task.status = 'IN_PROGRESS';
      task.pollCount += 1;
      task.workerId = workerId;
      task.startTime ||= Date.now();
      taken.push(task);
    }
    if (queue.head > 1_000 && queue.head * 2 > queue.tasks.length) {
      queue.tasks = queue.tasks.slice(queue.head);
      queue.head = 0;
    }
    counts.polledTasks += taken.length;
    return taken;
  }

  /** Those who wait longest are served first, each at the first task. */
  function serve(queue: Queue): void {
    for (const waiter of queue.waiters) {
      const taken = takeFrom(queue, waiter.count, waiter.workerId);
      if (taken.length === 0) return;
      queue.waiters.delete(waiter);
      clearTimeout(waiter.timer);
      waiter.answer(taken);
    }
  }

  function end(task: StubTask, status: StubTask['status']): void {
    task.status = status;
    task.endTime = Date.now();
    running.get(task.template.workflow)?.delete(task.workflowId);
  }

  return {
    add(template, count) {
      const queue = queueOf(template.queue);
      const alive = running.get(template.workflow) ?? new Set();
      running.set(template.workflow, alive);
      const ids: string[] = [];
      for (let made = 0; made < count; made += 1) {
        const task: StubTask = {
          ...{ taskId: randomUUID(), workflowId: randomUUID(), template },
          ...{ scheduledTime: Date.now(), startTime: 0, endTime: 0, status: 'SCHEDULED', pollCount: 0, workerId: '' },
        };
        tasks.set(task.taskId, task);
        workflows.set(task.workflowId, task);
        alive.add(task.workflowId);
        queue.tasks.push(task);
        ids.push(task.workflowId);
      }
      serve(queue);
      return ids;
    },
    poll(name, { count, waitMs, workerId }, answer) {
      const queue = queueOf(name);
      counts.polls += 1;
      const taken = takeFrom(queue, count, workerId);
      if (taken.length > 0 || waitMs <= 0) {
        answer(taken);
        return () => undefined;
      }
      const waiter: Waiter = {
        ...{ count, workerId, answer },
        timer: setTimeout(() => {
          queue.waiters.delete(waiter);
          counts.emptyPolls += 1;
          answer([]);
        }, waitMs),
      };
      queue.waiters.add(waiter);
      return () => {
        clearTimeout(waiter.timer);
        queue.waiters.delete(waiter);
      };
    },
    take: (name, workerId) => takeFrom(queueOf(name), 1, workerId)[0],
    update({ taskId, status, extendLease, callbackAfterSeconds = 0 }) {
      const task = tasks.get(taskId);
      if (task === undefined || task.endTime > 0) {
        counts.ignored += 1;
      } else if (status === 'COMPLETED') {
        counts.completed += 1;
        end(task, status);
      } else if (status === 'FAILED' || status === 'FAILED_WITH_TERMINAL_ERROR') {
        counts.failed += 1;
        end(task, status);
      } else if (extendLease === true) {
        counts.heartbeats += 1;
      } else {
        counts.giveBacks += 1;
        task.status = 'SCHEDULED';
        const queue = queueOf(task.template.queue);
        // A sleeper may be woken by another give-back, with a shorter sleep.
        clearTimeout(sleeping.get(task));
        const wake = () => {
          sleeping.delete(task);
          queue.tasks.push(task);
          serve(queue);
        };
        sleeping.set(task, setTimeout(wake, callbackAfterSeconds * 1_000));
      }
    },
    cancel(workflowId) {
      const task = workflows.get(workflowId);
      if (task !== undefined && task.endTime === 0) end(task, 'CANCELED');
    },
    byWorkflow: (workflowId) => workflows.get(workflowId),
    byTask: (taskId) => tasks.get(taskId),
    running: (workflow) => [...(running.get(workflow) ?? [])],
    waitingIn(name) {
      const queue = queueOf(name);
      return queue.tasks.length - queue.head;
    },
    counts,
    clearCounts: () => void Object.assign(counts, noCounts()),
  };
}

function noCounts(): Counts {
  return {
    ...{ polls: 0, emptyPolls: 0, polledTasks: 0, completed: 0, failed: 0 },
    ...{ giveBacks: 0, heartbeats: 0, ignored: 0 },
  };
}
