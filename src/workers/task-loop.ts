import type { Logger } from 'pino';
import type { ServedType } from '../config.ts';
import { failureOf, messageOf, ServiceError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createBacklog } from './backlog.ts';
import { createBackOff } from './conductor/back-off.ts';
import type { Conductor } from './conductor/conductor.ts';
import type { Outcome } from './conductor/outcome.ts';
import { type PolledTask, readPolledTask } from './conductor/polled-task.ts';
import { startUpdates } from './conductor/task-updates.ts';
import { createPollPace } from './poll-pace.ts';
import type { Slots } from './slots.ts';
import type { TaskHandler } from './tasks/llm-task.ts';

export interface TaskLoopParts {
  readonly served: readonly (ServedType & { readonly handler: TaskHandler })[];
  readonly domain: string | undefined;
  readonly conductor: Conductor;
  readonly slots: Slots;
  readonly workerId: string;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Resolves when tasks may be taken, or when the signal is aborted. */
  readonly untilReady: (signal: AbortSignal) => Promise<void>;
}

export interface TaskLoop {
  start(): void;
  /** Whether the last poll of every type was answered; undefined before the first answer. */
  conductorAnswers(): boolean | undefined;
  /**
   * No new polls; open ones are awaited, never cut, for a task in an answer that nobody reads would be lost. What runs
   * may end within `drainMs`; everything else goes back to Conductor. Resolves to whether every task was handed over.
   */
  stop(drainMs: number): Promise<boolean>;
}

/** Outcomes on their way to Conductor; beyond that no tasks are asked for until it takes some. */
const OUTCOMES_WAITING_AT_MOST = 1_000;
/** How long handing back may take once the drain time is over. */
const HAND_BACK_MS = 5_000;

/** Polls each task type and runs what comes: the worker's heart. */
export function createTaskLoop(parts: TaskLoopParts): TaskLoop {
  const { conductor, slots, workerId, metrics, log } = parts;
  const stopping = new AbortController();
  const breakOff = new AbortController();
  const giveUp = new AbortController();
  const loops = new Set<Promise<void>>();
  const runs = new Set<Promise<boolean>>();
  const answered = new Map<string, boolean>();
  /** Types whose last poll brought tasks. */
  const busy = new Set<string>();
  /** Tasks from their poll until Conductor has their answer, or they are given back. */
  const held = new Set<string>();
  const backlog = createBacklog(OUTCOMES_WAITING_AT_MOST);
  let allHandedOver = true;

  async function pollForever(served: TaskLoopParts['served'][number]): Promise<void> {
    const { queue } = served;
    const backOff = createBackOff();
    const pace = createPollPace();
    const idle = createBackOff(20, 1_000);
    for (;;) {
      await parts.untilReady(stopping.signal);
      await backlog.untilRoom(stopping.signal);
      // An idle type keeps one place reserved; the busy ones share the others.
      const count = await slots.reserve((free) => (busy.has(queue) ? Math.ceil(free / busy.size) : 1), stopping.signal);
      if (count === 0) return;
      const waitMs = pace.waitMs(count);
      const startedAt = performance.now();
      let polled: unknown[];
      try {
        polled = await conductor.poll({ queue, count, waitMs, workerId, domain: parts.domain });
      } catch (error) {
        slots.release(count);
        busy.delete(queue);
        pace.failed();
        if (answered.get(queue) !== false) {
          log.warn({ queue, reason: messageOf(error) }, 'Conductor cannot be polled; trying again');
        }
        answered.set(queue, false);
        await backOff.wait(stopping.signal);
        continue;
      }
      if (answered.get(queue) === false) log.info({ queue }, 'Conductor answers polls again');
      answered.set(queue, true);
      backOff.reset();
      pace.observe({ asked: count, came: polled.length, waitMs, tookMs: performance.now() - startedAt });
      if (polled.length > 0) busy.add(queue);
      else busy.delete(queue);
      const tasks = polled.map(readPolledTask).filter((task) => task !== undefined);
      if (tasks.length < polled.length) log.error({ queue }, 'Conductor sent something that is no task');
      slots.release(count - tasks.length);
      for (const task of tasks) {
        if (held.has(task.taskId)) {
          // Conductor's queues may deliver twice; a second run would write over the first.
          log.warn({ taskId: task.taskId }, 'Conductor sent a task that is held already');
          slots.release(1);
        } else {
          track(run(task, served));
        }
      }
      // A queue that is empty holds the poll; what answers at once with nothing would be asked without pause.
      if (polled.length === 0 && performance.now() - startedAt < waitMs / 2) await idle.wait(stopping.signal);
      else idle.reset();
    }
  }

  /** A task holds its slot until its outcome is known; handing that to Conductor, however long it takes, holds none. */
  async function run(task: PolledTask, { type, handler }: TaskLoopParts['served'][number]): Promise<boolean> {
    const startedAt = performance.now();
    held.add(task.taskId);
    const updates = startUpdates(task, { conductor, workerId, log, giveUp: giveUp.signal });
    const outcome = await outcomeOf(task, handler).finally(() => {
      backlog.enter();
      slots.release(1);
    });
    // Given back, it may come again before Conductor's answer does, and is then to be run.
    if (outcome.kind === 'give-back') held.delete(task.taskId);
    const code = outcome.kind === 'fail' ? outcome.error.code : '';
    metrics.taskEnded({ type, outcome: outcome.kind, code }, (performance.now() - startedAt) / 1_000);
    log.debug(
      { taskId: task.taskId, workflowId: task.workflowInstanceId, outcome: outcome.kind, code, ...reasonFor(outcome) },
      'A task ended',
    );
    return await updates.finish(outcome).finally(() => {
      backlog.leave();
      held.delete(task.taskId);
    });
  }

  async function outcomeOf(task: PolledTask, handler: TaskHandler): Promise<Outcome> {
    if (stopping.signal.aborted) return { kind: 'give-back', afterSeconds: 1 };
    try {
      if (task.remainingMs === undefined) {
        return await handler({ task, waiting: stopping.signal, running: breakOff.signal });
      }
      const deadline = deadlineAfter(task.remainingMs);
      try {
        const waiting = AbortSignal.any([stopping.signal, deadline.signal]);
        const running = AbortSignal.any([breakOff.signal, deadline.signal]);
        return await handler({ task, waiting, running });
      } finally {
        deadline.cancel();
      }
    } catch (error) {
      // Handlers answer for everything they foresee; what gets here must still end the task, or it would be kept alive.
      log.error({ err: error, taskId: task.taskId }, 'A task met a fault of this worker');
      return { kind: 'fail', error: failureOf(error) };
    }
  }

  function track(running: Promise<boolean>): void {
    const kept = running
      .catch((error: unknown) => {
        log.error({ err: error }, 'A task was lost to a fault of this worker');
        return false;
      })
      .then((handedOver) => {
        allHandedOver &&= handedOver;
        return handedOver;
      })
      .finally(() => runs.delete(kept));
    runs.add(kept);
  }

  async function allEnded(): Promise<void> {
    // A poll that was open brings its tasks when it is answered: only then are all runs known.
    await Promise.all(loops);
    while (runs.size > 0) await Promise.all(runs);
  }

  return {
    start() {
      for (const served of parts.served) {
        const loop = pollForever(served).finally(() => loops.delete(loop));
        loops.add(loop);
      }
    },
    conductorAnswers() {
      if (answered.size === 0) return undefined;
      return [...answered.values()].every(Boolean);
    },
    async stop(drainMs) {
      stopping.abort(new Error('the worker is stopping'));
      const breakOffTimer = setTimeout(() => breakOff.abort(new Error('the time to drain is over')), drainMs);
      const giveUpTimer = setTimeout(() => giveUp.abort(new Error('the worker must end')), drainMs + HAND_BACK_MS);
      try {
        // Not even a Conductor that takes calls and never answers holds the process for longer.
        const ended = await Promise.race([allEnded().then(() => true), aborted(giveUp.signal).then(() => false)]);
        if (!ended)
          log.error({ tasksHeld: runs.size }, 'Conductor does not answer: what is held is left to its timeouts');
        allHandedOver &&= ended;
      } finally {
        clearTimeout(breakOffTimer);
        clearTimeout(giveUpTimer);
      }
      return allHandedOver;
    },
  };
}

/** Conductor gets this long to end a task itself, by its own clock, before we say that its time is over. */
const DEADLINE_GRACE_MS = 1_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function deadlineAfter(remainingMs: number): { signal: AbortSignal; cancel: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(
    () =>
      controller.abort(new ServiceError('TASK_TIMED_OUT', "the timeoutSeconds of the task's definition have passed")),
    Math.min(remainingMs + DEADLINE_GRACE_MS, LONGEST_TIMER_MS),
  );
  return { signal: controller.signal, cancel: () => clearTimeout(timer) };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function reasonFor(outcome: Outcome): { reason?: string } {
  return outcome.kind === 'fail' ? { reason: outcome.error.message } : {};
}
