import type { Logger } from 'pino';
import type { ServedType } from '../config.ts';
import { messageOf } from '../errors.ts';
import type { Lanes } from '../integrations/lanes/lanes.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createBacklog } from './backlog.ts';
import { createBackOff } from './conductor/back-off.ts';
import { type Conductor, mayHaveBeenDone } from './conductor/conductor.ts';
import { type PolledTask, readPolledTask } from './conductor/polled-task.ts';
import { createHeldTasks } from './held-tasks.ts';
import type { ClaimAnswer, Ledger } from './ledger/ledger.ts';
import { createPollPace } from './poll-pace.ts';
import type { Slots } from './slots.ts';
import type { TaskHandler } from './tasks/llm-task.ts';

export interface TaskLoopParts {
  readonly served: readonly (ServedType & { readonly handler: TaskHandler })[];
  readonly domain: string | undefined;
  readonly conductor: Conductor;
  readonly ledger: Ledger;
  readonly slots: Slots;
  /** Asked how many more tasks are worth having. */
  readonly lanes: Pick<Lanes, 'room' | 'untilRoom'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Resolves when tasks may be taken, or when the signal is aborted. */
  readonly untilReady: (signal: AbortSignal) => Promise<void>;
  /** A poll's answer was lost: Conductor may have handed tasks to this incarnation that it knows nothing of. */
  readonly onPollLost: (incarnation: string) => void;
  /** Every task that came, before it runs. */
  readonly onTask: (task: PolledTask) => void;
}

export interface TaskLoop {
  start(): void;
  /** Whether the last poll of every type was answered; undefined before the first answer. */
  conductorAnswers(): boolean | undefined;
  /** Outcomes that Conductor did not take at once. */
  outcomesWaiting(): number;
  /** Tasks polled by an incarnation that was declared dead: others have them now. */
  abandon(incarnation: string): void;
  /**
   * No new polls; open ones are awaited, never cut, for a task in an answer that nobody reads would be lost. What runs
   * may end within `drainMs`; everything else goes back to Conductor. Resolves to whether every task was handed over.
   */
  stop(drainMs: number): Promise<boolean>;
}

/** How long handing back may take once the drain time is over. */
const HAND_BACK_MS = 5_000;

/** Polls each task type and runs what comes: the worker's heart. */
export function createTaskLoop(parts: TaskLoopParts): TaskLoop {
  const { conductor, ledger, slots, lanes, metrics, log } = parts;
  const stopping = new AbortController();
  /** Loops that poll, and tasks whose owner is being settled. */
  const loops = new Set<Promise<void>>();
  /** Polls that are open, by their queue, and tasks whose owner is being settled, by their id: under which name. */
  const unsettled = new Map<string, string>();
  const answered = new Map<string, boolean>();
  /** Types whose last poll brought tasks. */
  const busy = new Set<string>();
  const backlog = createBacklog();
  const held = createHeldTasks({ conductor, ledger, backlog, metrics, log });

  async function pollForever(served: TaskLoopParts['served'][number]): Promise<void> {
    const { queue } = served;
    const backOff = createBackOff();
    const pace = createPollPace();
    const idle = createBackOff(20, 1_000);
    for (;;) {
      await parts.untilReady(stopping.signal);
      await backlog.untilRoom(stopping.signal);
      await lanes.untilRoom(stopping.signal);
      const count = await slots.reserve((free) => wanted(queue, free), stopping.signal);
      if (stopping.signal.aborted) return slots.release(count);
      // While it waited for a slot others filled the lanes.
      if (count === 0) continue;
      const waitMs = pace.waitMs(count);
      const startedAt = performance.now();
      const { incarnation } = ledger;
      let polled: unknown[];
      unsettled.set(queue, incarnation);
      try {
        polled = await conductor.poll({ queue, count, waitMs, workerId: incarnation, domain: parts.domain });
      } catch (error) {
        unsettled.delete(queue);
        slots.release(count);
        busy.delete(queue);
        pace.failed();
        if (mayHaveBeenDone(error)) parts.onPollLost(incarnation);
        if (answered.get(queue) !== false) {
          log.warn({ queue, reason: messageOf(error) }, 'Conductor cannot be polled; trying again');
        }
        answered.set(queue, false);
        await backOff.wait(stopping.signal);
        continue;
      }
      if (answered.get(queue) === false) log.info({ queue }, 'Conductor answers polls again');
      answered.set(queue, true);
      backOff.reset();
      pace.observe({ asked: count, came: polled.length, waitMs, tookMs: performance.now() - startedAt });
      if (polled.length > 0) busy.add(queue);
      else busy.delete(queue);
      const { tasks, again } = readTasks(polled, queue);
      slots.release(count - tasks.length);
      if (tasks.length > 0) await take(tasks, incarnation, served);
      for (const task of again) await takeAgain(task, incarnation);
      unsettled.delete(queue);
      // A queue that is empty holds the poll; what answers at once with nothing would be asked without pause.
      if (polled.length === 0 && performance.now() - startedAt < waitMs / 2) await idle.wait(stopping.signal);
      else idle.reset();
    }
  }

  /** An idle type keeps one place reserved; the busy ones share the others. */
  function wanted(queue: string, free: number): number {
    const share = busy.has(queue) ? Math.ceil(free / busy.size) : 1;
    return Math.min(share, backlog.room(), lanes.room());
  }

  /** `again`: what runs here already, or came twice. Conductor's queues may deliver twice, and a second run would write over the first. */
  function readTasks(polled: readonly unknown[], queue: string): Record<'tasks' | 'again', PolledTask[]> {
    const read = polled.map(readPolledTask).filter((task) => task !== undefined);
    if (read.length < polled.length) log.error({ queue }, 'Conductor sent something that is no task');
    const [tasks, again]: [PolledTask[], PolledTask[]] = [[], []];
    for (const task of read) {
      const { taskId } = task;
      const isTwice = held.runOf(taskId) !== undefined || tasks.some((other) => other.taskId === taskId);
      if (isTwice) log.warn({ taskId }, 'Conductor sent a task that is held already');
      (isTwice ? again : tasks).push(task);
    }
    return { tasks, again };
  }

  /**
   * The run goes on as the later poll's, and under its claim. Where the run is of a name that is dead, nothing it sends
   * but an answer goes out, and somebody else must see to the later poll: it is left for those who look for lost tasks.
   */
  async function takeAgain(task: PolledTask, incarnation: string): Promise<void> {
    const run = held.runOf(task.taskId);
    if (run !== undefined && run.task.pollCount >= task.pollCount) return;
    if (run?.incarnation !== incarnation) return parts.onPollLost(incarnation);
    // Before anything is awaited: what the run sends from now on needs the claim that is written next.
    run.task.pollCount = task.pollCount;
    const [claim] = await ledger.claim(incarnation, [task]).catch(() => []);
    if (claim?.kind !== 'ours') parts.onPollLost(incarnation);
  }

  /** Every task is claimed before it is run, so that nobody gives it back under us and somebody does when we die. */
  async function take(
    tasks: readonly PolledTask[],
    incarnation: string,
    { type, handler }: TaskLoopParts['served'][number],
  ): Promise<void> {
    const claims = await ledger.claim(incarnation, tasks).catch((error: unknown) => {
      log.warn({ reason: messageOf(error), tasks: tasks.length }, 'Redis did not take the claims of tasks');
      return undefined;
    });
    for (const task of tasks) parts.onTask(task);
    if (claims === undefined && ledger.incarnation !== incarnation) {
      // Declared dead: they may have been given back by now, and run elsewhere. Without a claim nothing we sent would be fenced.
      slots.release(tasks.length);
      parts.onPollLost(incarnation);
      return;
    }
    for (const [index, task] of tasks.entries()) {
      const claim: ClaimAnswer | undefined = claims?.[index];
      const freeSlot = (): void => slots.release(1);
      const ticket = claim?.kind === 'ours' ? claim.ticket : undefined;
      const arrival = { task, incarnation, type, handler, ticket, claimed: claim !== undefined, freeSlot };
      if (claim?.kind !== 'taken') held.run(arrival);
      else track(settleDispute(task, incarnation, () => held.run(arrival)).catch(freeSlot));
    }
  }

  function track(work: Promise<void>): void {
    const tracked = work.finally(() => loops.delete(tracked));
    loops.add(tracked);
  }

  async function untilNoLoop(): Promise<void> {
    while (loops.size > 0) await Promise.all(loops);
  }

  /** The ledger says that somebody else has it. Conductor knows who polled last: where it was us, the task is ours. */
  async function settleDispute(task: PolledTask, incarnation: string, run: () => void): Promise<void> {
    const { taskId } = task;
    unsettled.set(taskId, incarnation);
    try {
      const state = await conductor.taskState(taskId);
      const isOurs =
        state?.status === 'IN_PROGRESS' && state.workerId === incarnation && state.pollCount === task.pollCount;
      if (!isOurs) throw new Error('Conductor gave it to somebody else since');
      await ledger.claimByForce(incarnation, task);
    } catch (error) {
      log.warn({ taskId, reason: messageOf(error) }, 'A task that came is claimed by another worker, and left to it');
      parts.onPollLost(incarnation);
      throw error;
    } finally {
      unsettled.delete(taskId);
    }
    run();
  }

  return {
    start() {
      for (const served of parts.served) {
        track(pollForever(served));
      }
    },
    conductorAnswers() {
      if (answered.size === 0) return undefined;
      return [...answered.values()].every(Boolean);
    },
    outcomesWaiting: () => backlog.waiting,
    abandon: (incarnation) => held.abandon(incarnation),
    async stop(drainMs) {
      stopping.abort(new Error('the worker is stopping'));
      held.stopWaiting();
      const mustEnd = Promise.withResolvers<undefined>();
      const breakOffTimer = setTimeout(held.breakOff, drainMs);
      const giveUpTimer = setTimeout(() => {
        held.giveUp();
        mustEnd.resolve(undefined);
      }, drainMs + HAND_BACK_MS);
      try {
        // A poll that was open brings its tasks when it is answered: only then are all runs known.
        const ended = untilNoLoop().then(() => held.untilNone());
        // Not even a Conductor that takes calls and never answers holds the process for longer.
        const handedOver = await Promise.race([ended, mustEnd.promise]);
        if (handedOver === undefined) {
          log.error({ tasksHeld: held.size }, 'Conductor does not answer: what is held is left to whoever takes over');
          // An open poll may yet be answered with tasks, to nobody.
          for (const incarnation of new Set(unsettled.values())) parts.onPollLost(incarnation);
        }
        return handedOver ?? false;
      } finally {
        clearTimeout(breakOffTimer);
        clearTimeout(giveUpTimer);
      }
    },
  };
}
