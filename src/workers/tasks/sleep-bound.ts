import type { PolledTask } from '../conductor/polled-task.ts';

/** From a poll that is due until the task is really polled, at the worst, in milliseconds. */
const RETURN_MS = 10_000;

/**
 * How long a task may sleep at Conductor, in milliseconds; undefined where giving it back would end it. A task that was
 * given back is SCHEDULED, and its `pollTimeoutSeconds` count from its first scheduling plus only the current callback;
 * `timeoutSeconds` count from its first poll (DeciderService.isResponseTimedOut, checkTaskTimeout, checkTaskPollTimeout).
 */
export function sleepAtMost(task: PolledTask, now = Date.now()): number | undefined {
  const { pollTimeoutMs, scheduledAt, remainingMs } = task;
  if (pollTimeoutMs > 0 && now - scheduledAt + RETURN_MS >= pollTimeoutMs) return undefined;
  const most = (remainingMs ?? Number.POSITIVE_INFINITY) - RETURN_MS;
  return most < 1_000 ? undefined : most;
}
