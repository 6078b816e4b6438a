import type { ServiceError } from '../../errors.ts';
import type { LaneCluster } from './lane-cluster.ts';
import { Deferred, type LaneTask } from './lane-use.ts';

/** Where Redis can't say how long to sleep, in milliseconds. */
const SLEEP_WITHOUT_REDIS_MS = 5_000;
const FIRST_THROTTLE_MS = 1_000;
const LONGEST_THROTTLE_MS = 60_000;
/** A task is back so much before its turn. */
const BACK_AHEAD_MS = 2_000;

export interface PutOffRequest {
  readonly lane: string;
  readonly task: LaneTask;
  /** Between two starts of tasks in this lane, over all replicas. */
  readonly intervalMs: number;
  /** Until the first sleeper's turn. */
  readonly aheadMs: number;
  /** Nobody is admitted for so long. */
  readonly blockedMs: number;
  /** Bedrock's refusal, and how often it refused this task before. */
  readonly throttled: { readonly error: ServiceError; readonly times: number } | undefined;
  /** How long throttling may put the task off since Bedrock's first 429. */
  readonly deferAtMostMs: number;
}

/**
 * What becomes of a task that can't start soon: a `Deferred` with the time it should sleep at Conductor, which keeps its
 * place by a ticket; or Bedrock's refusal, where it has been put off for that long enough. Waiting for our own limits
 * fails no task.
 */
export async function putOff(cluster: LaneCluster, request: PutOffRequest): Promise<Deferred | ServiceError> {
  const { lane, task, intervalMs, aheadMs, blockedMs, throttled, deferAtMostMs } = request;
  const { taskId, workflowInstanceId, pollCount, order } = task;
  const atMostMs = task.sleepAtMostMs ?? 0;
  try {
    const { sleepMs, throttledForMs } = await cluster.defer({
      ...{ lane, taskId, workflowInstanceId, pollCount, order, intervalMs, atMostMs },
      ahead: intervalMs > 0 ? aheadMs / intervalMs : 0,
      atLeastMs: Math.max(blockedMs - BACK_AHEAD_MS, throttled === undefined ? 0 : throttleWait(throttled.times)),
      throttled: throttled !== undefined,
    });
    if (throttled === undefined) return new Deferred(sleepMs);
    if ((throttledForMs ?? 0) <= deferAtMostMs) return new Deferred(sleepMs, { cause: throttled.error });
    cluster.forget({ lane, taskId });
    return throttled.error;
  } catch {
    return new Deferred(Math.min(SLEEP_WITHOUT_REDIS_MS, atMostMs));
  }
}

/** Half to the whole of a second, doubled each time Bedrock throttles the same task. */
export function throttleWait(times: number): number {
  const full = Math.min(LONGEST_THROTTLE_MS, FIRST_THROTTLE_MS * 2 ** Math.min(times, 10));
  return full * (0.5 + Math.random() / 2);
}
