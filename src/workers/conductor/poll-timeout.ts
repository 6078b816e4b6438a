/** From a poll that is due until the task is really polled, at the worst, in milliseconds. */
export const RETURN_MS = 10_000;

/** What Conductor judges a task by that waits in its queue. */
export interface Scheduled {
  /** How long it may stay SCHEDULED, in milliseconds, from its first scheduling; 0: for ever. */
  readonly pollTimeoutMs: number;
  /** When Conductor first scheduled it, in milliseconds. */
  readonly scheduledAt: number;
}

/**
 * How long a task that goes back must sleep so that Conductor does not time it out, in milliseconds; 0: as one likes. It
 * counts `pollTimeoutSeconds` from the first scheduling plus only the current callback
 * (DeciderService.checkTaskPollTimeout): after a long wait a short callback ends the task, and perhaps its workflow.
 */
export function sleepAtLeast({ pollTimeoutMs, scheduledAt }: Scheduled, now = Date.now()): number {
  return pollTimeoutMs > 0 ? Math.max(0, now - scheduledAt + RETURN_MS - pollTimeoutMs) : 0;
}
