import pLimit from 'p-limit';
import { type ErrorCode, ServiceError } from '../../errors.ts';
import type { LaneCluster, Lease } from './lane-cluster.ts';
import type { LaneLimits, LaneUse, Part, Turn } from './lane-use.ts';
import type { InLine } from './line.ts';
import type { Pace, RunningCall } from './pace.ts';

/** What Bedrock says of a whole request although one text may be why. */
const MAY_BE_OF_ONE = ['REQUEST_REFUSED', 'MODEL_FAILED'] as const satisfies readonly ErrorCode[];

/** One task in a lane. */
export interface Entry extends InLine {
  /** Erased here and only here: what goes in as W and comes out as R does so through the same use. */
  readonly use: LaneUse<unknown, unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly leave: () => void;
  /** Judged once to wait here. */
  held: boolean;
  shareAtMost: number;
  half: string;
  throttles: number;
  /** By the monotonic clock; for a task that may not be given back, whose ticket would know. */
  firstThrottledAt: number | undefined;
}

export interface TurnsParts {
  readonly lane: string;
  readonly cluster: LaneCluster;
  readonly pace: Pace;
  readonly limits: () => LaneLimits;
  readonly mayStart: () => boolean;
  /** Somebody waits although all that may run does. */
  readonly isFull: () => boolean;
  /** Back into line. */
  readonly stand: (entry: Entry) => void;
  /** Bedrock throttled it. */
  readonly throttled: (entry: Entry, error: ServiceError) => void;
  /** A turn has ended. */
  readonly ended: () => void;
}

export interface Turns {
  /** Starts one call for all of the group. `lease`: its place over all replicas, where the lane takes leases. */
  begin(group: readonly Entry[], lease: Lease | undefined): void;
}

/** Runs the calls of one lane, and tells each task what became of it. */
export function createTurns({
  lane,
  cluster,
  pace,
  limits,
  mayStart,
  isFull,
  stand,
  throttled,
  ended,
}: TurnsParts): Turns {
  const limiter = pLimit(Number.POSITIVE_INFINITY);
  let splits = 0;

  async function run(head: Entry, group: readonly Entry[], lease: Lease | undefined, call: RunningCall): Promise<void> {
    let tokens: number | undefined;
    const turn: Turn = {
      lapsed: lease === undefined ? undefined : cluster.lapsed(lease),
      holds: () => mayStart() && (lease === undefined || cluster.holds(lease)),
      settle: (count) => {
        tokens = count;
      },
    };
    const parts = await partsOf(head, group, turn);
    const done = parts.filter(({ kind }) => kind === 'done').length;
    const running = pace.running;
    pace.end(call, done, tokens);
    if (lease !== undefined) cluster.release(lease, tokens);
    if (done > 0 && isFull()) cluster.succeededWhileFull(lane);
    settle(group, parts, { startedMsAgo: performance.now() - call.startedAt, running });
    ended();
  }

  async function partsOf(head: Entry, group: readonly Entry[], turn: Turn): Promise<readonly Part<unknown>[]> {
    const works = group.map(({ use }) => use.work);
    try {
      return await head.use.start(works, turn);
    } catch (error) {
      const part: Part<unknown> = turn.lapsed?.aborted === true ? { kind: 'again' } : { kind: 'failed', error };
      return group.map(() => part);
    }
  }

  function settle(
    group: readonly Entry[],
    parts: readonly Part<unknown>[],
    report: { readonly startedMsAgo: number; readonly running: number },
  ): void {
    const refused: Entry[] = [];
    let told = false;
    for (const [index, entry] of group.entries()) {
      const part = parts[index] ?? { kind: 'again' };
      if (part.kind === 'done') entry.resolve(part.value);
      else if (part.kind === 'again') stand(entry);
      else if (group.length > 1 && MAY_BE_OF_ONE.some((code) => isCode(part.error, code))) refused.push(entry);
      else if (isCode(part.error, 'THROTTLED')) {
        const now = limits();
        if (!told) cluster.throttled(lane, { ...report, limits: now, perWorker: now.perWorker });
        told = true;
        entry.throttles += 1;
        throttled(entry, part.error);
      } else entry.reject(part.error);
    }
    if (refused.length > 0) splitInHalves(refused);
  }

  /** One of them is bad, and Bedrock does not say which: each half is asked by itself. */
  function splitInHalves(refused: readonly Entry[]): void {
    const middle = Math.ceil(refused.length / 2);
    splits += 1;
    for (const [index, entry] of refused.entries()) {
      entry.half = `${splits}${index < middle ? 'a' : 'b'}`;
      entry.shareAtMost = middle;
      stand(entry);
    }
  }

  return {
    begin(group, lease) {
      const [head] = group;
      if (head === undefined) return;
      // Counted at once, whenever p-limit lets it begin.
      const call = pace.begin();
      for (const { use, leave } of group) {
        use.waiting.removeEventListener('abort', leave);
        if (use.task.ticket !== undefined) cluster.forget(use.task.ticket);
      }
      const configured = limits().perWorker ?? Number.POSITIVE_INFINITY;
      if (limiter.concurrency !== configured) limiter.concurrency = configured;
      void limiter(() => run(head, group, lease, call));
    },
  };
}

function isCode(error: unknown, code: ErrorCode): error is ServiceError {
  return error instanceof ServiceError && error.code === code;
}
