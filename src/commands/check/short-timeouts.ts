import type { LongestWait } from './longest-wait.ts';

/** What is read of a definition; an absent limit is none, an absent policy is TIME_OUT_WF (conductor-common, `TaskDef`). */
export interface Timeouts {
  readonly pollTimeoutSeconds?: number | null | undefined;
  readonly timeoutSeconds?: number | null | undefined;
  readonly totalTimeoutSeconds?: number | null | undefined;
  readonly responseTimeoutSeconds?: number | null | undefined;
  readonly timeoutPolicy?: string | null | undefined;
}

/**
 * Since when Conductor counts (`DeciderService`), and up to when it must suffice. A task that is put off is SCHEDULED
 * again, with the times of its first scheduling and first poll; only the delay it sleeps with now is added, and only to
 * the poll timeout.
 */
const LIMITS = [
  { field: 'pollTimeoutSeconds', since: 'when it was first scheduled', until: 'deferral' },
  { field: 'timeoutSeconds', since: 'when it was first polled', until: 'untilAnswered' },
  {
    field: 'totalTimeoutSeconds',
    since: 'when it was first scheduled, over all its retries',
    until: 'untilAnswered',
  },
] as const;

/** Heartbeats go at 70 % of the response timeout: of less than this, little over a second is left for one to arrive. */
const SHORTEST_RESPONSE_TIMEOUT = 4;

/** The limits of a definition that a task put off by throttling, or kept alive by heartbeats, may exceed. */
export function* shortTimeouts(
  definition: Timeouts,
  longest: LongestWait,
): Iterable<{ readonly field: string; readonly message: string }> {
  for (const { field, since, until } of LIMITS) {
    const limit = definition[field] ?? 0;
    // ALERT_ONLY only writes a line into Conductor's log.
    if (limit <= 0 || limit >= longest[until] || definition.timeoutPolicy === 'ALERT_ONLY') continue;
    const what = definition.timeoutPolicy === 'RETRY' ? 'a task' : 'the whole workflow of a task';
    yield {
      field,
      message: `${limit} s may end ${what} that waits for a busy model: they count from ${since}; 0 means no limit`,
    };
  }
  const response = definition.responseTimeoutSeconds ?? 0;
  if (response > 0 && response < SHORTEST_RESPONSE_TIMEOUT) {
    yield {
      field: 'responseTimeoutSeconds',
      message: `${response} s cannot be held by heartbeats: a running task may be tried again; give it ${SHORTEST_RESPONSE_TIMEOUT} or more`,
    };
  }
}
