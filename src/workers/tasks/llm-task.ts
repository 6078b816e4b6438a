import type { Logger } from 'pino';
import { prepareCall } from '../../calls/call.ts';
import { readNames } from '../../calls/inputs/task-inputs.ts';
import { type CallKind, tokenOutputs } from '../../calls/plan.ts';
import { type SeveralParts, takeTurns } from '../../calls/several-requests.ts';
import { Undecided } from '../../calls/undecided.ts';
import { failureOf, messageOf, ServiceError } from '../../errors.ts';
import type { Ticket } from '../../integrations/lanes/lane-cluster.ts';
import { Deferred } from '../../integrations/lanes/lane-use.ts';
import type { Lanes } from '../../integrations/lanes/lanes.ts';
import type { SubjectAnswer } from '../../rbac/task-subject.ts';
import { ConductorRefusal } from '../conductor/conductor.ts';
import type { Outcome } from '../conductor/outcome.ts';
import type { PolledTask } from '../conductor/polled-task.ts';
import { sleepAtMost } from './sleep-bound.ts';
import type { SubjectByRecords, SubjectFinder } from './subject-source.ts';

/** One run of a task. */
export interface TaskRun {
  readonly task: PolledTask;
  /** Its place in a lane, where it waited before. */
  readonly ticket?: Ticket | undefined;
  /** What an earlier run of the same task, under another id, had as its answer; asked only once the task may run. */
  readonly earlierAnswer?: (() => Promise<Outcome | undefined>) | undefined;
  /** Aborted when the worker stops: what has not started its call goes back. */
  readonly waiting: AbortSignal;
  /** Aborted when the worker must end: running calls are broken off and go back. */
  readonly running: AbortSignal;
}

export type TaskHandler = (run: TaskRun) => Promise<Outcome>;

export interface LlmTaskParts extends SeveralParts {
  /** False while the catalog is empty or may be stale: nothing is decided then, and tasks go back. */
  readonly mayDecide: () => boolean;
  readonly subjects: SubjectFinder;
  readonly lanes: Pick<Lanes, 'through' | 'forget'>;
  readonly log: Logger;
}

/** Conductor itself will never say: the workflow is gone, or not ours to see. */
function isFinal(error: unknown): boolean {
  return error instanceof ConductorRefusal && error.isConductors && (error.status === 403 || !error.worthRepeating);
}

const NOBODY: SubjectAnswer = { kind: 'refused', reason: 'Conductor does not say who started the workflow' };

/** How long a task stays away that came while nothing could be decided, in seconds. */
const UNDECIDED_SECONDS = 5;

/**
 * A task's way: input → subject → decision → integration, model, prompt → lane → Bedrock → output. What was decided
 * before the lane, the subject included, is decided again after it wherever the catalog has changed meanwhile.
 */
export function createLlmTaskHandler(kind: CallKind, parts: LlmTaskParts): TaskHandler {
  const { lanes, log } = parts;

  async function run({ task, ticket, earlierAnswer, waiting, running }: TaskRun): Promise<Outcome> {
    if (task.inputIsElsewhere) {
      throw new ServiceError(
        'INPUT_INVALID',
        'Task input: kept by Conductor in external storage, which this worker does not read',
      );
    }
    const { input, taskId, workflowInstanceId, workflowType, pollCount, scheduledAt, responseTimeoutMs } = task;
    const names = readNames(input);
    const subject = await subjectOf(task);
    const origin = { workflowId: workflowInstanceId, workflowType, taskId };
    const attempt = prepareCall({ kind, input, names, subject, origin, waiting, running }, parts);
    const earlier = await earlierAnswer?.();
    if (earlier !== undefined) {
      if (ticket !== undefined) lanes.forget(ticket);
      return earlier;
    }
    const inLane = {
      ...{ taskId, workflowInstanceId, pollCount, order: scheduledAt, responseTimeoutMs, ticket },
      // Asked when it is to go: until then time passes.
      get sleepAtMostMs() {
        return sleepAtMost(task);
      },
    };
    const { output, tokens, fromCache } = await takeTurns(attempt, { task: inLane }, parts);
    // It took no turn, with which its place in line would have gone.
    if (fromCache === true && ticket !== undefined) lanes.forget(ticket);
    return { kind: 'complete', output: { ...output, ...tokenOutputs(tokens) }, notes: attempt.prepared.plan.notes };
  }

  /**
   * Conductor is asked who started a workflow, Redis which workflow a token is for; while they do not say, the task goes back
   * rather than spend a retry.
   */
  async function subjectOf(task: PolledTask): Promise<SubjectByRecords> {
    try {
      return await parts.subjects.of(task);
    } catch (error) {
      // Nobody's rights are asked where the mode is off, and nobody's own limits can be.
      if (isFinal(error) && parts.mode === 'off') return () => NOBODY;
      if (isFinal(error))
        throw new ServiceError(
          'SUBJECT_UNKNOWN',
          `Conductor does not say who started the workflow: ${messageOf(error)}`,
        );
      log.warn(
        { reason: messageOf(error), workflowId: task.workflowInstanceId },
        'It cannot be found out for whom a task runs; it goes back',
      );
      throw new Undecided();
    }
  }

  /** One that is refused before its turn has its place in line still. */
  function failed(error: ServiceError, { ticket }: TaskRun): Outcome {
    if (ticket !== undefined) lanes.forget(ticket);
    return { kind: 'fail', error, ...(error.notes.length === 0 ? {} : { notes: error.notes }) };
  }

  return async (taskRun) => {
    const { running, waiting } = taskRun;
    try {
      return await orAborted(run(taskRun), running);
    } catch (error) {
      // Its definition's time is over: Conductor has ended it by now, or is told.
      if (error instanceof ServiceError && error.code === 'TASK_TIMED_OUT') return failed(error, taskRun);
      // Broken off by the stop, not failed: somebody else takes it.
      if (running.aborted || (waiting.aborted && error === waiting.reason)) {
        return { kind: 'give-back', afterSeconds: 1 };
      }
      if (error instanceof Deferred) return { kind: 'give-back', afterSeconds: error.sleepMs / 1_000 };
      if (error instanceof Undecided) return { kind: 'give-back', afterSeconds: UNDECIDED_SECONDS };
      const failure = failureOf(error);
      if (failure.code === 'INTERNAL')
        log.error({ err: error, taskId: taskRun.task.taskId }, 'A task met a fault of this worker');
      return failed(failure, taskRun);
    }
  };
}

/** A request that others share goes on without one whose time is over. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const over = (): void => signal.removeEventListener('abort', abort);
    promise.then(
      (value) => {
        over();
        resolve(value);
      },
      (error: unknown) => {
        over();
        reject(error);
      },
    );
  });
}
