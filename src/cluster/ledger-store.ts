import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import type { LedgerKeys } from '../redis/keys.ts';
import type { ClaimAnswer, ClaimOfTask, HeldTask, Ledger, Suspects } from '../workers/ledger/ledger.ts';
import { createClaims } from './claims.ts';
import { createKeptAnswers } from './kept-answers.ts';
import { createRecordReader } from './ledger-records.ts';
import { type Clock, createMembership, SYSTEM_CLOCK } from './membership.ts';
import { createReleases } from './releases.ts';
import { createSuspectList } from './suspects.ts';
import { createUpkeep, type LedgerListener } from './upkeep.ts';

export interface LedgerStoreParts {
  /** For what replicas share only, without an offline queue: a command rejects soon where Redis is away. */
  readonly redis: Redis | Cluster;
  readonly keys: LedgerKeys;
  /** `WORKER_ID`. */
  readonly label: string;
  readonly log: Logger;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

export interface LedgerStore extends Ledger, Suspects {
  /** Workers that live, this one among them; at least 1. */
  readonly workers: number;
  listen(listener: LedgerListener): void;
  /** Begins to beat, every 2 s. */
  start(): void;
  /** One beat, and what follows of it; `start` calls it. Never rejects. */
  tick(): Promise<void>;
  /** Writes what waits to be released. Rejects when Redis does not answer. */
  flush(): Promise<void>;
  /** What is still held may be taken over by others at once. Ends all background work. Idempotent; never rejects. */
  leave(): Promise<void>;
}

const FLUSH_MS = 250;

export function createLedgerStore(parts: LedgerStoreParts): LedgerStore {
  const { redis, keys, log, clock = SYSTEM_CLOCK } = parts;
  const read = createRecordReader(log);
  const membership = createMembership({ redis, keys, label: parts.label, clock, log });
  const releases = createReleases({ redis, keys });
  const claims = createClaims({ redis, keys, membership, releases, read, log, makeSure: () => upkeep.beat() });
  const answers = createKeptAnswers({ redis, keys, read });
  const list = createSuspectList({ redis, keys, log });
  const upkeep = createUpkeep({ redis, membership, claims, flush, clock, log });
  let flushTimer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> | undefined;
  let leaving: Promise<void> | undefined;

  async function flush(): Promise<void> {
    await releases.flush();
    await answers.flush();
  }

  /** Unless a claim carries them before. What can't be written waits for the next beat. */
  function flushSoon(): void {
    if (leaving !== undefined || flushTimer !== undefined) return;
    flushTimer = setTimeout(() => {
      flushTimer = undefined;
      flushing = flush().catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'Releases wait for Redis'));
    }, FLUSH_MS);
  }

  /** As what this worker polled itself. */
  const own = (incarnation: string) => (task: ClaimOfTask) => ({
    taskId: task.taskId,
    workflowInstanceId: task.workflowInstanceId,
    pollCount: task.pollCount,
    polledBy: incarnation,
  });

  async function claim(incarnation: string, tasks: readonly HeldTask[], force: boolean): Promise<ClaimAnswer[]> {
    if (incarnation !== membership.incarnation) throw new Error(`${incarnation} was declared dead`);
    try {
      return await claims.claim(tasks, force);
    } catch (error) {
      upkeep.assertSoon();
      throw error;
    }
  }

  return {
    get incarnation() {
      return membership.incarnation;
    },
    get alive() {
      return membership.alive;
    },
    get workers() {
      return membership.workers;
    },
    async claim(incarnation, tasks) {
      const asked = tasks.filter((task, index) => {
        const again = tasks.findIndex(
          ({ taskId, pollCount }) => taskId === task.taskId && pollCount === task.pollCount,
        );
        return again === index && !claims.isForeign(task);
      });
      const answers = await claim(incarnation, asked.map(own(incarnation)), false);
      const byTask = new Map(asked.map((task, index) => [task, answers[index]]));
      return tasks.map((task) => byTask.get(task) ?? { kind: 'taken' });
    },
    async claimByForce(incarnation, task) {
      await claim(incarnation, [own(incarnation)(task)], true);
    },
    async stillOurs(incarnation, task) {
      const known = claims.held.get(task.taskId);
      if (incarnation !== membership.incarnation || known?.pollCount !== task.pollCount) return false;
      try {
        // Written once more rather than read: a Redis that forgot it must not take it from us.
        const [answer] = await claim(incarnation, [known], false);
        return answer?.kind === 'ours' && claims.held.get(task.taskId) === known;
      } catch (error) {
        if (incarnation !== membership.incarnation) return false;
        throw error;
      }
    },
    release(incarnation, task) {
      claims.release(incarnation, task);
      flushSoon();
    },
    keepAnswer: answers.keep,
    answerDelivered(taskId, forSeconds) {
      answers.delivered(taskId, forSeconds);
      flushSoon();
    },
    answerOf: answers.of,
    suspect: list.suspect,
    suspects: list.suspects,
    acquit: list.acquit,
    elect: () => list.elect(membership.incarnation),
    unclaimed: list.unclaimed,
    async adopt(tasks) {
      try {
        return await claims.adopt(tasks);
      } catch (error) {
        upkeep.reconcileSoon();
        throw error;
      }
    },
    listen: upkeep.listen,
    start: upkeep.start,
    tick: upkeep.tick,
    flush,
    leave() {
      leaving ??= (async () => {
        clearTimeout(flushTimer);
        try {
          await upkeep.stop();
          await flushing;
          await flush();
        } catch (error) {
          log.warn({ reason: messageOf(error) }, 'What this worker holds could not be written to Redis at its end');
        }
        await membership.leave();
      })();
      return leaving;
    },
  };
}
