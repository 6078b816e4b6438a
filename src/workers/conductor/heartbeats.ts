import type { TaskResult } from '@io-orkes/conductor-javascript';
import type { Logger } from 'pino';
import { messageOf } from '../../errors.ts';
import { type Conductor, ConductorRefusal, mayHaveBeenDone } from './conductor.ts';
import type { PolledTask } from './polled-task.ts';

/** A heartbeat goes out when this part of the response timeout has passed. */
const HEARTBEAT_AT = 0.7;
/** A heartbeat whose answer is later than this, or than the response timeout, is of unknown fate. */
const HEARTBEAT_ANSWER_MS = 5_000;
/** One that did not arrive is sent again after this part: what is left of the time must do for it. */
const HEARTBEAT_AGAIN_AT = 0.1;
/** Node runs a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface HeartbeatsParts {
  readonly conductor: Pick<Conductor, 'update'>;
  /** The incarnation that polled the task. */
  readonly workerId: string;
  /** A heartbeat writes the whole task: never one that somebody else has taken over. */
  readonly stillOurs: () => Promise<boolean>;
  readonly log: Logger;
}

/** Keeps Conductor from giving a task to somebody else while we work on it. */
export interface Heartbeats {
  /** No more of them; resolves when the last one's answer is there or given up. */
  stop(): Promise<void>;
  /** One did not reach Conductor: the task may have been given to somebody else. */
  readonly missed: boolean;
  /** One was sent and its answer is unknown: it may still arrive, and undo an outcome. */
  readonly fateUnknown: boolean;
}

export function startHeartbeats(
  task: PolledTask,
  { conductor, workerId, stillOurs, log }: HeartbeatsParts,
): Heartbeats {
  let beating: Promise<void> | undefined;
  let fateUnknown = false;
  let missed = false;
  let lastArrived = true;
  let timer: NodeJS.Timeout | undefined;

  function schedule(): void {
    if (task.responseTimeoutMs <= 0) return;
    timer = setTimeout(
      () => {
        beating = beat().then((goesOn) => {
          beating = undefined;
          if (goesOn && timer !== undefined) schedule();
        });
      },
      Math.min(task.responseTimeoutMs * (lastArrived ? HEARTBEAT_AT : HEARTBEAT_AGAIN_AT), LONGEST_TIMER_MS),
    );
  }

  async function beat(): Promise<boolean> {
    const heartbeat: TaskResult = {
      taskId: task.taskId,
      workflowInstanceId: task.workflowInstanceId,
      workerId,
      status: 'IN_PROGRESS',
      extendLease: true,
    };
    if (!(await stillOurs())) return false;
    try {
      await conductor.update(heartbeat, Math.max(task.responseTimeoutMs, HEARTBEAT_ANSWER_MS));
      lastArrived = true;
    } catch (error) {
      lastArrived = false;
      fateUnknown ||= mayHaveBeenDone(error);
      missed ||= !(error instanceof ConductorRefusal) || error.worthRepeating;
      const { taskId, workflowInstanceId: workflowId } = task;
      log.warn({ taskId, workflowId, reason: messageOf(error) }, 'A heartbeat did not reach Conductor');
    }
    return true;
  }

  schedule();
  return {
    async stop() {
      clearTimeout(timer);
      timer = undefined;
      await beating;
    },
    get missed() {
      return missed;
    },
    get fateUnknown() {
      return fateUnknown;
    },
  };
}
