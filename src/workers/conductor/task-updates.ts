import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf, ServiceError } from '../../errors.ts';
import type { Backlog } from '../backlog.ts';
import type { ClaimOfTask, Ledger } from '../ledger/ledger.ts';
import { createBackOff } from './back-off.ts';
import { type Conductor, ConductorRefusal, mayHaveBeenDone, type TaskState } from './conductor.ts';
import { startHeartbeats } from './heartbeats.ts';
import { inputHash } from './input-hash.ts';
import { type Outcome, toTaskResult } from './outcome.ts';
import { sleepAtLeast } from './poll-timeout.ts';
import type { PolledTask } from './polled-task.ts';

/** How long after a write of unknown fate Conductor is asked what became of it: a slow one may still be at it. */
const LOOK_AGAIN_MS = 5_000;
/** An answer that Conductor has not confirmed by then is kept in Redis, too. */
const KEEP_AFTER_MS = 250;
/** A task that was over when its answer came may be tried again under a new id: its answer is kept for the retry delay and this. */
const KEPT_FOR_RETRY_SECONDS = 600;
/** Conductor's own refusals of one outcome, while it takes as many others, after which it is told something simpler. */
const REFUSALS_AT_MOST = 20;

export interface TaskUpdatesParts {
  readonly conductor: Conductor;
  readonly ledger: Ledger;
  /** The incarnation that polled the task. */
  readonly workerId: string;
  readonly log: Logger;
  /** Aborted when the worker stops: answers that are not confirmed are kept at once. */
  readonly stopping: AbortSignal;
  /** Aborted when the worker must end: what is not confirmed by then is left to whoever takes over. */
  readonly giveUp: AbortSignal;
  /** False for a task whose claim could not be written: Conductor is asked for it in its place. */
  readonly claimed: boolean;
  /** Where outcomes are counted that Conductor did not take at once. */
  readonly backlog: Backlog;
  /** Counts outcomes that Conductor took, of all tasks. */
  readonly accepted: { count: number };
  /** Default 5 s. */
  readonly lookAgainMs?: number;
}

/** Everything this worker writes about one task, one write at a time. */
export interface TaskUpdates {
  /** Sends the outcome until Conductor has it. True when Conductor confirmed or the task is no longer ours to end. */
  finish(outcome: Outcome): Promise<boolean>;
}

/**
 * Conductor's extendLease reads and rewrites the whole task without a lock (WorkflowExecutorOps.extendLease): one that
 * overlaps a completion can restore IN_PROGRESS and lose the answer. So a heartbeat's reply is awaited before any
 * outcome; if it stays unknown, the outcome is sent, and a look five seconds later tells whether to send it again.
 * Conductor ignores who writes: FAILED and give-backs go out only while the ledger says that the task is ours.
 */
export function startUpdates(task: PolledTask, parts: TaskUpdatesParts): TaskUpdates {
  const { conductor, ledger, workerId, log, giveUp, accepted, lookAgainMs = LOOK_AGAIN_MS } = parts;
  const claim: ClaimOfTask = task;
  const named = { taskId: task.taskId, workflowId: task.workflowInstanceId };
  const heartbeats = startHeartbeats(task, {
    ...{ conductor, workerId, log },
    stillOurs: async () => (await isOursByLedger()) !== false,
  });
  let kept = false;
  let keeping: Promise<void> | undefined;
  let leaveBacklog: (() => void) | undefined;

  /** Undefined where there is no claim, or Redis does not say, as far as this worker was not declared dead. */
  async function isOursByLedger(): Promise<boolean | undefined> {
    if (parts.claimed) {
      try {
        return await ledger.stillOurs(workerId, claim);
      } catch {
        // It may be away from us alone.
      }
    }
    return ledger.incarnation === workerId ? undefined : false;
  }

  /** Before FAILED and give-backs. What no claim fences, others may run by now: Conductor shows it. Undefined: the worker must end first. */
  async function stillOurs(): Promise<boolean | undefined> {
    return (await isOursByLedger()) ?? (await isAsPolled());
  }

  /** Released under a name that was declared dead, a poll would look seen to, although nobody has taken it over yet. */
  function release(): void {
    if (ledger.incarnation === workerId) ledger.release(workerId, claim);
  }

  return {
    async finish(outcome) {
      await heartbeats.stop();
      try {
        const isOurs = outcome.kind === 'complete' || (await stillOurs());
        if (isOurs === undefined) return false;
        if (!isOurs) {
          log.debug(named, 'A task that somebody else took over is left to them');
          release();
          return true;
        }
        if (outcome.kind === 'complete' && heartbeats.missed) await keep(outcome);
        if (!(await send(outcome))) {
          await keeping;
          return false;
        }
        await keeping;
        if (heartbeats.fateUnknown || kept) await makeSure(outcome);
        release();
        return true;
      } finally {
        leaveBacklog?.();
      }
    },
  };

  async function send(outcome: Outcome): Promise<boolean> {
    const backOff = createBackOff(200, 10_000);
    const acceptedAtFirst = accepted.count;
    let sending = outcome;
    for (let attempt = 1; ; attempt += 1) {
      // Others may have taken it over since the first attempt.
      const isOurs = attempt === 1 || sending.kind === 'complete' || (await stillOurs());
      if (isOurs !== true) return isOurs === false;
      try {
        const result = toTaskResult(task, workerId, aliveAsleep(sending));
        await keptIfLate(sending, conductor.update(result, undefined, giveUp));
        accepted.count += 1;
        if (backOff.failures > 0) log.info(named, 'Conductor took the outcome of a task after all');
        return true;
      } catch (error) {
        const refused = error instanceof ConductorRefusal ? error : undefined;
        if (refused?.status === 404 && !refused.worthRepeating) {
          log.debug(named, 'Conductor no longer has a task whose outcome is known');
          return true;
        }
        const isPoison =
          refused?.isConductors === true &&
          backOff.failures >= REFUSALS_AT_MOST &&
          accepted.count - acceptedAtFirst >= REFUSALS_AT_MOST;
        if (refused !== undefined && (!refused.worthRepeating || isPoison)) {
          if (sending !== outcome || outcome.kind === 'give-back') {
            log.error(
              { ...named, status: refused.status, reason: refused.message },
              'Conductor refuses the outcome of a task',
            );
            return true;
          }
          sending = refusedResult(refused.status);
          backOff.reset();
          continue;
        }
        if (backOff.failures === 0) {
          log.warn(
            { ...named, reason: messageOf(error) },
            'Conductor did not take the outcome of a task; trying again',
          );
        }
        if (sending.kind === 'complete') await keep(sending);
        leaveBacklog ??= parts.backlog.enter(0);
        if (sending.kind === 'give-back' && mayHaveBeenDone(error)) await pause();
        await backOff.wait(giveUp);
        // One that did arrive may have put the task into other hands: repeated, it would take it out of them.
        if (sending.kind === 'give-back' && (await isAsPolled()) === false) return true;
        if (giveUp.aborted) {
          log.error(named, 'The outcome of a task could not be handed to Conductor before the worker had to end');
          return false;
        }
      }
    }
  }

  /** What goes back after a long wait sleeps for so long that its poll timeout does not end it. */
  function aliveAsleep(sending: Outcome): Outcome {
    if (sending.kind !== 'give-back') return sending;
    return { ...sending, afterSeconds: Math.max(sending.afterSeconds, sleepAtLeast(task) / 1_000) };
  }

  /** Whether Conductor shows the task as it was polled: asked until it says so. Undefined where the worker must end first. */
  async function isAsPolled(): Promise<boolean | undefined> {
    const backOff = createBackOff(200, 10_000);
    while (!giveUp.aborted) {
      try {
        return isOursIn(await conductor.taskState(task.taskId, giveUp));
      } catch (error) {
        log.debug({ ...named, reason: messageOf(error) }, 'Conductor cannot be asked whose a task is');
        leaveBacklog ??= parts.backlog.enter(0);
        await backOff.wait(giveUp);
      }
    }
    return undefined;
  }

  async function pause(): Promise<void> {
    await sleep(lookAgainMs, undefined, { signal: giveUp }).catch(() => undefined);
  }

  function isOursIn(state: TaskState | undefined): boolean {
    return state?.status === 'IN_PROGRESS' && state.workerId === workerId && state.pollCount === task.pollCount;
  }

  async function keptIfLate(outcome: Outcome, update: Promise<void>): Promise<void> {
    if (outcome.kind !== 'complete' || kept) return await update;
    const late = (): void => void keep(outcome);
    const timer = setTimeout(late, KEEP_AFTER_MS);
    parts.stopping.addEventListener('abort', late, { once: true });
    try {
      await update;
    } finally {
      clearTimeout(timer);
      parts.stopping.removeEventListener('abort', late);
    }
  }

  async function keep({ output }: Outcome & { kind: 'complete' }): Promise<void> {
    if (kept) return;
    kept = true;
    const answer = {
      inputHash: inputHash(task.input),
      result: { status: 'COMPLETED', outputData: { ...output } },
    } as const;
    leaveBacklog ??= parts.backlog.enter(Buffer.byteLength(JSON.stringify(output)));
    keeping = ledger.keepAnswer(task.taskId, answer).catch((error: unknown) => {
      kept = false;
      log.debug({ ...named, reason: messageOf(error) }, 'An answer could not be kept in Redis');
    });
    await keeping;
  }

  /** An update of a task that is over is answered with success and ignored; one may have been undone by a heartbeat. */
  async function makeSure(outcome: Outcome): Promise<void> {
    while (!giveUp.aborted) {
      if (heartbeats.fateUnknown) await pause();
      try {
        const state = await conductor.taskState(task.taskId, giveUp);
        const wasUndone = heartbeats.fateUnknown && isOursIn(state);
        if (wasUndone) {
          log.warn(named, 'A late heartbeat undid the outcome of a task; sending it again');
          await send(outcome);
        }
        const hasIt = wasUndone || state?.status === 'COMPLETED';
        if (kept) ledger.answerDelivered(task.taskId, hasIt ? 0 : task.retryDelaySeconds + KEPT_FOR_RETRY_SECONDS);
        return;
      } catch (error) {
        log.warn(
          { ...named, reason: messageOf(error) },
          'Conductor cannot be asked whether the outcome of a task holds',
        );
        await pause();
      }
    }
  }
}

/** In place of a result that Conductor will not take, a small one that says so: silence would leave the task for ever. */
function refusedResult(status: number): Outcome {
  const message = `Conductor refused this task's result with status ${status}${status === 413 ? ' (it is too large)' : ''}`;
  return { kind: 'fail', error: new ServiceError('RESULT_REFUSED', message) };
}
