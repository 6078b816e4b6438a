/** Ledger stores on a real Redis, each with a connection of its own and a clock that only the test moves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLedgerStore, type LedgerStore } from '../../../src/cluster/ledger-store.ts';
import { openRedis } from '../../../src/redis/connect.ts';
import { keyNames, type LedgerKeys } from '../../../src/redis/keys.ts';
import type { ClaimOfTask, HeldTask } from '../../../src/workers/ledger/ledger.ts';
import { capturedLog, freshPrefix } from './live-catalog.ts';

type Fate = 'before' | 'after' | undefined;

export interface StoreUnderTest {
  readonly store: LedgerStore;
  readonly redis: Redis;
  readonly captured: ReturnType<typeof capturedLog>;
  /** Every call of a listener, in order. */
  readonly heard: {
    readonly takenOver: { readonly tasks: readonly HeldTask[]; readonly from: string }[];
    readonly declaredDead: string[];
    forgotten: number;
  };
  /** Cuts the connection; resolves when it is gone, with what waits until there is another. */
  cut(): Promise<() => Promise<void>>;
  /**
   * What becomes of a script, by its keys: `before`, it never reaches Redis; `after`, it does, and its answer is lost.
   * An error is thrown that is no answer of Redis.
   */
  lose: ((keys: readonly string[]) => Fate | Promise<Fate>) | undefined;
  /** Moves this store's clocks, in ms. */
  pass(ms: number, which?: 'both' | 'wall' | 'monotonic'): void;
}

export interface Ledgers extends AsyncDisposable {
  readonly keys: LedgerKeys;
  /** Another connection, as redis-cli would be. */
  readonly other: Redis;
  /** A store that has beaten once, unless `beat` is false. `url`: where it is not the one of the other. */
  open(label: string, options?: { readonly url?: string; readonly beat?: boolean }): Promise<StoreUnderTest>;
  /** Lets time pass for the living, who beat all along, until they have found whoever did not. */
  untilMissed(...living: StoreUnderTest[]): Promise<void>;
  /** Nothing of a store may be left behind in Redis but what is named here. */
  keysLeft(): Promise<string[]>;
}

export async function openLedgers(redisUrl: string): Promise<Ledgers> {
  const prefix = freshPrefix();
  const keys = keyNames(prefix).ledger;
  const other = new Redis(redisUrl);
  const opened: StoreUnderTest[] = [];
  return {
    keys,
    other,
    async open(label, options = {}) {
      const captured = capturedLog();
      const redis = openRedis({ url: options.url ?? redisUrl, cluster: false }, `ledger-${label}`, captured.log, {
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        commandTimeout: 2_000,
        retryStrategy: () => 50,
      });
      await redis.connect();
      const now = { monotonic: 0, wall: 1_000_000 };
      const clock = { monotonic: () => now.monotonic, wall: () => now.wall };
      const store = createLedgerStore({ redis, keys, label, log: captured.log, clock });
      const heard: StoreUnderTest['heard'] = { takenOver: [], declaredDead: [], forgotten: 0 };
      store.listen({
        takenOver: (tasks, from) => void heard.takenOver.push({ tasks, from }),
        declaredDead: (former) => void heard.declaredDead.push(former),
        forgotten: () => {
          heard.forgotten += 1;
        },
      });
      const under: StoreUnderTest = {
        store,
        redis,
        captured,
        heard,
        lose: undefined,
        async cut() {
          const [closed, ready] = ['close', 'ready'].map(
            (event) => new Promise<void>((resolve) => redis.once(event, () => resolve())),
          );
          await other.client('KILL', 'ID', await redis.client('ID'));
          await closed;
          return async () => await ready;
        },
        pass(ms, which = 'both') {
          if (which !== 'wall') now.monotonic += ms;
          if (which !== 'monotonic') now.wall += ms;
        },
      };
      opened.push(under);
      const call = redis.call.bind(redis) as (name: string, args: (string | number)[]) => Promise<unknown>;
      Object.assign(redis, {
        /** As `src/redis/script.ts` runs its scripts. */
        async call(name: string, args: (string | number)[]) {
          const fate = await under.lose?.(args.slice(2, 2 + Number(args[1])).map(String));
          const answer = fate === 'before' ? undefined : await call(name, args);
          if (fate !== undefined) throw new Error('lost');
          return answer;
        },
      });
      if (options.beat !== false) await store.tick();
      return under;
    },
    async untilMissed(...living) {
      // Scores are milliseconds of Redis: each beat must have one of its own.
      for (let passed = 0; passed <= 12_000; passed += 2_000) {
        await sleep(2);
        for (const { store, pass } of living) {
          pass(2_000);
          await store.tick();
        }
      }
    },
    async keysLeft() {
      const found = await other.keys(`${prefix}*`);
      return found.map((key) => key.slice(prefix.length)).sort();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(({ store }) => store.leave()));
      for (const { redis } of opened) redis.disconnect();
      // Thousands of keys that expire some day would delay the expiry that other tests on this Redis wait for.
      const left = await other.keys(`${prefix}*`);
      if (left.length > 0) await other.unlink(left);
      other.disconnect();
    },
  };
}

export const poll = (taskId: string, pollCount = 1): ClaimOfTask => ({
  taskId,
  pollCount,
  workflowInstanceId: `workflow-of-${taskId}`,
});

export const heldBy = (polledBy: string, taskId: string, pollCount = 1): HeldTask => ({
  ...poll(taskId, pollCount),
  polledBy,
});

/** `ours` or `taken` for each task, as this store says now. */
export async function claimed({ store }: StoreUnderTest, ...tasks: ClaimOfTask[]): Promise<string[]> {
  return (await store.claim(store.incarnation, tasks)).map(({ kind }) => kind);
}
