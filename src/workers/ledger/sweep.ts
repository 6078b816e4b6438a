import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf } from '../../errors.ts';
import type { Conductor } from '../conductor/conductor.ts';
import { workflowsWith } from '../conductor/workflow-tasks.ts';
import type { HeldTask, Suspect, Suspects } from './ledger.ts';

/** In milliseconds. */
export interface SweepTiming {
  /** Between two looks at who is suspected. */
  readonly everyMs: number;
  /** Since a suspicion: a poll is held for 5 s at most, and its answer gets another 5 s to be claimed. */
  readonly settleMs: number;
  /** Between two sightings of a task of one who lives, whose claim may be on its way; and so between two passes. */
  readonly secondLookMs: number;
  /** Between two calls: a server has other things to do. */
  readonly gapMs: number;
}

const TIMING: SweepTiming = {
  everyMs: 2_000,
  settleMs: 10_000,
  secondLookMs: 10_000,
  gapMs: 1_000 / 150,
};
const CALLS_AT_ONCE = 4;
const ELECTED_AGAIN_EVERY_MS = 10_000;
/** A pass that did not see everything is repeated, ever less often, for no more than a day. */
const LONGEST_PAUSE_MS = 60_000;
const SUSPECTED_AT_MOST_MS = 24 * 3_600_000;

/** Another replica was elected: two would only load Conductor twice. */
class Replaced extends Error {
  override readonly name = 'Replaced';
}

export interface SweepParts {
  readonly conductor: Pick<Conductor, 'workflowDefinitions' | 'runningWorkflows' | 'workflowTasks'>;
  readonly suspects: Suspects;
  /** Gives adopted tasks back: `rescue` of `rescue.ts`. */
  readonly rescue: (tasks: readonly HeldTask[]) => void;
  /** Those that this worker polls. */
  readonly queues: readonly string[];
  readonly log: Logger;
  readonly timing?: Partial<SweepTiming>;
}

export interface Sweep {
  start(): void;
  /** One look, and a pass where somebody is suspected and this replica is elected. Never rejects. */
  look(): Promise<void>;
  /** Breaks off; idempotent. */
  stop(): Promise<void>;
}

/**
 * The net under the ledger: a poll whose answer was lost leaves tasks IN_PROGRESS at Conductor that no ledger names. One
 * replica looks through the running workflows that have our tasks and gives back those of suspects that nobody claimed.
 * It claims them first: should the suspect get its answer after all, it finds them taken.
 */
export function createSweep(parts: SweepParts): Sweep {
  const { conductor, suspects, rescue, log } = parts;
  const timing = { ...TIMING, ...parts.timing };
  const queues = new Set(parts.queues);
  const stopping = new AbortController();
  /** Tasks of the living, seen once: `task poll` → when, by Redis' clock. */
  let seen = new Map<string, number>();
  /** The living who were looked through: incarnation → when, and the last suspicion where that was settled by then. */
  let passed = new Map<string, { readonly at: number; readonly settled: number | undefined }>();
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let notBefore = Number.NEGATIVE_INFINITY;
  let incomplete = 0;
  let nextCallAt = 0;
  let electedAt = 0;

  async function paced<T>(call: () => Promise<T>): Promise<T> {
    const now = performance.now();
    const at = Math.max(now, nextCallAt);
    nextCallAt = at + timing.gapMs;
    if (at > now) await sleep(at - now, undefined, { signal: stopping.signal });
    stopping.signal.throwIfAborted();
    if (now - electedAt > ELECTED_AGAIN_EVERY_MS) {
      electedAt = now;
      if (!(await suspects.elect())) {
        electedAt = Number.NEGATIVE_INFINITY;
        throw new Replaced();
      }
    }
    return await call();
  }

  async function lookOnce(): Promise<void> {
    if (!suspects.alive || stopping.signal.aborted || performance.now() < notBefore) return;
    const { now, found } = await suspects.suspects();
    const names = new Set(found.map(({ incarnation }) => incarnation));
    passed = new Map([...passed].filter(([incarnation]) => names.has(incarnation)));
    if (found.length === 0) seen = new Map();
    // One who lives from the first suspicion on: while its polls keep failing, the last one is never long ago.
    const settled = found.filter(({ since, latest, living }) => isPast(living ? since : latest, timing.settleMs, now));
    if (!settled.some((suspect) => isDue(suspect, now)) || !(await suspects.elect())) return;
    electedAt = performance.now();
    const failures = await pass(settled, now).catch((error: unknown) => {
      if (error instanceof Replaced || stopping.signal.aborted) throw error;
      log.debug({ reason: messageOf(error) }, 'Workflows could not be looked at');
      return 1;
    });
    if (failures === 0) incomplete = 0;
    else {
      if (incomplete === 0) log.warn({ failures }, 'Not all workflows could be searched for lost tasks; trying again');
      notBefore = performance.now() + Math.min(LONGEST_PAUSE_MS, timing.everyMs * 2 ** incomplete);
      incomplete += 1;
    }
    for (const suspect of settled) {
      if (failures === 0 ? isDone(suspect, now) : now - suspect.latest > SUSPECTED_AT_MOST_MS) {
        await suspects.acquit(suspect);
        passed.delete(suspect.incarnation);
      }
    }
  }

  /** Whom to make a pass for; all who are settled are then looked through. */
  function isDue({ incarnation, living }: Suspect, now: number): boolean {
    const before = passed.get(incarnation);
    return !living || before === undefined || isPast(before.at, timing.secondLookMs, now);
  }

  /** One who lives is looked through twice: what the polls in question brought is there the first time. */
  function isDone({ incarnation, latest, living }: Suspect, now: number): boolean {
    if (!living) return true;
    const before = passed.get(incarnation);
    if (before?.settled === latest) return isPast(before.at, timing.secondLookMs, now);
    passed.set(incarnation, { at: now, settled: isPast(latest, timing.settleMs, now) ? latest : undefined });
    return false;
  }

  /** Resolves to how many workflows could not be looked at. */
  async function pass(settled: readonly Suspect[], now: number): Promise<number> {
    const bySuspect = new Map(settled.map((suspect) => [suspect.incarnation, suspect]));
    const seenNow = new Map<string, number>();
    const counts = { workflows: 0, adopted: 0, failures: 0 };

    async function lookAt(workflowId: string): Promise<void> {
      const tasks = await paced(() => conductor.workflowTasks(workflowId, stopping.signal));
      counts.workflows += 1;
      const theirs = tasks.flatMap(({ taskId, taskType, status, workerId, pollCount }): HeldTask[] =>
        status === 'IN_PROGRESS' && queues.has(taskType) && workerId !== undefined && bySuspect.has(workerId)
          ? [{ taskId, workflowInstanceId: workflowId, pollCount, polledBy: workerId }]
          : [],
      );
      const lost = (await suspects.unclaimed(theirs)).filter(({ taskId, pollCount, polledBy }) => {
        if (bySuspect.get(polledBy)?.living !== true) return true;
        const name = `${taskId} ${pollCount}`;
        const first = seen.get(name) ?? now;
        seenNow.set(name, first);
        return now - first >= timing.secondLookMs;
      });
      if (lost.length === 0) return;
      const adopted = await suspects.adopt(lost);
      counts.adopted += adopted.length;
      rescue(adopted);
    }

    const definitions = await paced(() => conductor.workflowDefinitions(stopping.signal));
    for (const name of workflowsWith(definitions, queues)) {
      const ids = (await paced(() => conductor.runningWorkflows(name, stopping.signal))).values();
      const lookers = Array.from({ length: CALLS_AT_ONCE }, async () => {
        for (const id of ids) {
          await lookAt(id).catch((error: unknown) => {
            if (error instanceof Replaced || stopping.signal.aborted) throw error;
            counts.failures += 1;
            log.debug({ workflowId: id, reason: messageOf(error) }, 'A workflow could not be looked at');
          });
        }
      });
      // All of them, before a fault of one goes on: none may be left running.
      for (const ended of await Promise.allSettled(lookers)) if (ended.status === 'rejected') throw ended.reason;
    }
    seen = seenNow;
    if (counts.adopted > 0) log.info(counts, 'Tasks that no worker knew of are given back');
    else log.debug(counts, 'No task is lost');
    return counts.failures;
  }

  function look(): Promise<void> {
    looking ??= lookOnce()
      .catch((error: unknown) => {
        // Redis is away, of which the ledger warns, or we are not the ones to look any more.
        log.debug({ reason: messageOf(error) }, 'Lost tasks cannot be looked for now');
      })
      .finally(() => {
        looking = undefined;
      });
    return looking;
  }

  function lookLater(): void {
    if (stopping.signal.aborted) return;
    timer = setTimeout(() => void look().then(lookLater), timing.everyMs * (0.9 + Math.random() / 5));
  }

  return {
    start() {
      if (timer === undefined) lookLater();
    },
    look,
    async stop() {
      stopping.abort(new Error('the worker is stopping'));
      clearTimeout(timer);
      await looking;
    },
  };
}

/** Whether so much time has passed since; a moment in the future is of another server's clock. */
function isPast(moment: number, ms: number, now: number): boolean {
  return moment > now || now - moment >= ms;
}
