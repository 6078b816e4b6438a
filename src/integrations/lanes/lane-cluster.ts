/**
 * The port between a worker's lanes and what all replicas share about them: limits, leases, throttling, tickets. It is
 * kept in Redis by `src/cluster/lane-store.ts`. Every time is in milliseconds, every moment by Redis' clock unless said.
 */

/** Limits of a lane that hold over all replicas; an absent one means none. */
export interface ClusterLimits {
  /** Calls at once. */
  readonly concurrency: number | undefined;
  /** Calls begun in any 60 s. */
  readonly requestsPerMinute: number | undefined;
  /** Tokens of any 60 s; the balance may go below zero, and nothing is admitted until it is above again. */
  readonly tokensPerMinute: number | undefined;
}

/** A place among a lane's calls, for one HTTP attempt. */
export interface Lease {
  /** `<instance>#<n>`, unique over all replicas and starts: what stands before the last `#` names the worker. */
  readonly id: string;
  readonly lane: string;
  /** Tokens that were charged when it was admitted; 0 where the lane has no token limit. */
  readonly estimatedTokens: number;
}

export interface AdmissionRequest {
  readonly lane: string;
  readonly limits: ClusterLimits;
  /** An id and an estimate of tokens for each attempt that would start now, the first in line first. */
  readonly attempts: readonly { readonly leaseId: string; readonly estimatedTokens: number }[];
}

export interface Admission {
  /** How many of the attempts may start: always the first ones. */
  readonly granted: number;
  /** Where not all were granted: when it is worth asking again, at the latest. 0 otherwise. */
  readonly retryAfterMs: number;
  /** The limit of calls at once that holds now: the configured one, or less while Bedrock throttles. */
  readonly concurrency: number | undefined;
}

/** A task that is given back to wait keeps its place in the lane by this. */
export interface Ticket {
  readonly taskId: string;
  readonly lane: string;
  /** Its place: smaller starts earlier. When Conductor first scheduled the task, by Conductor's clock. */
  readonly order: number;
  /** When Bedrock first throttled this task, by Redis' clock; undefined while it has not. */
  readonly firstThrottledAt: number | undefined;
  /** How often Bedrock throttled it. */
  readonly throttles: number;
}

export interface DeferralRequest {
  readonly lane: string;
  readonly taskId: string;
  readonly workflowInstanceId: string;
  /** Which poll brought it: a sleeper is woken only while this is its last one. */
  readonly pollCount: number;
  readonly order: number;
  /** Time between two starts in this lane, as measured, over all replicas. */
  readonly intervalMs: number;
  /** Tasks that wait in this worker ahead of every sleeper. */
  readonly ahead: number;
  /** A throttled task sleeps at least this long, whatever its rank. Default 0. */
  readonly atLeastMs?: number;
  /** A sleep is never longer: the task's own timeouts. */
  readonly atMostMs: number;
  /** Whether Bedrock has just throttled this task. */
  readonly throttled: boolean;
}

export interface Deferral {
  /** At least 1,000. */
  readonly sleepMs: number;
  /** Since Bedrock's first 429 for this task; undefined while there was none. */
  readonly throttledForMs: number | undefined;
}

/** A task that sleeps at Conductor although its lane has room. */
export interface Sleeper {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly pollCount: number;
  /** By Redis' clock: when it comes back by itself, and when it counts as due since it was handed out. */
  readonly taken: { readonly dueAt: number; readonly countedAt: number };
}

export interface LaneCluster {
  /** False while Redis is away: nothing new is admitted, nothing deferred by rank. */
  readonly reachable: boolean;
  /**
   * One script: frees what has lapsed, then admits as many of the attempts as every limit allows. Rejects when Redis
   * does not answer; what was granted then lapses by itself, since nobody renews it.
   */
  admit(request: AdmissionRequest): Promise<Admission>;
  /**
   * Frees a place and corrects its tokens; in the background, at the end of this turn of the event loop, or with the next
   * `admit` of the lane if that comes first. Once: a second time does nothing. A release that is lost lapses within 15 s.
   * `tokens`: what the call used; undefined where nobody knows, then the estimate stands.
   */
  release(lease: Lease, tokens: number | undefined): void;
  /**
   * Whether a lease has time left, by the monotonic and by the wall clock: asked just before sending. Where the lane has
   * no limit of calls at once, true until it is released.
   */
  holds(lease: Lease): boolean;
  /** Aborted when a lease has lapsed: its call must be broken off. Ask before the release: of one not held it is aborted. */
  lapsed(lease: Lease): AbortSignal;
  /**
   * Bedrock throttled a call that began `startedMsAgo`: the lane shrinks, once a burst. A call that began before this
   * worker knew of the last cut changes nothing. `running`: calls of this worker
   * at that moment, from which a lane without a configured limit starts. The new limit is in `effective`.
   */
  throttled(
    lane: string,
    report: {
      readonly startedMsAgo: number;
      readonly running: number;
      readonly limits: ClusterLimits;
      readonly perWorker: number | undefined;
    },
  ): void;
  /** A call succeeded while the lane was full: it may grow again. */
  succeededWhileFull(lane: string): void;
  /** What throttling leaves of a lane: calls at once over the cluster, or of each worker where the lane has no limit over the cluster; undefined while it is not shrunk. */
  effective(lane: string): number | undefined;
  /** Gives or keeps a ticket and says how long to sleep. */
  defer(request: DeferralRequest): Promise<Deferral>;
  /**
   * The task started, or ended without: its ticket is gone; in the background. What is known of its throttling stays
   * for ten minutes, for a `defer` after the next 429.
   */
  forget(ticket: { readonly lane: string; readonly taskId: string }): void;
  /** Lanes that have sleepers, as far as this worker knows; each with their number. */
  sleeping(): ReadonlyMap<string, number>;
  /**
   * The first sleepers of a lane that are due in more than four seconds, so many that with those due sooner there are
   * `wanted`; each is handed out once, to be woken with a callback of one second.
   */
  takeSleepers(lane: string, wanted: number): Promise<readonly Sleeper[]>;
  /** They could not be woken, and may be handed out again; in the background. */
  leaveAsleep(lane: string, sleepers: readonly Sleeper[]): void;
}
