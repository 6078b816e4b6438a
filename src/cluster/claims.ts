import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { LedgerKeys } from '../redis/keys.ts';
import type { ClaimAnswer, ClaimOfTask, HeldTask } from '../workers/ledger/ledger.ts';
import { heldRecord, type RecordReader, ticketRecord } from './ledger-records.ts';
import { CLAIM, TAKE_OVER } from './ledger-scripts.ts';
import type { Membership } from './membership.ts';
import { CLAIM_SECONDS, type Releases, TOMBSTONE_SECONDS } from './releases.ts';

/** Keys of one script: Redis does nothing else meanwhile. */
const ENTRIES_AT_ONCE = 200;

const claimReply = z
  .tuple([z.enum(['forgot', 'dead', 'done'])])
  .rest(z.tuple([z.enum(['ours', 'taken', 'mended']), z.string().nullable()]));

export interface ClaimsParts {
  readonly redis: Redis | Cluster;
  readonly keys: LedgerKeys;
  readonly membership: Membership;
  readonly releases: Releases;
  readonly read: RecordReader;
  readonly log: Logger;
  /** Redis forgot us, or we were declared dead: resolves when that has been dealt with. */
  readonly makeSure: () => Promise<void>;
}

/** What this incarnation holds: the truth in memory, and its record in Redis. */
export interface Claims {
  readonly held: ReadonlyMap<string, HeldTask>;
  /** Whether this poll was taken over from another: it is being rescued here, and must not be run as well. */
  isForeign(task: ClaimOfTask): boolean;
  /** Claims for the present incarnation. In the order of the tasks. */
  claim(tasks: readonly HeldTask[], force?: boolean): Promise<ClaimAnswer[]>;
  /** Off memory at once, off Redis soon. */
  release(incarnation: string, task: ClaimOfTask): void;
  /** Writes everything held once more; what others have claimed since is dropped. */
  assertAll(): Promise<void>;
  /** As a take-over: claims for rescuing. Those that are ours now; when it rejects, `reconcile` finds what was written. */
  adopt(tasks: readonly HeldTask[]): Promise<HeldTask[]>;
  /** Declared dead: nothing is ours any more. */
  forgetAll(): void;
  /** Moves to this incarnation what another held; resolves to what is ours now; when it rejects, `reconcile` finds what was moved. */
  takeOver(dead: string): Promise<HeldTask[]>;
  /** What Redis says that we hold and memory does not: taken over, but the answer was lost. */
  reconcile(): Promise<HeldTask[]>;
}

export function createClaims(parts: ClaimsParts): Claims {
  const { redis, keys, membership, releases, read, log } = parts;
  const held = new Map<string, HeldTask>();
  const foreign = new WeakSet<HeldTask>();

  function holdForeign(tasks: readonly HeldTask[]): void {
    for (const task of tasks) {
      held.set(task.taskId, task);
      foreign.add(task);
    }
  }

  /** One script. Undefined where Redis does not know this incarnation: nothing was done. */
  async function write(incarnation: string, tasks: readonly HeldTask[], force: boolean) {
    const batch = releases.take();
    const scriptKeys = [keys.workers, keys.epoch, keys.held(incarnation)];
    const args: (string | number)[] = [incarnation, membership.epoch, force ? 1 : 0, CLAIM_SECONDS];
    args.push(TOMBSTONE_SECONDS, tasks.length);
    for (const { taskId, ...task } of tasks) {
      scriptKeys.push(keys.claim(taskId), keys.ticket(taskId));
      args.push(taskId, task.pollCount, JSON.stringify(task));
    }
    try {
      const reply = await CLAIM.run(redis, [...scriptKeys, ...batch.keys], [...args, ...batch.args]);
      const [fate, ...answers] = claimReply.parse(reply);
      batch.settle(fate === 'done');
      return fate === 'done' ? answers : undefined;
    } catch (error) {
      batch.settle(false);
      throw error;
    }
  }

  async function claimFor(tasks: readonly HeldTask[], force: boolean) {
    const incarnation = membership.incarnation;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (membership.epoch !== '') {
        const answers = await write(incarnation, tasks, force);
        if (answers !== undefined) return answers;
      }
      await parts.makeSure();
      if (membership.incarnation !== incarnation) throw new Error(`${incarnation} was declared dead`);
    }
    throw new Error('Redis keeps forgetting this worker');
  }

  function drop(task: ClaimOfTask): void {
    if (held.get(task.taskId)?.pollCount === task.pollCount) held.delete(task.taskId);
  }

  async function claim(tasks: readonly HeldTask[], force = false): Promise<ClaimAnswer[]> {
    if (tasks.length === 0) return [];
    // Before it is sent: were the answer lost, the claim would be written, and asserted again until it is released.
    for (const task of tasks) {
      if (force || !((held.get(task.taskId)?.pollCount ?? -1) > task.pollCount)) held.set(task.taskId, task);
    }
    const answers = await claimFor(tasks, force);
    return tasks.map((task, index): ClaimAnswer => {
      const [verdict, ticket] = answers[index] ?? ['taken', null];
      if (verdict === 'taken') {
        drop(task);
        return { kind: 'taken' };
      }
      if (verdict === 'mended') log.warn({ taskId: task.taskId }, 'What stood in place of a claim was none; replaced');
      const key = keys.ticket(task.taskId);
      return { kind: 'ours', ticket: ticket === null ? undefined : read(key, ticket, ticketRecord) };
    });
  }

  /** The entries of one incarnation; those that can't be read with `undefined`. */
  async function entriesOf(incarnation: string): Promise<[string, HeldTask | undefined][]> {
    const key = keys.held(incarnation);
    return Object.entries(await redis.hgetall(key)).map(([taskId, text]) => {
      const entry = read(key, text, heldRecord);
      return [taskId, entry === undefined ? undefined : { taskId, ...entry }];
    });
  }

  return {
    held,
    isForeign(task) {
      const known = held.get(task.taskId);
      return known?.pollCount === task.pollCount && foreign.has(known);
    },
    claim,
    async adopt(tasks) {
      const free = tasks.filter(({ taskId }) => !held.has(taskId));
      holdForeign(free);
      try {
        const answers = await claim(free);
        return free.filter((_, index) => answers[index]?.kind === 'ours');
      } catch (error) {
        for (const task of free) drop(task);
        throw error;
      }
    },
    release(incarnation, task) {
      if (incarnation === membership.incarnation) drop(task);
      releases.add(incarnation, task);
    },
    async assertAll() {
      for (const tasks of chunks([...held.values()])) {
        // What was released since stays so.
        const still = tasks.filter((task) => held.get(task.taskId) === task);
        const answers = await claim(still);
        const lost = answers.filter(({ kind }) => kind === 'taken').length;
        if (lost > 0) log.warn({ lost }, 'Tasks of this worker were claimed by others while Redis was away');
      }
    },
    forgetAll: () => held.clear(),
    async takeOver(dead) {
      const taker = membership.incarnation;
      const entries = await entriesOf(dead);
      const taken: HeldTask[] = [];
      // Without entries once, too: the dead one is then gone.
      for (const some of entries.length === 0 ? [[]] : chunks(entries)) {
        const claimKeys = some.map(([taskId]) => keys.claim(taskId));
        const args = some.flatMap(([taskId, entry]) => [taskId, entry?.pollCount ?? '']);
        const scriptKeys = [keys.workers, keys.held(dead), keys.held(taker), ...claimKeys];
        const reply = await TAKE_OVER.run(redis, scriptKeys, [dead, taker, CLAIM_SECONDS, ...args]);
        const ids = new Set(z.array(z.string()).parse(reply));
        for (const [, entry] of some) if (entry !== undefined && ids.has(entry.taskId)) taken.push(entry);
      }
      if (membership.incarnation !== taker) return [];
      holdForeign(taken);
      return taken;
    },
    async reconcile() {
      const incarnation = membership.incarnation;
      const busy = new Set([...held.keys(), ...releases.pending(incarnation)]);
      const entries = await entriesOf(incarnation);
      if (membership.incarnation !== incarnation) return [];
      const found = entries.flatMap(([taskId, entry]) =>
        entry === undefined || busy.has(taskId) || held.has(taskId) ? [] : [entry],
      );
      holdForeign(found);
      return found;
    },
  };
}

function chunks<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / ENTRIES_AT_ONCE) }, (_, index) =>
    items.slice(index * ENTRIES_AT_ONCE, (index + 1) * ENTRIES_AT_ONCE),
  );
}
