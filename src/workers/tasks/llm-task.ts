import type { Logger } from 'pino';
import { failureOf, messageOf, ServiceError } from '../../errors.ts';
import type { TokenCounts } from '../../integrations/codec.ts';
import type { Ticket } from '../../integrations/lanes/lane-cluster.ts';
import { Deferred } from '../../integrations/lanes/lane-use.ts';
import type { Lanes } from '../../integrations/lanes/lanes.ts';
import { laneOf } from '../../integrations/resolve.ts';
import type { DenialRecorder } from '../../telemetry/denials.ts';
import { ConductorRefusal } from '../conductor/conductor.ts';
import type { Outcome } from '../conductor/outcome.ts';
import type { PolledTask } from '../conductor/polled-task.ts';
import { BelongsElsewhere, type DispatchParts, dispatch, type LlmAttempt, type Prepared } from './llm-attempt.ts';
import type { LlmResult, LlmTaskKind } from './llm-plan.ts';
import { findModel } from './model-lookup.ts';
import { type AccessMode, createTaskPermission } from './permission.ts';
import { sleepAtMost } from './sleep-bound.ts';
import type { SubjectByRecords, SubjectFinder } from './subject-source.ts';
import { blameDefaults, readNames } from './task-inputs.ts';
import { Undecided } from './undecided.ts';

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

export interface LlmTaskParts extends DispatchParts {
  /** False while the catalog is empty or may be stale: nothing is decided then, and tasks go back. */
  readonly mayDecide: () => boolean;
  readonly subjects: SubjectFinder;
  readonly mode: AccessMode;
  readonly denials: DenialRecorder;
  readonly lanes: Pick<Lanes, 'through' | 'forget'>;
  readonly log: Logger;
}

/** Conductor itself will never say: the workflow is gone, or not ours to see. */
function isFinal(error: unknown): boolean {
  return error instanceof ConductorRefusal && error.isConductors && (error.status === 403 || !error.worthRepeating);
}

/** How long a task stays away that came while nothing could be decided, in seconds. */
const UNDECIDED_SECONDS = 5;

/**
 * A task's way: input → subject → decision → integration, model, prompt → lane → Bedrock → output. What was decided
 * before the lane, the subject included, is decided again after it wherever the catalog has changed meanwhile.
 */
export function createLlmTaskHandler(kind: LlmTaskKind, parts: LlmTaskParts): TaskHandler {
  const { catalog, lanes, log } = parts;

  async function run({ task, ticket, earlierAnswer, waiting, running }: TaskRun): Promise<Outcome> {
    if (task.inputIsElsewhere) {
      throw new ServiceError(
        'INPUT_INVALID',
        'Task input: kept by Conductor in external storage, which this worker does not read',
      );
    }
    const names = readNames(task.input);
    const subjectBy = parts.mode === 'off' ? undefined : await subjectOf(task);
    const recorded = new Set<string>();

    function prepare(): Prepared {
      if (!parts.mayDecide()) throw new Undecided();
      const snapshot = catalog();
      const subject = subjectBy?.(snapshot);
      const permission = createTaskPermission({ task, mode: parts.mode, subject, denials: parts.denials, recorded });
      const model = findModel(snapshot, permission, names);
      const lane = laneOf(names.integration, names.model, model.record);
      try {
        return { snapshot, model, lane, plan: kind.plan({ task, model, snapshot, permission }) };
      } catch (error) {
        throw blameDefaults(
          error,
          task.input,
          model.record.configuration.defaults,
          `${names.integration}:${names.model}`,
        );
      }
    }

    const attempt: LlmAttempt = { prepared: prepare(), prepare, waiting, running };
    const earlier = await earlierAnswer?.();
    if (earlier !== undefined) {
      if (ticket !== undefined) lanes.forget(ticket);
      return earlier;
    }
    const { output, tokens } = await turnFor(attempt);
    return { kind: 'complete', output: { ...output, ...tokenOutputs(tokens) }, notes: attempt.prepared.plan.notes };

    async function turnFor(asking: LlmAttempt): Promise<LlmResult> {
      for (;;) {
        const { lane, model, plan } = asking.prepared;
        try {
          return await lanes.through<LlmAttempt, LlmResult>({
            lane,
            task: {
              taskId: task.taskId,
              workflowInstanceId: task.workflowInstanceId,
              pollCount: task.pollCount,
              order: task.scheduledAt,
              responseTimeoutMs: task.responseTimeoutMs,
              // Asked when it is to go: until then time passes.
              get sleepAtMostMs() {
                return sleepAtMost(task);
              },
              ticket,
            },
            work: asking,
            batch: plan.shared,
            estimatedTokens: plan.estimatedTokens,
            deferAtMostMs: model.record.configuration.maxDeferralSeconds * 1_000,
            waiting,
            start: (attempts, turn) => dispatch(attempts, turn, parts),
          });
        } catch (error) {
          if (!(error instanceof BelongsElsewhere)) throw error;
        }
      }
    }
  }

  /**
   * Conductor is asked who started a workflow, Redis which workflow a token is for; while they do not say, the task goes back
   * rather than spend a retry.
   */
  async function subjectOf(task: PolledTask): Promise<SubjectByRecords> {
    try {
      return await parts.subjects.of(task);
    } catch (error) {
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
    return { kind: 'fail', error };
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

/** A count that Bedrock did not give is left out, never 0; the sum stands only where at least one is known. */
function tokenOutputs({ prompt, completion }: TokenCounts): Record<string, number> {
  return {
    ...(prompt === undefined && completion === undefined ? {} : { tokenUsed: (prompt ?? 0) + (completion ?? 0) }),
    ...(prompt === undefined ? {} : { promptTokens: prompt }),
    ...(completion === undefined ? {} : { completionTokens: completion }),
  };
}
