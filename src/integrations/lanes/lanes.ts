import { createLane, type Lane, type LaneSurroundings } from './lane.ts';
import type { Sleeper, Ticket } from './lane-cluster.ts';
import type { LaneUse } from './lane-use.ts';
import { createWaitingPlaces } from './waiting-places.ts';

export interface LanesParts extends Omit<LaneSurroundings, 'places' | 'leaseId'> {
  /** Begins every lease's id: this worker's, unlike any other's. */
  readonly instance: string;
  /** Tasks that may wait inside this worker, over all lanes. */
  readonly waitingAtMost: number;
  /** Tasks that this worker has or has asked Conductor for, in lanes or on their way there. */
  readonly tasksHeld: () => number;
  /** Calls a sleeper back from Conductor's queue; tracks its own work. */
  readonly wake: (lane: string, sleeper: Sleeper) => void;
}

export interface Lanes {
  /** Rejects with `Deferred` where the task should rather wait at Conductor. */
  through<W, R>(use: LaneUse<W, R>): Promise<R>;
  /** A task that waited for its turn ended without one: nobody need wait behind it. */
  forget(ticket: Ticket): void;
  /** How many more tasks are worth asking for: Infinity, unless lanes that move fast have all that may wait already. */
  room(): number;
  /** Resolves when there is room, or when the signal is aborted. */
  untilRoom(signal: AbortSignal): Promise<void>;
  /** Calls that run and tasks that wait in each lane, for metrics. */
  loads(): Iterable<readonly [lane: string, load: { readonly running: number; readonly waiting: number }]>;
  start(): void;
  stop(): void;
}

const TICK_MS = 1_000;
const ROOM_CHECK_MS = 5;
/** To give a task back and poll it again costs Conductor about this (some 250 tasks a second): a sooner turn is worth waiting for. */
const DEFERRAL_COST_MS = 10;
/** A lane that is idle for so many ticks is forgotten, and what it learnt. */
const IDLE_TICKS = 600;

/** The lanes of one worker: one an integration and resolved model, made when first used. */
export function createLanes({ instance, waitingAtMost, tasksHeld, wake, ...surroundings }: LanesParts): Lanes {
  const places = createWaitingPlaces(waitingAtMost);
  const lanes = new Map<string, { readonly lane: Lane; idleTicks: number }>();
  let timer: NodeJS.Timeout | undefined;
  /** Tasks in lanes, or just leaving one. */
  let inside = 0;
  /** Counts over all lanes, and over those that were forgotten: what is held is known by these ids alone. */
  let leases = 0;
  /** Once too many wait, half of them must go first: fewer polls, each for more. */
  let wasFull = false;

  function obtain(name: string): Lane {
    const known = lanes.get(name);
    if (known !== undefined) {
      known.idleTicks = 0;
      return known.lane;
    }
    const lane = createLane(name, { ...surroundings, leaseId, places });
    lanes.set(name, { lane, idleTicks: 0 });
    return lane;
  }

  function leaseId(): string {
    leases += 1;
    return `${instance}#${leases}`;
  }

  function tick(): void {
    // Tasks of a lane that this worker has not seen yet may sleep, too.
    for (const name of surroundings.cluster.sleeping().keys()) obtain(name);
    for (const [name, entry] of lanes) {
      const { lane } = entry;
      lane.tick((sleeper) => wake(name, sleeper));
      entry.idleTicks = lane.running === 0 && lane.waiting === 0 ? entry.idleTicks + 1 : 0;
      if (entry.idleTicks > IDLE_TICKS) lanes.delete(name);
    }
  }

  function room(): number {
    let startsPerMs = 0;
    let free = 0;
    for (const { lane } of lanes.values()) {
      if (lane.free === Infinity || (lane.running === 0 && lane.waiting === 0)) continue;
      startsPerMs += lane.startsPerMs;
      free += lane.free;
    }
    // Slow lanes: what they can't take soon is deferred, so that it hides nobody else's tasks in Conductor's queue.
    if (startsPerMs < 1 / DEFERRAL_COST_MS) {
      wasFull = false;
      return Infinity;
    }
    const onTheirWay = Math.max(0, tasksHeld() - inside);
    const taken = places.used + onTheirWay - free;
    if (taken >= places.atMost) wasFull = true;
    else if (taken <= places.atMost / 2) wasFull = false;
    return wasFull ? 0 : places.atMost - taken;
  }

  return {
    through(use) {
      inside += 1;
      return obtain(use.lane)
        .through(use)
        .finally(() => {
          inside -= 1;
        });
    },
    forget: (ticket) => surroundings.cluster.forget(ticket),
    room,
    async untilRoom(signal) {
      while (!signal.aborted && room() <= 0) {
        await new Promise<void>((resolve) => setTimeout(resolve, ROOM_CHECK_MS));
      }
    },
    *loads() {
      for (const [name, { lane }] of lanes) {
        if (lane.running > 0 || lane.waiting > 0) yield [name, { running: lane.running, waiting: lane.waiting }];
      }
    },
    start() {
      timer ??= setInterval(tick, TICK_MS);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
