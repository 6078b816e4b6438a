import pLimit, { type LimitFunction } from 'p-limit';

export interface LaneUse<T> {
  /** Names the lane: integration and resolved model id, so that aliases of one model share it. */
  readonly lane: string;
  /** Calls at once from this worker; undefined: no limit of the lane's own. A changed limit holds from the next use. */
  readonly limit: number | undefined;
  /** Aborted while the use still waits: it leaves the queue and rejects with the signal's reason. */
  readonly waiting: AbortSignal;
  readonly run: () => Promise<T>;
}

export interface Lanes {
  through<T>(use: LaneUse<T>): Promise<T>;
  /** Running and waiting uses of each lane, for metrics. */
  loads(): Iterable<readonly [lane: string, load: { readonly running: number; readonly waiting: number }]>;
}

interface Lane {
  readonly limiter: LimitFunction;
  /** Running and waiting. */
  uses: number;
  running: number;
}

/** Limits how many calls to one model run at once from this worker. */
export function createLanes(): Lanes {
  const lanes = new Map<string, Lane>();

  return {
    async through<T>({ lane: name, limit, waiting, run }: LaneUse<T>): Promise<T> {
      waiting.throwIfAborted();
      const concurrency = limit ?? Number.POSITIVE_INFINITY;
      const lane = lanes.get(name) ?? { limiter: pLimit(concurrency), uses: 0, running: 0 };
      lanes.set(name, lane);
      if (lane.limiter.concurrency !== concurrency) lane.limiter.concurrency = concurrency;
      lane.uses += 1;
      try {
        return await turn(lane, waiting, run);
      } finally {
        lane.uses -= 1;
        if (lane.uses === 0) lanes.delete(name);
      }
    },
    *loads() {
      // Counted here, since one that left the queue stays in p-limit's until its turn comes.
      for (const [name, { uses, running }] of lanes) yield [name, { running, waiting: uses - running }];
    },
  };
}

function turn<T>(lane: Lane, waiting: AbortSignal, run: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const leave = (): void => reject(waiting.reason);
    waiting.addEventListener('abort', leave, { once: true });
    void lane.limiter(async () => {
      waiting.removeEventListener('abort', leave);
      // One that left the queue still gets its turn, and lets it pass.
      if (waiting.aborted) return;
      lane.running += 1;
      try {
        resolve(await run());
      } catch (error) {
        reject(error);
      } finally {
        lane.running -= 1;
      }
    });
  });
}
