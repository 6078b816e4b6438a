import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskResult } from '@io-orkes/conductor-javascript';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { messageOf, ServiceError } from '../../errors.ts';
import { createBackOff } from '../conductor/back-off.ts';
import { type Conductor, ConductorRefusal, mayHaveBeenDone } from '../conductor/conductor.ts';
import { toTaskResult } from '../conductor/outcome.ts';
import { sleepAtLeast } from '../conductor/poll-timeout.ts';
import type { HeldTask, KeptAnswer, Ledger } from './ledger.ts';

/** A write that was perhaps done. */
class FateUnknown extends Error {
  override readonly name = 'FateUnknown';
}

export interface RescueParts {
  readonly conductor: Pick<Conductor, 'update' | 'taskState'>;
  readonly ledger: Pick<Ledger, 'incarnation' | 'stillOurs' | 'release' | 'answerOf' | 'answerDelivered'>;
  readonly log: Logger;
  /** Aborted when the worker must end: what is not done by then is taken over by another. */
  readonly giveUp: AbortSignal;
  /** How long after a write of unknown fate Conductor is asked what became of it. Default 5 s. */
  readonly lookAgainMs?: number;
}

export interface Rescue {
  /** In the background; for tasks that are this worker's by the ledger, but not by Conductor. */
  rescue(tasks: readonly HeldTask[]): void;
  /** Tasks that are not done. */
  readonly waiting: number;
  /** Resolves when nothing is under way: everything is done, or given up. */
  idle(): Promise<void>;
}

const AT_ONCE = 8;
const LOOK_AGAIN_MS = 5_000;
/** For a retry under a new task id: ten minutes after a usual delay before it. */
const ANSWER_KEPT_SECONDS = 1_200;

/**
 * What becomes of tasks that were taken over: an answer that is kept goes to Conductor; of the others each that Conductor
 * still shows as it was polled goes back into its queue. Conductor heeds neither worker nor poll of an update
 * (WorkflowExecutorOps.updateTask): so before each write the claim must be ours, and a write whose answer was lost is not
 * repeated before a look has shown that it was not done.
 */
export function createRescue({ conductor, ledger, log, giveUp, lookAgainMs }: RescueParts): Rescue {
  const limit = pLimit(AT_ONCE);
  const underWay = new Set<Promise<void>>();

  /** A place among those at work is held by one attempt, never by its waits: a task that fails again and again delays no other. */
  async function rescueOne(incarnation: string, task: HeldTask): Promise<void> {
    const named = log.child({ taskId: task.taskId, workflowId: task.workflowInstanceId, polledBy: task.polledBy });
    const backOff = createBackOff();
    while (!giveUp.aborted) {
      try {
        const done = await limit(() => attempt(incarnation, task));
        named.debug({ done }, 'A task that was taken over is dealt with');
        return;
      } catch (error) {
        if (giveUp.aborted) return;
        if (backOff.failures === 0) {
          named.warn({ reason: messageOf(error) }, 'A task that was taken over cannot be dealt with; trying again');
        }
        if (error instanceof FateUnknown) {
          await sleep(lookAgainMs ?? LOOK_AGAIN_MS, undefined, { signal: giveUp }).catch(() => undefined);
        }
        await backOff.wait(giveUp);
      }
    }
  }

  async function attempt(incarnation: string, task: HeldTask): Promise<string> {
    giveUp.throwIfAborted();
    if (!(await ledger.stillOurs(incarnation, task))) return 'it is another’s by now';
    const answer = await ledger.answerOf(task.taskId);
    const done = answer === undefined ? await giveBack(incarnation, task) : await deliver(task, answer);
    ledger.release(incarnation, task);
    return done;
  }

  async function write(result: TaskResult): Promise<void> {
    try {
      await conductor.update(result, undefined, giveUp);
    } catch (error) {
      if (!mayHaveBeenDone(error)) throw error;
      throw new FateUnknown(messageOf(error), { cause: error });
    }
  }

  /** The answer may be sent again and again: what is over stays as it is. */
  async function deliver(task: HeldTask, answer: KeptAnswer): Promise<string> {
    const identity = { taskId: task.taskId, workflowInstanceId: task.workflowInstanceId, workerId: task.polledBy };
    try {
      await write({ ...identity, ...answer.result });
    } catch (error) {
      if (!(error instanceof ConductorRefusal) || error.worthRepeating) throw error;
      if (error.status !== 404) await sayRefused(task, error);
    }
    const state = await conductor.taskState(task.taskId, giveUp);
    if (state?.status === 'IN_PROGRESS') throw new Error('Conductor took an answer, and the task is still in progress');
    ledger.answerDelivered(task.taskId, state?.status === 'COMPLETED' ? 0 : ANSWER_KEPT_SECONDS);
    return 'its answer is delivered';
  }

  /** In place of an answer that Conductor will never take. */
  async function sayRefused(task: HeldTask, refusal: ConductorRefusal): Promise<void> {
    const error = new ServiceError('RESULT_REFUSED', `Conductor refused this task's result: ${refusal.message}`);
    try {
      await write(toTaskResult(task, task.polledBy, { kind: 'fail', error }));
    } catch (error) {
      if (!(error instanceof ConductorRefusal) || error.worthRepeating) throw error;
      log.error({ taskId: task.taskId, status: error.status }, 'Conductor refuses the outcome of a task');
    }
  }

  async function giveBack(incarnation: string, task: HeldTask): Promise<string> {
    const state = await conductor.taskState(task.taskId, giveUp);
    const isAsPolled =
      state?.status === 'IN_PROGRESS' && state.workerId === task.polledBy && state.pollCount === task.pollCount;
    if (!isAsPolled) return 'Conductor has gone on without it';
    const { pollTimeoutMs = 0, scheduledAt = Date.now() } = state;
    const afterSeconds = Math.max(1, sleepAtLeast({ pollTimeoutMs, scheduledAt }) / 1_000);
    // The look may have taken its time.
    if (!(await ledger.stillOurs(incarnation, task))) return 'it is another’s by now';
    try {
      // Under the name that polled it: should only a part of it be written, a look still finds the task as it was.
      await write(toTaskResult(task, task.polledBy, { kind: 'give-back', afterSeconds }));
    } catch (error) {
      if (!(error instanceof ConductorRefusal) || error.worthRepeating) throw error;
      if (error.status !== 404)
        log.error({ taskId: task.taskId, status: error.status }, 'Conductor takes no task back');
    }
    return 'it is given back';
  }

  return {
    rescue(tasks) {
      // A name that dies meanwhile holds nothing; what its successor takes over is handed in again.
      const incarnation = ledger.incarnation;
      for (const task of tasks) {
        const work: Promise<void> = rescueOne(incarnation, task).finally(() => underWay.delete(work));
        underWay.add(work);
      }
    },
    get waiting() {
      return underWay.size;
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
