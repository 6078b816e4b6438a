import type { Logger } from 'pino';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { TaskType } from '../../config.ts';
import { failureOf, messageOf, ServiceError } from '../../errors.ts';
import type { Clients } from '../../integrations/clients.ts';
import type { BedrockAnswer, BedrockCall, TokenCounts } from '../../integrations/codec.ts';
import type { Lanes } from '../../integrations/lanes/lanes.ts';
import { splitQualified } from '../../integrations/names.ts';
import { laneLimits, laneOf, type ResolvedModel, withLife } from '../../integrations/resolve.ts';
import type { DenialRecorder } from '../../telemetry/denials.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { ConductorRefusal } from '../conductor/conductor.ts';
import type { Outcome } from '../conductor/outcome.ts';
import type { PolledTask } from '../conductor/polled-task.ts';
import { findModel } from './model-lookup.ts';
import { type AccessMode, createTaskPermission, type TaskPermission } from './permission.ts';
import type { SubjectByRecords, SubjectFinder } from './subject-source.ts';
import { blameDefaults, readNames } from './task-inputs.ts';

/** How one task type turns a task into a call and the answer into an output. Both throw ServiceErrors. */
export interface LlmTaskKind {
  readonly type: TaskType;
  plan(view: {
    readonly task: PolledTask;
    readonly model: ResolvedModel;
    readonly snapshot: Snapshot;
    readonly permission: TaskPermission;
  }): LlmPlan;
}

export interface LlmPlan {
  readonly call: BedrockCall;
  readonly notes: readonly string[];
  finish(answer: BedrockAnswer): { readonly output: Readonly<Record<string, unknown>>; readonly tokens: TokenCounts };
}

/** One run of a task. */
export interface TaskRun {
  readonly task: PolledTask;
  /** Aborted when the worker stops: what has not started its call goes back. */
  readonly waiting: AbortSignal;
  /** Aborted when the worker must end: running calls are broken off and go back. */
  readonly running: AbortSignal;
}

export type TaskHandler = (run: TaskRun) => Promise<Outcome>;

export interface LlmTaskParts {
  readonly catalog: () => Snapshot;
  /** False while the catalog is empty or may be stale: nothing is decided then, and tasks go back. */
  readonly mayDecide: () => boolean;
  readonly subjects: SubjectFinder;
  readonly mode: AccessMode;
  readonly denials: DenialRecorder;
  readonly lanes: Lanes;
  readonly clients: Clients;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Conductor itself will never say: the workflow is gone, or not ours to see. */
function isFinal(error: unknown): boolean {
  return error instanceof ConductorRefusal && error.isConductors && (error.status === 403 || !error.worthRepeating);
}

/** How long a task stays away that came while nothing could be decided, in seconds. */
const UNDECIDED_SECONDS = 5;

class Undecided extends Error {
  override readonly name = 'Undecided';
}

interface Prepared {
  readonly snapshot: Snapshot;
  readonly model: ResolvedModel;
  readonly plan: LlmPlan;
}

/**
 * A task's way: input → subject → decision → integration, model, prompt → lane → Bedrock → output. What was decided
 * before the lane, the subject included, is decided again after it wherever the catalog has changed meanwhile, so that a
 * right revoked while a task waited stops it.
 */
export function createLlmTaskHandler(kind: LlmTaskKind, parts: LlmTaskParts): TaskHandler {
  const { catalog, lanes, clients, metrics, log } = parts;
  const limitOf = laneLimitFinder();

  async function run({ task, waiting, running }: TaskRun): Promise<Outcome> {
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
      try {
        return { snapshot, model, plan: kind.plan({ task, model, snapshot, permission }) };
      } catch (error) {
        throw blameDefaults(
          error,
          task.input,
          model.record.configuration.defaults,
          `${names.integration}:${names.model}`,
        );
      }
    }

    let prepared = prepare();
    const lane = laneOf(names.integration, names.model, prepared.model.record);
    const answer = await lanes.through({
      lane,
      limit: limitOf(prepared.snapshot, lane),
      waiting,
      run: async () => {
        if (catalog() !== prepared.snapshot || !parts.mayDecide()) prepared = prepare();
        return await call(prepared, running);
      },
    });
    const { output, tokens } = prepared.plan.finish(answer);
    metrics.tokens({ integration: names.integration, model: names.model }, tokens.prompt, tokens.completion);
    return { kind: 'complete', output: { ...output, ...tokenOutputs(tokens) }, notes: prepared.plan.notes };
  }

  /** Conductor is asked who started a workflow; while it does not say, the task goes back rather than spend a retry. */
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
        'Conductor does not say who started a workflow',
      );
      throw new Undecided();
    }
  }

  async function call({ model, plan }: Prepared, signal: AbortSignal): Promise<BedrockAnswer> {
    const { integration, model: name, configuration, modelId, timeoutMs } = model;
    const startedAt = performance.now();
    let code = '';
    try {
      return await clients.withClient(integration, configuration, (client) =>
        client.send({ place: { integration, model: name }, modelId, call: plan.call, timeoutMs, signal }),
      );
    } catch (error) {
      code = signal.aborted ? 'ABORTED' : failureOf(error).code;
      throw withLife(error, model, new Date());
    } finally {
      metrics.callEnded({ integration, model: name, code }, (performance.now() - startedAt) / 1_000);
    }
  }

  return async (taskRun) => {
    try {
      return await run(taskRun);
    } catch (error) {
      // Its definition's time is over: Conductor has ended it by now, or is told.
      if (error instanceof ServiceError && error.code === 'TASK_TIMED_OUT') return { kind: 'fail', error };
      // Broken off by the stop, not failed: somebody else takes it.
      if (taskRun.running.aborted || (taskRun.waiting.aborted && error === taskRun.waiting.reason)) {
        return { kind: 'give-back', afterSeconds: 1 };
      }
      if (error instanceof Undecided) return { kind: 'give-back', afterSeconds: UNDECIDED_SECONDS };
      const failure = failureOf(error);
      if (failure.code === 'INTERNAL')
        log.error({ err: error, taskId: taskRun.task.taskId }, 'A task met a fault of this worker');
      return { kind: 'fail', error: failure };
    }
  };
}

/** A count that Bedrock did not give is left out, never 0; the sum stands only where at least one is known. */
function tokenOutputs({ prompt, completion }: TokenCounts): Record<string, number> {
  return {
    ...(prompt === undefined && completion === undefined ? {} : { tokenUsed: (prompt ?? 0) + (completion ?? 0) }),
    ...(prompt === undefined ? {} : { promptTokens: prompt }),
    ...(completion === undefined ? {} : { completionTokens: completion }),
  };
}

/** Limits of all lanes, worked out once a snapshot. */
function laneLimitFinder(): (snapshot: Snapshot, lane: string) => number | undefined {
  const known = new WeakMap<Snapshot, ReadonlyMap<string, number>>();
  return (snapshot, lane) => {
    let limits = known.get(snapshot);
    if (limits === undefined) {
      limits = laneLimits(modelsOf(snapshot));
      known.set(snapshot, limits);
    }
    return limits.get(lane);
  };
}

function* modelsOf(snapshot: Snapshot) {
  for (const name of snapshot.names('models')) {
    const parts = splitQualified(name);
    const found = snapshot.lookup('models', name);
    if (parts !== undefined && found.kind === 'found') yield { ...parts, record: found.record };
  }
}
