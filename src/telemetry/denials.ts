import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';

/** One refusal, or in `audit` mode one task that would have been refused. The last three are empty for a call that is no task's. */
export interface Denial {
  readonly subject: string;
  /** Which source named the subject; '' where none could. */
  readonly source: string;
  readonly target: string;
  readonly missing: string;
  readonly mode: 'enforce' | 'audit';
  readonly workflowId: string;
  readonly workflowType: string;
  readonly taskId: string;
}

export interface DenialRecorder {
  /** Puts a denial on record, in the background: a Redis that is away delays no task. */
  record(denial: Denial): void;
  /** Waits for what is still being written. */
  flush(): Promise<void>;
}

const WORDS = { audit: 'A task would be denied', enforce: 'A task is denied', call: 'A call is denied' } as const;

/** The stream keeps about this many. */
const KEPT = 10_000;
/** Beyond this many unwritten ones, further ones are only logged. */
const PENDING_AT_MOST = 1_000;

export function createDenialRecorder({
  redis,
  stream,
  log,
}: {
  redis: Redis | Cluster;
  stream: string;
  log: Logger;
}): DenialRecorder {
  const pending = new Set<Promise<unknown>>();
  return {
    record(denial) {
      log.info({ ...denial }, WORDS[denial.taskId === '' ? 'call' : denial.mode]);
      if (pending.size >= PENDING_AT_MOST) return;
      const fields = Object.entries({ time: new Date().toISOString(), ...denial }).flat();
      const written = redis
        .xadd(stream, 'MAXLEN', '~', KEPT, '*', ...fields)
        .catch((error: unknown) =>
          log.warn({ reason: messageOf(error) }, 'A denial could not be put on record in Redis'),
        )
        .finally(() => pending.delete(written));
      pending.add(written);
    },
    async flush() {
      await Promise.all(pending);
    },
  };
}
