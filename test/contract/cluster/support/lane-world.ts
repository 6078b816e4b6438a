/** Lane stores of several workers over one real Redis, and somebody who looks at the keys. */
import { Redis } from 'ioredis';
import { createLaneStore, type LaneStore, type LaneStoreParts } from '../../../../src/cluster/lane-store.ts';
import type { AdmissionRequest, ClusterLimits, Lease } from '../../../../src/integrations/lanes/lane-cluster.ts';
import { openRedis } from '../../../../src/redis/connect.ts';
import { type KeyNames, keyNames } from '../../../../src/redis/keys.ts';
import { capturedLog, freshPrefix, until } from '../../support/live-catalog.ts';

export const LANE = 'bedrock-prod:cohere.embed-v4:0';
export const NO_LIMITS: ClusterLimits = {
  concurrency: undefined,
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
};

/** One worker's store, asked in short. */
export interface WorkerOfLanes {
  readonly store: LaneStore;
  readonly redis: Redis;
  /** What its leases' ids begin with. */
  readonly instance: string;
  /** Asks for places; each is a lease of its own. */
  ask(limits: Partial<ClusterLimits>, count?: number, estimatedTokens?: number): Promise<Asked>;
}

export interface Asked {
  readonly granted: readonly Lease[];
  readonly retryAfterMs: number;
  readonly concurrency: number | undefined;
}

export interface LaneWorld extends AsyncDisposable {
  readonly names: KeyNames;
  /** Another connection, as redis-cli would be. */
  readonly other: Redis;
  readonly captured: ReturnType<typeof capturedLog>;
  /** Starts a store with a connection of its own; `url`: where it is not the world's. */
  worker(
    options?: Partial<LaneStoreParts> & { readonly url?: string; readonly started?: boolean },
  ): Promise<WorkerOfLanes>;
  /** Redis' own clock, in ms. */
  now(): Promise<number>;
  /** As the ledger's beat would have done `ageMs` ago. */
  setEpoch(ageMs?: number): Promise<void>;
}

export async function startLaneWorld(redisUrl: string): Promise<LaneWorld> {
  const names = keyNames(freshPrefix());
  const captured = capturedLog();
  const other = new Redis(redisUrl, { retryStrategy: () => 50 });
  other.on('error', () => undefined);
  const workers: WorkerOfLanes[] = [];
  let made = 0;

  async function now(): Promise<number> {
    const [seconds, microseconds] = await other.time();
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  }

  async function setEpoch(ageMs = 3_600_000): Promise<void> {
    await other.set(names.ledger.epoch, String((await now()) - ageMs));
  }

  await setEpoch();
  return {
    names,
    other,
    captured,
    now,
    setEpoch,
    async worker({ url = redisUrl, started = false, ...options } = {}) {
      // Named before anything is awaited: workers that start together must not share a name, nor ids of leases.
      const instance = `worker/${++made}`;
      const redis = openRedis({ url, cluster: false }, 'runtime', captured.log, {
        enableOfflineQueue: false,
        commandTimeout: 2_000,
        maxRetriesPerRequest: 0,
      });
      redis.connect().catch(() => undefined);
      const store = createLaneStore({ redis, names, instance, log: captured.log, ...options });
      await until(() => store.reachable, 10_000);
      if (started) store.start();
      const worker = { store, redis, instance, ask: asker(store, instance) };
      workers.push(worker);
      return worker;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map(({ store }) => store.stop()));
      for (const { redis } of workers) redis.disconnect();
      other.disconnect();
    },
  };
}

function asker(store: LaneStore, instance: string): WorkerOfLanes['ask'] {
  let asked = 0;
  return async (limits, count = 1, estimatedTokens = 0) => {
    const attempts = Array.from({ length: count }, () => ({ leaseId: `${instance}#${++asked}`, estimatedTokens }));
    const request: AdmissionRequest = { lane: LANE, limits: { ...NO_LIMITS, ...limits }, attempts };
    const { granted, ...answer } = await store.admit(request);
    const leases = attempts.slice(0, granted).map((attempt) => ({ id: attempt.leaseId, lane: LANE, estimatedTokens }));
    return { granted: leases, ...answer };
  };
}

/** Clocks that stand still but for what a test sets, in ms. */
export function setClocks() {
  const at = { monotonic: 0, wall: 0 };
  return { at, clocks: { monotonic: () => at.monotonic, wall: () => at.wall } };
}
