import type { Cluster, Redis } from 'ioredis';
import type { LedgerKeys } from '../redis/keys.ts';
import type { ClaimOfTask } from '../workers/ledger/ledger.ts';
import { RELEASE } from './ledger-scripts.ts';

/** A claim is written again each hour while it is held. */
export const CLAIM_SECONDS = 24 * 3_600;
/** How long the same poll can't be claimed again. */
export const TOMBSTONE_SECONDS = 600;
/** Beyond that the oldest are dropped: the record then says longer than is true that we hold a task. */
const WAITING_AT_MOST = 10_000;
/** One script carries so many. */
const AT_ONCE = 500;

interface Release extends ClaimOfTask {
  readonly incarnation: string;
}

/** Releases on their way: they must be settled, with whether they were written. */
export interface ReleaseBatch {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  settle(written: boolean): void;
}

/** Releases that wait for a script that carries them. */
export interface Releases {
  readonly waiting: number;
  add(incarnation: string, task: ClaimOfTask): void;
  take(): ReleaseBatch;
  /** Writes all that wait, in a script of their own. Rejects when Redis does not answer; they then wait on. */
  flush(): Promise<void>;
  /** Tasks of an incarnation whose release waits or is on its way. */
  pending(incarnation: string): string[];
}

export function createReleases({ redis, keys }: { redis: Redis | Cluster; keys: LedgerKeys }): Releases {
  let waiting: Release[] = [];
  const underWay = new Set<readonly Release[]>();

  function take(): ReleaseBatch {
    const batch = waiting.splice(0, AT_ONCE);
    underWay.add(batch);
    return {
      keys: batch.flatMap(({ taskId, incarnation }) => [keys.claim(taskId), keys.held(incarnation)]),
      args: batch.flatMap(({ taskId, pollCount, incarnation }) => [taskId, pollCount, incarnation]),
      settle(written) {
        underWay.delete(batch);
        if (!written) waiting = [...batch, ...waiting].slice(-WAITING_AT_MOST);
      },
    };
  }

  return {
    get waiting() {
      return waiting.length;
    },
    add(incarnation, { taskId, workflowInstanceId, pollCount }) {
      waiting.push({ taskId, workflowInstanceId, pollCount, incarnation });
      if (waiting.length > WAITING_AT_MOST) waiting.shift();
    },
    take,
    async flush() {
      while (waiting.length > 0) {
        const batch = take();
        let written = false;
        try {
          await RELEASE.run(redis, batch.keys, [TOMBSTONE_SECONDS, ...batch.args]);
          written = true;
        } finally {
          batch.settle(written);
        }
      }
    },
    pending(incarnation) {
      const all = [...waiting, ...[...underWay].flat()];
      return all.filter((release) => release.incarnation === incarnation).map(({ taskId }) => taskId);
    },
  };
}
