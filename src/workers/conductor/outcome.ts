import type { TaskResult } from '@io-orkes/conductor-javascript';
import { errorData, type ServiceError } from '../../errors.ts';

/** How one run of a task ended. */
export type Outcome =
  | {
      readonly kind: 'complete';
      readonly output: Readonly<Record<string, unknown>>;
      readonly notes?: readonly string[];
    }
  | { readonly kind: 'fail'; readonly error: ServiceError; readonly notes?: readonly string[] }
  /** Back to Conductor's queue, unjudged: polled again after `afterSeconds`, at least 1 (see `toTaskResult`). */
  | { readonly kind: 'give-back'; readonly afterSeconds: number };

/** What names a task in every update. */
export interface TaskIdentity {
  readonly taskId: string;
  readonly workflowInstanceId: string;
}

/** Conductor cuts a reason at 500 characters (TaskResult.setReasonForIncompletion); the whole one is in the output. */
const REASON_LENGTH = 500;

/** What `reasonForIncompletion` holds of a message. */
export function reasonOf(message: string): string {
  return message.length <= REASON_LENGTH ? message : `${message.slice(0, REASON_LENGTH - 1)}…`;
}

/** The one place where an outcome becomes a Conductor status. */
export function toTaskResult(task: TaskIdentity, workerId: string, outcome: Outcome): TaskResult {
  const identity = { taskId: task.taskId, workflowInstanceId: task.workflowInstanceId, workerId };
  switch (outcome.kind) {
    case 'complete':
      return { ...identity, status: 'COMPLETED', outputData: { ...outcome.output }, ...logsOf(task, outcome.notes) };
    case 'fail': {
      const { error } = outcome;
      return {
        ...identity,
        status: error.retryable ? 'FAILED' : 'FAILED_WITH_TERMINAL_ERROR',
        reasonForIncompletion: reasonOf(error.message),
        outputData: { error: errorData(error) },
        ...logsOf(task, outcome.notes),
      };
    }
    case 'give-back':
      // Never below 1: Conductor queues the task before it writes SCHEDULED, and a poll in between would run it twice.
      return { ...identity, status: 'IN_PROGRESS', callbackAfterSeconds: wholeSeconds(outcome.afterSeconds) };
  }
}

/** From 1 to a day; what is no number is 1. */
function wholeSeconds(seconds: number): number {
  return Number.isNaN(seconds) ? 1 : Math.min(86_400, Math.max(1, Math.ceil(seconds)));
}

function logsOf(task: TaskIdentity, notes: readonly string[] = []): Pick<TaskResult, 'logs'> {
  if (notes.length === 0) return {};
  return { logs: notes.map((log) => ({ taskId: task.taskId, log, createdTime: Date.now() })) };
}
