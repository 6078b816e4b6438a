import type { Cluster, Redis } from 'ioredis';
import type { LedgerKeys } from '../redis/keys.ts';
import type { KeptAnswer } from '../workers/ledger/ledger.ts';
import { answerRecord, type RecordReader } from './ledger-records.ts';

/** An answer that nobody asks for is kept no longer. */
const ANSWER_SECONDS = 24 * 3_600;
/** Beyond that, what was delivered stays until it expires by itself. */
const WAITING_AT_MOST = 10_000;

/** Answers of models on their way to Conductor; how many and how large they are is their writer's business. */
export interface KeptAnswers {
  /** Deliveries that are not written yet. */
  readonly waiting: number;
  keep(taskId: string, answer: KeptAnswer): Promise<void>;
  /** 0: it is deleted with the next flush; else it is kept so many seconds more. */
  delivered(taskId: string, forSeconds: number): void;
  of(taskId: string): Promise<KeptAnswer | undefined>;
  /** Rejects when Redis does not answer; what waits then waits on. */
  flush(): Promise<void>;
}

export function createKeptAnswers({
  redis,
  keys,
  read,
}: {
  redis: Redis | Cluster;
  keys: LedgerKeys;
  read: RecordReader;
}): KeptAnswers {
  const waiting = new Map<string, number>();
  return {
    get waiting() {
      return waiting.size;
    },
    async keep(taskId, answer) {
      waiting.delete(taskId);
      await redis.set(keys.answer(taskId), JSON.stringify(answer), 'EX', ANSWER_SECONDS);
    },
    delivered(taskId, forSeconds) {
      if (waiting.size < WAITING_AT_MOST) waiting.set(taskId, forSeconds);
    },
    async of(taskId) {
      const key = keys.answer(taskId);
      const text = await redis.get(key);
      return text === null ? undefined : read(key, text, answerRecord);
    },
    async flush() {
      const now = [...waiting];
      await Promise.all(
        now.map(async ([taskId, seconds]) => {
          const key = keys.answer(taskId);
          await (seconds > 0 ? redis.expire(key, Math.ceil(seconds)) : redis.del(key));
          // Delivered once more meanwhile, it waits for the next flush.
          if (waiting.get(taskId) === seconds) waiting.delete(taskId);
        }),
      );
    },
  };
}
