import type { Cluster, Redis } from 'ioredis';
import type { Admission, AdmissionRequest, Lease } from '../../integrations/lanes/lane-cluster.ts';
import type { KeyNames } from '../../redis/keys.ts';
import type { Background } from './background.ts';
import { type Clocks, createHeldLeases, type HeldLease } from './held-leases.ts';
import { ADMIT, RELEASE, RENEW } from './lease-scripts.ts';
import { type ShrunkLane, shrunkLane } from './throttling.ts';

export interface LeasesParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  /** The worker's part of lease ids, before the last `#`. */
  readonly instance: string;
  readonly leaseMs: number;
  readonly clocks: Clocks;
  readonly background: Background;
  /** Every admission tells what throttling leaves of its lane. */
  readonly learn: (lane: string, shrunk: ShrunkLane) => void;
}

export interface Leases {
  admit(request: AdmissionRequest): Promise<Admission>;
  release(lease: Lease, tokens: number | undefined): void;
  holds(lease: Lease): boolean;
  lapsed(lease: Lease): AbortSignal;
  /** Aborts calls whose lease is over by this worker's own clocks. */
  lapseOverdue(): void;
  /** Renews all that are held; those that Redis lost count again. */
  renew(): void;
  /** Sends the releases that wait. */
  flush(): void;
  /** Frees everything that is still held, and aborts its calls. */
  releaseAll(): void;
}

interface Release {
  readonly id: string;
  readonly second: number;
  readonly difference: number;
  readonly limited: boolean;
  /** By the monotonic clock: beyond a lease's time there is nothing left to free. */
  readonly at: number;
}

export function createLeases(parts: LeasesParts): Leases {
  const { redis, names, leaseMs, clocks, background } = parts;
  const held = createHeldLeases({ leaseMs, clocks });
  const releases = new Map<string, Release[]>();
  let flushing: NodeJS.Immediate | undefined;
  let renewing = false;
  let renewAgain = false;

  async function admit({ lane, limits, attempts }: AdmissionRequest): Promise<Admission> {
    const { concurrency, requestsPerMinute, tokensPerMinute } = limits;
    const limited = concurrency !== undefined;
    const charges = attempts.map(({ estimatedTokens }) =>
      tokensPerMinute === undefined ? undefined : Math.max(0, Math.ceil(estimatedTokens)),
    );
    const add = (count: number, times: Pick<HeldLease, 'admittedSecond' | 'endsAt' | 'sentAt'>): void => {
      for (const [index, { leaseId }] of attempts.slice(0, count).entries()) {
        held.add({ id: leaseId, lane, limited, charged: charges[index], ...times });
      }
    };
    const sentAt = held.now();
    if (!limited && requestsPerMinute === undefined && tokensPerMinute === undefined) {
      add(attempts.length, { admittedSecond: 0, endsAt: 0, sentAt });
      return { granted: attempts.length, retryAfterMs: 0, concurrency };
    }
    // What this worker has just freed is there for what it asks now.
    flushLane(lane);
    const keys = names.lane(lane);
    const [granted = 0, retryAfterMs = 0, limit = -1, now = 0, ...shrunk] = (await ADMIT.run(
      redis,
      [keys.leases, keys.askers, keys.rates, keys.throttle, names.ledger.epoch, names.ledger.primary],
      [
        leaseMs,
        parts.instance,
        concurrency ?? -1,
        requestsPerMinute ?? -1,
        tokensPerMinute ?? -1,
        ...attempts.flatMap(({ leaseId }, index) => [leaseId, charges[index] ?? 0]),
      ],
    )) as number[];
    add(granted, { admittedSecond: Math.floor(now / 1_000), endsAt: now + leaseMs, sentAt });
    parts.learn(lane, shrunkLane(shrunk));
    return { granted, retryAfterMs: Math.ceil(retryAfterMs), concurrency: limit < 0 ? undefined : limit };
  }

  function queue({ lane, ...lease }: HeldLease, difference: number): void {
    if (!lease.limited && difference === 0) return;
    const waiting = releases.get(lane) ?? [];
    const { id, limited, admittedSecond: second } = lease;
    waiting.push({ id, second, difference, limited, at: clocks.monotonic() });
    releases.set(lane, waiting);
    // Everything that ends in this turn of the event loop goes in one script.
    flushing ??= setImmediate(flush);
  }

  function flush(): void {
    clearImmediate(flushing);
    flushing = undefined;
    for (const lane of [...releases.keys()]) flushLane(lane);
  }

  function flushLane(lane: string): void {
    const waiting = releases.get(lane);
    if (waiting === undefined) return;
    releases.delete(lane);
    const keys = names.lane(lane);
    background.run(async () => {
      try {
        const args = waiting.flatMap(({ id, limited, second, difference }) => [limited ? id : '', second, difference]);
        await RELEASE.run(redis, [keys.leases, keys.rates], args);
      } catch (error) {
        // The next tick tries again; tokens may have been corrected already, and are not corrected twice.
        const since = clocks.monotonic() - leaseMs;
        const again = waiting.filter(({ limited, at }) => limited && at > since);
        if (again.length > 0) {
          releases.set(lane, [...again.map((one) => ({ ...one, difference: 0 })), ...(releases.get(lane) ?? [])]);
        }
        throw error;
      }
    });
  }

  async function renewLane(lane: string, leases: readonly HeldLease[]): Promise<void> {
    const sentAt = held.now();
    const args = leases.flatMap(({ id, endsAt }) => [id, endsAt]);
    const [now = 0, ...lapsed] = (await RENEW.run(redis, [names.lane(lane).leases], [leaseMs, ...args])) as number[];
    const gone = new Set(lapsed);
    for (const [index, { id }] of leases.entries()) {
      if (!gone.has(index)) held.renewed(id, sentAt, now + leaseMs);
    }
    held.lapse(leases.filter((_, index) => gone.has(index)).map(({ id }) => id));
  }

  function renew(): void {
    held.lapseOverdue();
    // One that waits for a Redis that has gone away says nothing about the one that came back.
    renewAgain = renewing;
    if (renewing) return;
    renewing = true;
    background.run(() =>
      Promise.all([...held.limitedByLane()].map(([lane, leases]) => renewLane(lane, leases))).finally(() => {
        renewing = false;
        if (renewAgain) renew();
      }),
    );
  }

  return {
    admit,
    release({ id }, tokens) {
      const lease = held.remove(id);
      if (lease === undefined) return;
      queue(lease, tokens === undefined || lease.charged === undefined ? 0 : Math.ceil(tokens) - lease.charged);
    },
    holds: ({ id }) => held.holds(id),
    lapsed: ({ id }) => held.get(id)?.lapse.signal ?? AbortSignal.abort(new Error('the lease is not held')),
    lapseOverdue: held.lapseOverdue,
    renew,
    flush,
    releaseAll() {
      for (const lease of held.all()) {
        queue(lease, 0);
        held.lapse([lease.id]);
      }
      flush();
    },
  };
}
