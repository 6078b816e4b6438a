import { RETURN_MS, sleepAtLeast } from '../conductor/poll-timeout.ts';
import type { PolledTask } from '../conductor/polled-task.ts';

/**
 * How long a task may sleep at Conductor, in milliseconds; undefined where giving it back might end it: by its
 * `pollTimeoutSeconds`, or by `timeoutSeconds` or `totalTimeoutSeconds`, which count on while it sleeps.
 */
export function sleepAtMost(task: PolledTask, now = Date.now()): number | undefined {
  if (sleepAtLeast(task, now) > 0) return undefined;
  const most = (task.endsAt ?? Number.POSITIVE_INFINITY) - now - RETURN_MS;
  return most < 1_000 ? undefined : most;
}
