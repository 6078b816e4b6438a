import type { LaneCluster } from './lane-cluster.ts';
import type { LaneLimits } from './lane-use.ts';
import type { Pace } from './pace.ts';

/** What a lane can do under its limits of now, as far as this worker is concerned. */
export interface Capacity {
  readonly limits: LaneLimits;
  /** Calls at once from this worker, at least 1. */
  readonly atOnce: number;
  /** What this worker may count on: its part of what holds over all. Less than 1 where there are more workers than places. */
  readonly share: number;
  /** Between two calls of this worker, in milliseconds. */
  readonly betweenCallsMs: number;
  /** Between two starts of tasks over all workers, in milliseconds. */
  readonly intervalMs: number;
  /** Whether turns are shared out over all replicas, each by a lease. */
  readonly isShared: boolean;
}

export function capacityOf(parts: {
  readonly lane: string;
  readonly limits: LaneLimits;
  readonly cluster: Pick<LaneCluster, 'effective'>;
  readonly workers: number;
  readonly pace: Pace;
}): Capacity {
  const { lane, limits, cluster, workers, pace } = parts;
  const { perWorker = Infinity, concurrency, requestsPerMinute, tokensPerMinute } = limits;
  const shrunk = cluster.effective(lane);
  const part = (limit: number | undefined): number | undefined => (limit === undefined ? undefined : limit / workers);
  const atOnce = Math.max(1, Math.min(perWorker, concurrency ?? shrunk ?? Infinity));
  const share =
    concurrency === undefined ? atOnce : Math.min(atOnce, Math.min(shrunk ?? concurrency, concurrency) / workers);
  const betweenCallsMs = pace.betweenCalls(share, part(requestsPerMinute), part(tokensPerMinute));
  return {
    limits,
    atOnce,
    share,
    betweenCallsMs,
    // The others are taken to be as fast as this one.
    intervalMs: betweenCallsMs / workers / pace.tasksPerCall,
    isShared: concurrency !== undefined || requestsPerMinute !== undefined || tokensPerMinute !== undefined,
  };
}
