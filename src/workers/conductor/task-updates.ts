import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskResult } from '@io-orkes/conductor-javascript';
import type { Logger } from 'pino';
import { messageOf, ServiceError } from '../../errors.ts';
import { createBackOff } from './back-off.ts';
import { type Conductor, ConductorRefusal } from './conductor.ts';
import { type Outcome, toTaskResult } from './outcome.ts';
import type { PolledTask } from './polled-task.ts';

/** A heartbeat goes out when this part of the response timeout has passed. */
const HEARTBEAT_AT = 0.7;
/** A heartbeat whose answer is later than this, or than the response timeout, is of unknown fate. */
const HEARTBEAT_ANSWER_MS = 5_000;
/** One that did not arrive is sent again after this part: what is left of the time must do for it. */
const HEARTBEAT_AGAIN_AT = 0.1;
/** Node runs a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** After an outcome that followed a heartbeat of unknown fate, Conductor is asked once whether it holds. */
const LOOK_AGAIN_MS = 5_000;

export interface TaskUpdatesParts {
  readonly conductor: Conductor;
  readonly workerId: string;
  readonly log: Logger;
  /** Aborted when the worker must end: what is not confirmed by then is lost to us, and Conductor's timeouts take over. */
  readonly giveUp: AbortSignal;
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
 */
export function startUpdates(task: PolledTask, { conductor, workerId, log, giveUp }: TaskUpdatesParts): TaskUpdates {
  const named = log.child({ taskId: task.taskId, workflowId: task.workflowInstanceId });
  let beating: Promise<void> | undefined;
  let fateUnknown = false;
  let lastBeatArrived = true;
  let timer: NodeJS.Timeout | undefined;

  function schedule(): void {
    if (task.responseTimeoutMs <= 0) return;
    timer = setTimeout(
      () => {
        beating = beat().finally(() => {
          beating = undefined;
          if (timer !== undefined) schedule();
        });
      },
      Math.min(task.responseTimeoutMs * (lastBeatArrived ? HEARTBEAT_AT : HEARTBEAT_AGAIN_AT), LONGEST_TIMER_MS),
    );
  }

  async function beat(): Promise<void> {
    const heartbeat: TaskResult = {
      taskId: task.taskId,
      workflowInstanceId: task.workflowInstanceId,
      workerId,
      status: 'IN_PROGRESS',
      extendLease: true,
    };
    try {
      await conductor.update(heartbeat, Math.max(task.responseTimeoutMs, HEARTBEAT_ANSWER_MS));
      lastBeatArrived = true;
    } catch (error) {
      lastBeatArrived = false;
      // A gateway that answers for Conductor knows no more than a lost connection.
      const isKnown = error instanceof ConductorRefusal && error.status < 500 && error.status !== 408;
      if (!isKnown) fateUnknown = true;
      named.warn({ reason: messageOf(error) }, 'A heartbeat did not reach Conductor');
    }
  }

  schedule();

  return {
    async finish(outcome) {
      clearTimeout(timer);
      timer = undefined;
      await beating;
      const confirmed = await send(outcome);
      if (!confirmed || !fateUnknown || giveUp.aborted) return confirmed;
      return await lookAgain(outcome);
    },
  };

  async function send(outcome: Outcome): Promise<boolean> {
    const backOff = createBackOff(200, 10_000);
    let sending = outcome;
    for (;;) {
      try {
        await conductor.update(toTaskResult(task, workerId, sending), undefined, giveUp);
        if (backOff.failures > 0) named.info('Conductor took the outcome of a task after all');
        return true;
      } catch (error) {
        if (error instanceof ConductorRefusal && !error.worthRepeating) {
          if (error.status === 404) {
            named.debug('Conductor no longer has a task whose outcome is known');
            return true;
          }
          if (sending !== outcome || outcome.kind === 'give-back') {
            named.error({ status: error.status, reason: error.message }, 'Conductor refuses the outcome of a task');
            return true;
          }
          sending = refusedResult(error.status);
          continue;
        }
        if (backOff.failures === 0) {
          named.warn({ reason: messageOf(error) }, 'Conductor did not take the outcome of a task; trying again');
        }
        await backOff.wait(giveUp);
        if (giveUp.aborted) {
          named.error('The outcome of a task could not be handed to Conductor before the worker had to end');
          return false;
        }
      }
    }
  }

  async function lookAgain(outcome: Outcome): Promise<boolean> {
    while (!giveUp.aborted) {
      await sleep(LOOK_AGAIN_MS, undefined, { signal: giveUp }).catch(() => undefined);
      try {
        const state = await conductor.taskState(task.taskId);
        const stillOurs =
          state?.status === 'IN_PROGRESS' && state.workerId === workerId && state.pollCount === task.pollCount;
        if (!stillOurs) return true;
        named.warn('A late heartbeat undid the outcome of a task; sending it again');
        return await send(outcome);
      } catch (error) {
        named.warn({ reason: messageOf(error) }, 'Conductor cannot be asked whether the outcome of a task holds');
      }
    }
    return true;
  }
}

/** In place of a result that Conductor will not take, a small one that says so: silence would leave the task for ever. */
function refusedResult(status: number): Outcome {
  const message = `Conductor refused this task's result with status ${status}${status === 413 ? ' (it is too large)' : ''}`;
  return { kind: 'fail', error: new ServiceError('RESULT_REFUSED', message) };
}
