import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { LaneCluster } from '../integrations/lanes/lane-cluster.ts';
import type { KeyNames } from '../redis/keys.ts';
import { createBackground } from './lanes/background.ts';
import { type Clocks, SYSTEM_CLOCKS } from './lanes/held-leases.ts';
import { createLeases } from './lanes/leases.ts';
import { createThrottling } from './lanes/throttling.ts';
import { createTickets } from './lanes/tickets.ts';

export interface LaneStoreParts {
  /** A connection whose commands reject at once where Redis is away: no offline queue, no retries. */
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  /** Unique over all replicas and starts. Lease ids are `<instance>#<n>`: by that, workers share a lane fairly. */
  readonly instance: string;
  readonly log: Logger;
  /** How long a place stays taken without a sign of its holder; the same in all replicas. Default 15,000. */
  readonly leaseMs?: number;
  /** How often what others did is read, and what could not be written is tried again. Default 2,000. */
  readonly tickMs?: number;
  readonly clocks?: Clocks;
}

export interface LaneStore extends LaneCluster {
  start(): void;
  /** Frees what is held, aborting its calls, and waits for what is still being written. May be called more than once. */
  stop(): Promise<void>;
  /** Redis forgot, or the connection came back: what is held counts again now, not only with the next renewal. */
  reassert(): void;
}

/** What all replicas know of lanes, in Redis. Each call is one script, by Redis' clock. */
export function createLaneStore(parts: LaneStoreParts): LaneStore {
  const { redis, names, instance, log, leaseMs = 15_000, tickMs = 2_000, clocks = SYSTEM_CLOCKS } = parts;
  const background = createBackground(log);
  const throttling = createThrottling({ redis, names, background, now: clocks.monotonic });
  const leases = createLeases({ redis, names, instance, leaseMs, clocks, background, learn: throttling.learn });
  const tickets = createTickets({ redis, names, background });
  const timers: NodeJS.Timeout[] = [];
  let stopped: Promise<void> | undefined;
  let ticking = false;

  const reachable = (): boolean => redis.status === 'ready';

  function every(ms: number, work: () => void): void {
    timers.push(setInterval(work, ms).unref());
  }

  function tick(): void {
    if (ticking || !reachable()) return;
    ticking = true;
    leases.flush();
    tickets.flush();
    background.run(() =>
      Promise.all([throttling.refresh(), tickets.refresh()]).finally(() => {
        ticking = false;
      }),
    );
  }

  function refuseWhenStopped(): void {
    if (stopped !== undefined) throw new Error('what replicas share of lanes is closed');
  }

  async function stop(): Promise<void> {
    for (const timer of timers) clearInterval(timer);
    leases.releaseAll();
    tickets.flush();
    await background.settle();
  }

  return {
    get reachable() {
      return reachable();
    },
    async admit(request) {
      refuseWhenStopped();
      return await leases.admit(request);
    },
    release: leases.release,
    holds: leases.holds,
    lapsed: leases.lapsed,
    throttled(lane, report) {
      if (stopped === undefined) throttling.throttled(lane, report);
    },
    succeededWhileFull(lane) {
      if (stopped === undefined) throttling.succeededWhileFull(lane);
    },
    effective: throttling.effective,
    async defer(request) {
      refuseWhenStopped();
      return await tickets.defer(request);
    },
    forget(ticket) {
      if (stopped === undefined) tickets.forget(ticket);
    },
    sleeping: tickets.sleeping,
    async takeSleepers(lane, wanted) {
      refuseWhenStopped();
      return await tickets.takeSleepers(lane, wanted);
    },
    leaveAsleep(lane, woken) {
      if (stopped === undefined) tickets.leaveAsleep(lane, woken);
    },
    start() {
      if (timers.length > 0 || stopped !== undefined) return;
      // 4 s of 15: three renewals may fail before a lease lapses.
      every((leaseMs * 4) / 15, () => reachable() && leases.renew());
      every(leaseMs / 60, leases.lapseOverdue);
      every(tickMs, tick);
      tick();
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
    reassert: leases.renew,
  };
}
