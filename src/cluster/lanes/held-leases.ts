/** Leases as this worker sees them: it may use one only as long as its own two clocks say that Redis still counts it. */

export interface Clocks {
  /** Milliseconds that no one can set; stands still while the machine sleeps. Default `performance.now`. */
  monotonic(): number;
  /** Milliseconds since 1970; goes on while the machine sleeps. Default `Date.now`. */
  wall(): number;
}

export const SYSTEM_CLOCKS: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() };

/** A moment by both clocks. */
export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export interface HeldLease {
  readonly id: string;
  readonly lane: string;
  /** Tokens charged at admission; undefined where the lane has no limit of tokens. */
  readonly charged: number | undefined;
  /** When it was admitted, in seconds by Redis' clock. */
  readonly admittedSecond: number;
  /** False where the lane has no limit of calls at once: then it holds until it is released. */
  readonly limited: boolean;
  /** When Redis frees it, in ms by Redis' clock. */
  endsAt: number;
  /** When the call that gave or renewed it was about to be sent. */
  sentAt: Moment;
  readonly lapse: AbortController;
}

export interface HeldLeases {
  now(): Moment;
  /** `sentAt`: taken before the call to Redis, so that this view always ends before Redis'. */
  add(lease: Omit<HeldLease, 'lapse'>): void;
  renewed(id: string, sentAt: Moment, endsAt: number): void;
  get(id: string): HeldLease | undefined;
  /** Takes it out of the view; undefined where it is not there, or no more. */
  remove(id: string): HeldLease | undefined;
  /** Whether enough is left to begin a call. */
  holds(id: string): boolean;
  /** Aborts the calls of leases, by id. */
  lapse(ids: Iterable<string>): void;
  /** Aborts the calls of all leases whose time is over by one of the clocks. */
  lapseOverdue(): void;
  /** Those to be renewed, by lane. */
  limitedByLane(): ReadonlyMap<string, readonly HeldLease[]>;
  all(): readonly HeldLease[];
}

export function createHeldLeases({ leaseMs, clocks }: { leaseMs: number; clocks: Clocks }): HeldLeases {
  const held = new Map<string, HeldLease>();
  /** To begin a call: a fifteenth of a lease, 1 s of 15. */
  const toBegin = leaseMs / 15;
  /** A call is broken off this long before Redis frees its place: longer than it takes to look again. */
  const toBreakOff = leaseMs / 30;

  const now = (): Moment => ({ monotonic: clocks.monotonic(), wall: clocks.wall() });

  function leftOf({ sentAt }: HeldLease): number {
    const { monotonic, wall } = now();
    return leaseMs - Math.max(monotonic - sentAt.monotonic, wall - sentAt.wall);
  }

  function lapse(ids: Iterable<string>): void {
    for (const id of ids) {
      const lease = held.get(id);
      held.delete(id);
      lease?.lapse.abort(new Error('the lease of this call has lapsed'));
    }
  }

  return {
    now,
    add(lease) {
      held.set(lease.id, { ...lease, lapse: new AbortController() });
    },
    renewed(id, sentAt, endsAt) {
      const lease = held.get(id);
      if (lease !== undefined) Object.assign(lease, { sentAt, endsAt });
    },
    get: (id) => held.get(id),
    remove(id) {
      const lease = held.get(id);
      held.delete(id);
      return lease;
    },
    holds(id) {
      const lease = held.get(id);
      return lease !== undefined && (!lease.limited || leftOf(lease) >= toBegin);
    },
    lapse,
    lapseOverdue() {
      lapse([...held.values()].filter((lease) => lease.limited && leftOf(lease) < toBreakOff).map(({ id }) => id));
    },
    limitedByLane() {
      return Map.groupBy(
        [...held.values()].filter(({ limited }) => limited),
        ({ lane }) => lane,
      );
    },
    all: () => [...held.values()],
  };
}
