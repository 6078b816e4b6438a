/**
 * How many tasks may wait for turns inside this worker, over all its lanes. They hold places that others could use, so
 * there are few; beyond that, tasks wait at Conductor.
 */
export interface WaitingPlaces {
  readonly atMost: number;
  readonly used: number;
  /** Those that other lanes leave to this one. */
  leftFor(lane: string): number;
  set(lane: string, count: number): void;
}

export function createWaitingPlaces(atMost: number): WaitingPlaces {
  const byLane = new Map<string, number>();
  let used = 0;
  return {
    atMost,
    get used() {
      return used;
    },
    leftFor(lane) {
      return Math.max(0, atMost - (used - (byLane.get(lane) ?? 0)));
    },
    set(lane, count) {
      used += count - (byLane.get(lane) ?? 0);
      if (count === 0) byLane.delete(lane);
      else byLane.set(lane, count);
    },
  };
}
