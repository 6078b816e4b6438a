import type { Cluster, Redis } from 'ioredis';
import type { ClusterLimits } from '../../integrations/lanes/lane-cluster.ts';
import type { KeyNames } from '../../redis/keys.ts';
import type { Background } from './background.ts';
import { GROW, THROTTLED } from './throttle-scripts.ts';

/** What throttling leaves of a lane, as Redis said it. */
export interface ShrunkLane {
  /** Undefined: nothing is taken from it. */
  readonly limit: number | undefined;
  /** When it was last cut, in ms by Redis' clock; 0 where it is not. */
  readonly cutAt: number;
  /** Whether the limit is one of each worker, not of all together. */
  readonly perWorker: boolean;
}

/** Of the answers of scripts; a limit of 0 means none. */
export function shrunkLane([limit = 0, cutAt = 0, perWorker = 0]: readonly number[]): ShrunkLane {
  return limit > 0 ? { limit, cutAt, perWorker: perWorker === 1 } : { limit: undefined, cutAt: 0, perWorker: false };
}

export interface ThrottlingParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly background: Background;
  /** Milliseconds by the monotonic clock. */
  readonly now: () => number;
}

export interface Throttling {
  learn(lane: string, shrunk: ShrunkLane): void;
  throttled(lane: string, report: ThrottleReport): void;
  succeededWhileFull(lane: string): void;
  effective(lane: string): number | undefined;
  /** Reads anew what the others made of the lanes that this worker uses. */
  refresh(): Promise<void>;
}

interface ThrottleReport {
  readonly startedMsAgo: number;
  readonly running: number;
  readonly limits: ClusterLimits;
  readonly perWorker: number | undefined;
}

interface KnownLane {
  shrunk: ShrunkLane;
  /** Since when this worker knows of the cut, by its monotonic clock. */
  learnedAt: number;
  usedAt: number;
  /** Since the last growth, while the lane was full. */
  successes: number;
  /** A report is on its way; calls that began before its answer say no more than it does. */
  reporting: boolean;
}

/** Where nothing else limits a lane, this ends its growth: more than any worker runs. */
const CEILING = 10_000;
/** A lane that was not used for this long is not asked about. */
const UNUSED_AFTER_MS = 60_000;

export function createThrottling({ redis, names, background, now }: ThrottlingParts): Throttling {
  const lanes = new Map<string, KnownLane>();

  function used(lane: string): KnownLane {
    const known = lanes.get(lane) ?? {
      shrunk: shrunkLane([]),
      learnedAt: 0,
      usedAt: 0,
      successes: 0,
      reporting: false,
    };
    known.usedAt = now();
    lanes.set(lane, known);
    return known;
  }

  function take(known: KnownLane, shrunk: ShrunkLane): void {
    if (shrunk.cutAt !== known.shrunk.cutAt) known.learnedAt = now();
    // A limit of each worker grows once for a round of successes of all workers, one of all for a round of each.
    if (shrunk.perWorker && shrunk.limit !== known.shrunk.limit) known.successes = 0;
    known.shrunk = shrunk;
  }

  return {
    learn(lane, shrunk) {
      take(used(lane), shrunk);
    },
    throttled(lane, { startedMsAgo, running, limits, perWorker }) {
      const known = used(lane);
      const { cutAt } = known.shrunk;
      if (known.reporting || (cutAt !== 0 && now() - startedMsAgo < known.learnedAt)) return;
      known.reporting = true;
      const keys = names.lane(lane);
      const scope = limits.concurrency === undefined ? 'worker' : 'cluster';
      const ceiling = limits.concurrency ?? perWorker ?? CEILING;
      const args = [cutAt, Math.max(1, running), scope, ceiling];
      background.run(async () => {
        try {
          take(known, shrunkLane((await THROTTLED.run(redis, [keys.throttle, keys.leases], args)) as number[]));
        } finally {
          known.reporting = false;
        }
      });
    },
    succeededWhileFull(lane) {
      const known = used(lane);
      const { limit } = known.shrunk;
      if (limit === undefined) return;
      known.successes += 1;
      if (known.successes < limit) return;
      known.successes = 0;
      background.run(async () =>
        take(known, shrunkLane((await GROW.run(redis, [names.lane(lane).throttle], [limit])) as number[])),
      );
    },
    effective: (lane) => used(lane).shrunk.limit,
    async refresh() {
      const unused = now() - UNUSED_AFTER_MS;
      for (const [lane, { usedAt }] of lanes) if (usedAt < unused) lanes.delete(lane);
      // Sent together: one write to the connection.
      await Promise.all(
        [...lanes].map(async ([lane, known]) => {
          const [limit, cutAt, scope] = await redis.hmget(names.lane(lane).throttle, 'limit', 'cutAt', 'scope');
          take(known, shrunkLane([Number(limit) || 0, Number(cutAt) || 0, scope === 'worker' ? 1 : 0]));
        }),
      );
    },
  };
}
