import type { ServiceError } from '../../errors.ts';
import type { ClusterLimits, Ticket } from './lane-cluster.ts';

/** All limits of one lane; an absent one means none. */
export interface LaneLimits extends ClusterLimits {
  /** Calls at once from one worker. */
  readonly perWorker: number | undefined;
}

export const NO_LIMITS: LaneLimits = {
  perWorker: undefined,
  concurrency: undefined,
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
};

/** What a lane knows of a task that wants a turn. */
export interface LaneTask {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly pollCount: number;
  /** Its place in line: smaller starts earlier. When Conductor first scheduled it, in milliseconds. */
  readonly order: number;
  /** Conductor waits this long for a sign of life, in milliseconds; 0: for ever. */
  readonly responseTimeoutMs: number;
  /** A sleep at Conductor is never longer; undefined where the task may not be given back at all, since it would time out. */
  readonly sleepAtMostMs: number | undefined;
  /** Its place from an earlier wait. */
  readonly ticket: Ticket | undefined;
}

/** What lets several tasks share one request: those with the same key may. */
export interface BatchTerms {
  readonly key: string;
  /** What this one adds to the request's body. */
  readonly bytes: number;
}

/** One turn in a lane: one HTTP attempt for one task, or for several that share it. */
export interface Turn {
  /** Aborted when the turn's lease has lapsed: the call must be broken off. Undefined where the lane takes no leases. */
  readonly lapsed: AbortSignal | undefined;
  /** Asked just before sending: false when the turn's time has run out while it was prepared, or nothing may start now. */
  holds(): boolean;
  /** Tokens that the answer really took, for the lane's limit of tokens. */
  settle(tokens: number): void;
}

/** How one task's part of a turn ended. */
export type Part<R> =
  | { readonly kind: 'done'; readonly value: R }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** Nothing was decided or sent: the task keeps its place and gets another turn. */
  | { readonly kind: 'again' };

export interface LaneUse<W, R> {
  /** Names the lane: integration and resolved model id, so that aliases of one model share it. */
  readonly lane: string;
  readonly task: LaneTask;
  readonly work: W;
  readonly batch: BatchTerms | undefined;
  /** Tokens that the call may take, for the lane's limit of tokens. */
  readonly estimatedTokens: number;
  /** How long throttling may put the task off, in milliseconds since Bedrock's first 429; 0: not at all. */
  readonly deferAtMostMs: number;
  /** Aborted while the use still waits: it leaves the line and rejects with the signal's reason. */
  readonly waiting: AbortSignal;
  /** Called with the works of all that share the turn, this one's first; answers for each in their order. A rejection is everybody's. */
  readonly start: (works: readonly W[], turn: Turn) => Promise<readonly Part<R>[]>;
}

/** The task can't start soon: it goes back to Conductor and comes again. Never a failure. */
export class Deferred extends Error {
  override readonly name = 'Deferred';
  readonly sleepMs: number;
  constructor(sleepMs: number, options?: { readonly cause?: ServiceError }) {
    super(`deferred for ${Math.round(sleepMs / 1_000)} s`, options);
    this.sleepMs = sleepMs;
  }
}
