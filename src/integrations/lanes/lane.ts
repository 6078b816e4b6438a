import type { ServiceError } from '../../errors.ts';
import { createAdmissions } from './admissions.ts';
import { type Capacity, capacityOf } from './capacity.ts';
import type { LaneCluster, Sleeper } from './lane-cluster.ts';
import type { LaneLimits, LaneUse } from './lane-use.ts';
import { BATCH_TEXTS_AT_MOST, createLine } from './line.ts';
import { outlookOf } from './outlook.ts';
import { createPace, STANDSTILL_MS } from './pace.ts';
import { putOff, throttleWait } from './put-off.ts';
import { createTurns, type Entry } from './turns.ts';
import type { WaitingPlaces } from './waiting-places.ts';

/** What all lanes of one worker share. */
export interface LaneSurroundings {
  readonly cluster: LaneCluster;
  /** The next lease's id, unlike that of any other lease of any lane or worker. */
  readonly leaseId: () => string;
  /** The limits of a lane as they are now. */
  readonly limits: (lane: string) => LaneLimits;
  /** False while nothing new may start: Redis is away, or this worker may be taken for dead. */
  readonly mayStart: () => boolean;
  /** Workers that are alive, at least 1: each has its part of what holds over all of them. */
  readonly workers: () => number;
  readonly places: WaitingPlaces;
}

export interface Lane {
  /** Calls that run. */
  readonly running: number;
  /** Tasks that wait for a turn here. */
  readonly waiting: number;
  /** Calls that may still begin at once in this worker; Infinity where nothing limits them. */
  readonly free: number;
  /** Tasks that start in a millisecond, as measured, in this worker; before the first call has ended, at most so many. */
  readonly startsPerMs: number;
  through<W, R>(use: LaneUse<W, R>): Promise<R>;
  /** Looks again at who may start and who should rather wait at Conductor; calls sleepers back where there is room. */
  tick(wake: (sleeper: Sleeper) => void): void;
}

/** A task waits here only if its turn is expected within this time, and within half its response timeout. */
const HOLD_MS = 4_000;
/** One that is held already goes only if it takes much longer than was thought: to and fro costs more than waiting. */
const HOLD_ON_FACTOR = 2;
/** So much work is called back ahead of need: a sleeper takes a second or two to arrive, and one due in four is left alone. */
const WAKE_AHEAD_MS = 4_000;

/** Gives turns to the tasks of one model of one integration: within every limit, in order, together where they may. */
export function createLane(name: string, surroundings: LaneSurroundings): Lane {
  const { cluster, leaseId, mayStart, places } = surroundings;
  const line = createLine<Entry>();
  const pace = createPace();
  const limits = (): LaneLimits => surroundings.limits(name);
  let full = false;
  /** Somebody came whom nobody has judged yet. */
  let unjudged = false;
  let scheduled = false;

  const turns = createTurns({
    ...{ lane: name, cluster, pace, limits, mayStart, stand },
    isFull: () => full,
    throttled: (entry, error) => void sendAway(entry, capacity(), line.length * capacity().betweenCallsMs, error),
    ended() {
      if (line.length > 0) pump();
    },
  });
  const admissions = createAdmissions({
    ...{ lane: name, cluster, leaseId, line, pace, turns, limits, pump },
    refused: () => judge(capacity()),
  });
  const { blockedMs } = admissions;

  function capacity(): Capacity {
    return capacityOf({ lane: name, limits: limits(), cluster, workers: surroundings.workers(), pace });
  }

  /** At the end of this turn of the event loop: tasks that came together may share a request. */
  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      pump();
    });
  }

  function pump(): void {
    const now = capacity();
    if (!mayStart()) pace.wasHeldUntil();
    while (line.length > 0 && pace.running < now.atOnce && mayStart()) {
      if (now.isShared) {
        admissions.ask(now);
        break;
      }
      turns.begin(line.takeGroup(), undefined);
    }
    full = line.length > 0;
    if (unjudged) judge(now);
    else places.set(name, line.length);
  }

  function stand(entry: Entry): void {
    const { waiting } = entry.use;
    if (waiting.aborted) return entry.reject(waiting.reason);
    waiting.addEventListener('abort', entry.leave, { once: true });
    if (line.length === 0 && pace.running === 0) pace.wasHeldUntil();
    line.add(entry);
    unjudged = true;
    schedule();
  }

  /** Who can't start soon goes back to Conductor: what waits here is bounded, and those that came first stay. */
  function judge(now: Capacity): void {
    unjudged = false;
    const outlook = outlookOf(now, pace, blockedMs());
    const most = places.leftFor(name);
    let kept = 0;
    let aheadMs = outlook.firstMs;
    for (const [entry, ahead] of line.turnsAhead()) {
      const { responseTimeoutMs, sleepAtMostMs, ticket } = entry.use.task;
      const bound = Math.min(HOLD_MS, responseTimeoutMs > 0 ? responseTimeoutMs / 2 : Infinity);
      const isSoon = outlook.expectedMs(ahead) <= bound * (entry.held ? HOLD_ON_FACTOR : 1);
      if (ahead < admissions.asked || sleepAtMostMs === undefined || !mayStart() || (isSoon && kept < most)) {
        entry.held = true;
        kept += 1;
        // A ticket's rank counts those with tickets by itself.
        if (ticket === undefined) aheadMs += now.betweenCallsMs / pace.tasksPerCall;
      } else {
        line.remove(entry);
        entry.use.waiting.removeEventListener('abort', entry.leave);
        void sendAway(entry, now, aheadMs);
      }
    }
    places.set(name, line.length);
  }

  async function sendAway(entry: Entry, now: Capacity, aheadMs: number, throttledBy?: ServiceError): Promise<void> {
    const { task, deferAtMostMs } = entry.use;
    const times = entry.throttles + (task.ticket?.throttles ?? 0);
    if (task.sleepAtMostMs === undefined) return sitOut(entry, throttledBy, throttleWait(times));
    const throttled = throttledBy === undefined ? undefined : { error: throttledBy, times };
    const { intervalMs } = now;
    const request = { lane: name, task, intervalMs, aheadMs, blockedMs: blockedMs(), throttled, deferAtMostMs };
    entry.reject(await putOff(cluster, request));
  }

  /** Conductor would time it out while it sleeps: it waits here, kept alive by heartbeats. */
  function sitOut(entry: Entry, throttledBy: ServiceError | undefined, ms: number): void {
    const { waiting, deferAtMostMs, task } = entry.use;
    if (throttledBy !== undefined) {
      entry.firstThrottledAt ??= performance.now();
      // An earlier run of it, elsewhere perhaps, has its time by Redis' clock, which is near enough to ours for seconds.
      const byTicketMs = Date.now() - (task.ticket?.firstThrottledAt ?? Number.POSITIVE_INFINITY);
      if (Math.max(byTicketMs, performance.now() - entry.firstThrottledAt) >= deferAtMostMs)
        return entry.reject(throttledBy);
    }
    // A listener that is added after the end never hears of it.
    if (waiting.aborted) return entry.reject(waiting.reason);
    const over = (): void => {
      clearTimeout(timer);
      waiting.removeEventListener('abort', over);
      stand(entry);
    };
    const timer = setTimeout(over, ms);
    waiting.addEventListener('abort', over, { once: true });
  }

  async function callBack(wake: (sleeper: Sleeper) => void): Promise<void> {
    if (!mayStart() || (cluster.sleeping().get(name) ?? 0) === 0) return;
    const now = capacity();
    const workers = surroundings.workers();
    const free = Math.max(0, now.share - pace.running);
    // They would only come to go again.
    if (pace.running > 0 && pace.stillMs > 0 && free < 1) return;
    // Over all workers, as those are that come by themselves in time, which the store counts.
    const inTime = Math.ceil(Math.max(0, WAKE_AHEAD_MS - blockedMs()) / now.intervalMs);
    // Slow calls leave more places free than begin in that time, unless it is a limit a minute that makes them few.
    const isOfPlaces = now.limits.requestsPerMinute === undefined && now.limits.tokensPerMinute === undefined;
    const soon = isOfPlaces ? Math.max(inTime, Math.floor(free * workers)) : inTime;
    const wanted = Math.min(places.atMost, soon) - line.length * workers;
    if (!(wanted > 0)) return;
    for (const sleeper of await cluster.takeSleepers(name, wanted)) wake(sleeper);
  }

  return {
    get running() {
      return pace.running;
    },
    get waiting() {
      return line.length;
    },
    get free() {
      return Math.max(0, capacity().atOnce - pace.running);
    },
    get startsPerMs() {
      if (blockedMs() > STANDSTILL_MS || pace.stillMs > 0) return 0;
      const { atOnce, betweenCallsMs } = capacity();
      const { untriedMs } = pace;
      return pace.tasksPerCall / (untriedMs === undefined ? betweenCallsMs : untriedMs / atOnce);
    },
    through<W, R>(use: LaneUse<W, R>): Promise<R> {
      if (use.waiting.aborted) return Promise.reject(use.waiting.reason);
      return new Promise<R>((resolve, reject) => {
        const entry: Entry = {
          use: use as unknown as LaneUse<unknown, unknown>,
          resolve: resolve as (value: unknown) => void,
          reject,
          leave: () => {
            if (!line.remove(entry)) return;
            places.set(name, line.length);
            reject(use.waiting.reason);
          },
          order: use.task.order,
          batch: use.batch,
          held: false,
          shareAtMost: use.batch === undefined ? 1 : BATCH_TEXTS_AT_MOST,
          half: '',
          throttles: 0,
          firstThrottledAt: undefined,
        };
        stand(entry);
      });
    },
    tick(wake) {
      unjudged ||= line.length > 0;
      pump();
      callBack(wake).catch(() => undefined);
    },
  };
}
