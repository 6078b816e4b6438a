import type { Logger } from 'pino';
import { failureOf, ServiceError } from '../errors.ts';
import type { Ticket } from '../integrations/lanes/lane-cluster.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Backlog } from './backlog.ts';
import type { Conductor } from './conductor/conductor.ts';
import { inputHash } from './conductor/input-hash.ts';
import type { Outcome } from './conductor/outcome.ts';
import type { PolledTask } from './conductor/polled-task.ts';
import { startUpdates } from './conductor/task-updates.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { TaskHandler } from './tasks/llm-task.ts';

export interface HeldTasksParts {
  readonly conductor: Conductor;
  readonly ledger: Ledger;
  readonly backlog: Backlog;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface Arrival {
  readonly task: PolledTask;
  /** The incarnation that polled it. */
  readonly incarnation: string;
  /** Our task type, for metrics. */
  readonly type: string;
  readonly handler: TaskHandler;
  /** Its place in a lane, where it waited before. */
  readonly ticket: Ticket | undefined;
  /** False: its claim could not be written, and it goes back unjudged. */
  readonly claimed: boolean;
  /** Called once its outcome is known: from then on it holds no slot. */
  readonly freeSlot: () => void;
}

/** A task that runs here, and under which name it was polled. */
export interface Run {
  readonly incarnation: string;
  /** Its `pollCount` grows where Conductor hands it out once more meanwhile. */
  readonly task: PolledTask;
}

/** The tasks that this worker has, from their poll until Conductor has their outcome, or they are given back. */
export interface HeldTasks {
  runOf(taskId: string): Run | undefined;
  readonly size: number;
  run(arrival: Arrival): void;
  /** What has not started its call goes back. */
  stopWaiting(): void;
  /** Running calls are broken off, and go back. */
  breakOff(): void;
  /** Nothing is tried any longer: what is not handed over by now is left to whoever takes over. */
  giveUp(): void;
  /** Tasks polled by an incarnation that was declared dead: others have them now. */
  abandon(incarnation: string): void;
  /** Resolves when nothing is held, to whether everything there ever was has been handed over. */
  untilNone(): Promise<boolean>;
}

/** How long a task stays away whose claim could not be written, in seconds: Redis is away. */
const UNCLAIMED_SECONDS = 5;

interface Held extends Run {
  readonly waiting: AbortController;
  readonly running: AbortController;
}

export function createHeldTasks({ conductor, ledger, backlog, metrics, log }: HeldTasksParts): HeldTasks {
  const held = new Map<string, Held>();
  const runs = new Set<Promise<void>>();
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const accepted = { count: 0 };
  let allHandedOver = true;

  /** A task holds its slot until its outcome is known; handing that to Conductor, however long it takes, holds none. */
  async function run({ task, incarnation, type, handler, ticket, claimed, freeSlot }: Arrival): Promise<boolean> {
    const startedAt = performance.now();
    const { taskId } = task;
    const signals: Held = { incarnation, task, waiting: new AbortController(), running: new AbortController() };
    held.set(taskId, signals);
    const giveUp = givingUp.signal;
    const updates = startUpdates(task, {
      ...{
        conductor,
        ledger,
        workerId: incarnation,
        log,
        stopping: stopping.signal,
        giveUp,
        claimed,
        backlog,
        accepted,
      },
    });
    const outcome = await outcomeOf().finally(freeSlot);
    // Given back, it may come again before Conductor's answer does, and is then to be run.
    if (outcome.kind === 'give-back') forget();
    const code = outcome.kind === 'fail' ? outcome.error.code : '';
    metrics.taskEnded({ type, outcome: outcome.kind, code }, (performance.now() - startedAt) / 1_000);
    if (log.isLevelEnabled('debug')) {
      const workflowId = task.workflowInstanceId;
      log.debug({ taskId, workflowId, outcome: outcome.kind, code, ...reasonFor(outcome) }, 'A task ended');
    }
    return await updates.finish(outcome).finally(forget);

    function forget(): void {
      if (held.get(taskId) === signals) held.delete(taskId);
    }

    async function outcomeOf(): Promise<Outcome> {
      if (stopping.signal.aborted) return { kind: 'give-back', afterSeconds: 1 };
      if (!claimed) return { kind: 'give-back', afterSeconds: UNCLAIMED_SECONDS };
      const { waiting, running } = signals;
      const cancelDeadline = task.remainingMs === undefined ? undefined : setDeadline(task.remainingMs, signals);
      const { retriedTaskId } = task;
      const earlierAnswer = retriedTaskId === undefined ? undefined : () => answerOfEarlier(retriedTaskId);
      try {
        return await handler({ task, ticket, earlierAnswer, waiting: waiting.signal, running: running.signal });
      } catch (error) {
        // Handlers answer for everything they foresee; what gets here must still end the task, or it would be kept alive.
        log.error({ err: error, taskId }, 'A task met a fault of this worker');
        return { kind: 'fail', error: failureOf(error) };
      } finally {
        cancelDeadline?.();
      }
    }

    /** The model answered this very question when the task had another id, and Conductor was not there to hear it. */
    async function answerOfEarlier(earlierId: string): Promise<Outcome | undefined> {
      try {
        const answer = await ledger.answerOf(earlierId);
        if (answer?.result.status !== 'COMPLETED' || answer.inputHash !== inputHash(task.input)) return undefined;
        log.info({ taskId, earlierId }, 'A task is answered with what the model said before its retry');
        return { kind: 'complete', output: answer.result.outputData ?? {} };
      } catch {
        return undefined;
      }
    }
  }

  return {
    runOf: (taskId) => held.get(taskId),
    get size() {
      return runs.size;
    },
    run(arrival) {
      const kept = run(arrival)
        .catch((error: unknown) => {
          log.error({ err: error }, 'A task was lost to a fault of this worker');
          return false;
        })
        .then((handedOver) => {
          allHandedOver &&= handedOver;
          runs.delete(kept);
        });
      runs.add(kept);
    },
    stopWaiting() {
      const reason = new Error('the worker is stopping');
      stopping.abort(reason);
      for (const { waiting } of held.values()) waiting.abort(reason);
    },
    breakOff() {
      const reason = new Error('the time to drain is over');
      for (const { running } of held.values()) running.abort(reason);
    },
    giveUp: () => givingUp.abort(new Error('the worker must end')),
    abandon(incarnation) {
      const reason = new Error('others have this task: the worker was taken for dead');
      for (const one of held.values()) if (one.incarnation === incarnation) one.waiting.abort(reason);
    },
    async untilNone() {
      while (runs.size > 0) await Promise.all(runs);
      return allHandedOver;
    },
  };
}

/** Conductor gets this long to end a task itself, by its own clock, before we say that its time is over. */
const DEADLINE_GRACE_MS = 1_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function setDeadline(remainingMs: number, { waiting, running }: Held): () => void {
  const timer = setTimeout(
    () => {
      const what = "the timeoutSeconds or totalTimeoutSeconds of the task's definition have passed";
      const late = new ServiceError('TASK_TIMED_OUT', what);
      waiting.abort(late);
      running.abort(late);
    },
    Math.min(remainingMs + DEADLINE_GRACE_MS, LONGEST_TIMER_MS),
  );
  return () => clearTimeout(timer);
}

function reasonFor(outcome: Outcome): { reason?: string } {
  return outcome.kind === 'fail' ? { reason: outcome.error.message } : {};
}
