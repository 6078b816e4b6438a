import { randomUUID } from 'node:crypto';
import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import type { LaneTask } from '../integrations/lanes/lane-use.ts';
import type { SubjectAnswer } from '../rbac/task-subject.ts';
import { type CallParts, prepareCall } from './call.ts';
import type { TaskInput } from './inputs/read-inputs.ts';
import { readNames } from './inputs/task-inputs.ts';
import { createPatience } from './patience.ts';
import type { CallKind, CallResult } from './plan.ts';
import { takeTurns } from './several-requests.ts';
import { stopping } from './stopping.ts';
import { Undecided } from './undecided.ts';

/** One call of a model by somebody who waits for it, outside of Conductor. */
export interface DirectCall {
  readonly kind: CallKind;
  /** As the inputs of a task of this kind. */
  readonly input: TaskInput;
  /** Whom it runs for by the records of one moment: asked at the start, and again when it is sent. Undefined only where the mode is off. */
  readonly subject: ((snapshot: Snapshot) => SubjectAnswer) | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What a direct call ends with. */
export interface DirectAnswer extends CallResult {
  /** What a task's log would have: inputs and variables that nothing was done with. */
  readonly notes: readonly string[];
}

/**
 * Direct calls are decided, admitted, sent and counted as tasks are. What differs: nothing can be put off, so that a call stands in
 * line for 30 s at most, Bedrock's throttling is told at once, and nothing is taken from a cache, since the call itself is
 * what is tried.
 */
export interface DirectCalls {
  /**
   * Rejects with the ServiceError that ends the call: all that a task can fail with, MODEL_BUSY where no place of the model's
   * limits came free, and UNREACHABLE where nothing can be decided or the process stops. Both, and THROTTLED, say when to try again.
   */
  run(call: DirectCall): Promise<DirectAnswer>;
  /** Ends what stands in line; what runs has so long to end by itself, in milliseconds. */
  stop(drainMs: number): Promise<void>;
}

export interface DirectCallsParts extends CallParts {
  /** How long a call may stand in line, in milliseconds. Default 30,000. */
  readonly waitAtMostMs?: number;
  /** Calls at once, waiting ones included: each is somebody's open request. Default 64. */
  readonly atOnce?: number;
}

const BUSY_RETRY_SECONDS = 10;
const THROTTLED_RETRY_SECONDS = 2;
const AWAY_RETRY_SECONDS = 1;

/** Where rights are enforced after all, nobody may anything. */
const nobodyAsked = (): SubjectAnswer => ({ kind: 'refused', reason: 'nobody was asked for' });

const NO_TASK = { workflowId: '', workflowType: '', taskId: '' } as const;

export function createDirectCalls({ waitAtMostMs = 30_000, atOnce = 64, ...parts }: DirectCallsParts): DirectCalls {
  const underWay = new Set<Promise<unknown>>();
  const [waitingEnds, runningEnds] = [new AbortController(), new AbortController()];

  async function make({ kind, input, subject, signal }: DirectCall): Promise<DirectAnswer> {
    const names = readNames(input);
    const patience = createPatience(waitAtMostMs, () => busy(`${names.integration}:${names.model}`, waitAtMostMs));
    try {
      const waiting = AbortSignal.any([signal, patience.signal, waitingEnds.signal]);
      const running = AbortSignal.any([signal, runningEnds.signal]);
      const attempt = prepareCall(
        { kind, input, names, subject: subject ?? nobodyAsked, origin: NO_TASK, waiting, running },
        parts,
      );
      const terms = { task: inLane(), deferAtMostMs: 0, around: patience.pausedFor };
      return { ...(await takeTurns(attempt, terms, parts)), notes: attempt.prepared.plan.notes };
    } catch (error) {
      throw explained(error);
    } finally {
      patience.end();
    }
  }

  return {
    async run(call) {
      waitingEnds.signal.throwIfAborted();
      if (underWay.size >= atOnce) {
        throw new ServiceError('MODEL_BUSY', `${atOnce} calls are under way here already: try again later`, {
          retryAfterSeconds: BUSY_RETRY_SECONDS,
        });
      }
      const made = make(call);
      underWay.add(made);
      try {
        return await made;
      } finally {
        underWay.delete(made);
      }
    },
    async stop(drainMs) {
      waitingEnds.abort(stopping());
      const timer = setTimeout(() => runningEnds.abort(stopping()), drainMs);
      await Promise.allSettled(underWay);
      clearTimeout(timer);
    },
  };
}

/** One that cannot be given back to Conductor: it waits in its lane, for as long as `waiting` lets it. */
function inLane(): LaneTask {
  return {
    ...{ taskId: `direct-${randomUUID()}`, workflowInstanceId: '', pollCount: 0, order: Date.now() },
    ...{ responseTimeoutMs: 0, sleepAtMostMs: undefined, ticket: undefined },
  };
}

function busy(model: string, waitedMs: number): ServiceError {
  return new ServiceError(
    'MODEL_BUSY',
    `${model}: for ${Math.round(waitedMs / 1_000)} s no place came free under the limits of this model; try again later`,
    { retryAfterSeconds: BUSY_RETRY_SECONDS },
  );
}

/** In words for somebody who waits, with when it is worth trying again. */
function explained(error: unknown): unknown {
  if (error instanceof Undecided) {
    return new ServiceError('UNREACHABLE', 'Redis does not answer: what is known of it may be out of date', {
      retryAfterSeconds: AWAY_RETRY_SECONDS,
    });
  }
  if (!(error instanceof ServiceError) || error.code !== 'THROTTLED') return error;
  return new ServiceError('THROTTLED', error.message, { cause: error, retryAfterSeconds: THROTTLED_RETRY_SECONDS });
}
