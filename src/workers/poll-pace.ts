/** How long Conductor may hold an empty poll, where it answers at the first task. A stop waits as long for open polls. */
const LONG_WAIT_MS = 1_000;
/** For several tasks, on a server that waits for all of them. */
const SHORT_WAIT_MS = 100;
/** While it is not known whether Conductor answers at all: readiness waits for this. */
const FIRST_WAIT_MS = 10;

export interface AnsweredPoll {
  readonly asked: number;
  readonly came: number;
  readonly waitMs: number;
  readonly tookMs: number;
}

/** How long each poll of one task type may wait, learnt from how the server answers. */
export interface PollPace {
  /** For the next poll of this many tasks, in milliseconds. */
  waitMs(count: number): number;
  observe(poll: AnsweredPoll): void;
  /** The last poll was not answered: the next is short again. */
  failed(): void;
}

/**
 * Conductor's queues differ: on Redis a poll is answered with the first task, on SQLite and Postgres only when the
 * whole count is there or the time is up (ExecutionService.poll, QueueDAO.pop). Some tasks but not all, at the very end
 * of the wait, twice in a row, tell the second kind; some but not all any earlier tell the first.
 */
export function createPollPace(): PollPace {
  let answers = false;
  let lateInARow = 0;
  return {
    waitMs(count) {
      if (!answers) return FIRST_WAIT_MS;
      return count > 1 && lateInARow >= 2 ? SHORT_WAIT_MS : LONG_WAIT_MS;
    },
    observe({ asked, came, waitMs, tookMs }) {
      answers = true;
      if (came === 0 || came >= asked || waitMs < SHORT_WAIT_MS) return;
      lateInARow = tookMs >= waitMs * 0.9 ? lateInARow + 1 : 0;
    },
    failed() {
      answers = false;
    },
  };
}
