import { z } from 'zod';
import { AccessToken } from './access-token.ts';

const definition = z
  .object({
    responseTimeoutSeconds: z.number().nullish(),
    timeoutSeconds: z.number().nullish(),
    totalTimeoutSeconds: z.number().nullish(),
    timeoutPolicy: z.string().nullish(),
    pollTimeoutSeconds: z.number().nullish(),
    retryDelaySeconds: z.number().nullish(),
  })
  .nullish();

/** Just the fields of Conductor's Task (conductor-common, `Task.java`) that a worker uses. */
const polledTask = z
  .object({
    taskId: z.string().min(1),
    workflowInstanceId: z.string().min(1),
    taskType: z.string().nullish(),
    taskDefName: z.string().nullish(),
    workflowType: z.string().nullish(),
    inputData: z.record(z.string(), z.unknown()).nullish(),
    externalInputPayloadStoragePath: z.string().nullish(),
    pollCount: z.number().nullish(),
    startTime: z.number().nullish().catch(undefined),
    scheduledTime: z.number().nullish().catch(undefined),
    retriedTaskId: z.string().nullish().catch(undefined),
    taskDefinition: definition,
    workflowTask: z.object({ name: z.string().nullish(), taskDefinition: definition }).nullish(),
  })
  .transform((task) => {
    const protection = task.taskDefinition ?? task.workflowTask?.taskDefinition;
    const remaining = remainingMs(protection, task);
    return {
      taskId: task.taskId,
      workflowInstanceId: task.workflowInstanceId,
      workflowType: task.workflowType ?? '',
      /** The name whose definition protects the task; its type is something else. */
      name: task.taskDefName ?? task.workflowTask?.name ?? task.taskType ?? '',
      ...withoutToken(task.inputData ?? {}),
      /** Conductor keeps a large input elsewhere; it is then not in `input`. */
      inputIsElsewhere: typeof task.externalInputPayloadStoragePath === 'string',
      pollCount: task.pollCount ?? 0,
      /** When Conductor first scheduled it, in milliseconds, by Conductor's clock; a task that was given back keeps it. */
      scheduledAt: task.scheduledTime || Date.now(),
      /** The task that this one is a retry of. */
      retriedTaskId: task.retriedTaskId ?? undefined,
      /**
       * Whether a definition protects the task. Conductor embeds a made-up one where its name is not registered, without
       * a response timeout: nothing would revive the task if its worker died (tried on 3.32.1).
       */
      hasDefinition: (protection?.responseTimeoutSeconds ?? 0) > 0,
      retryDelaySeconds: protection?.retryDelaySeconds ?? 60,
      /** How long it may stay SCHEDULED, in milliseconds, from its first scheduling; 0: for ever. */
      pollTimeoutMs: 1_000 * (protection?.pollTimeoutSeconds ?? 0),
      /**
       * How long Conductor waits for a sign of life, in milliseconds; 0: for ever. Read from the embedded definition: the
       * task's own field is 0 even where its name is registered with a timeout.
       */
      responseTimeoutMs: 1_000 * (protection?.responseTimeoutSeconds ?? 0),
      /**
       * What is left of the definition's `timeoutSeconds` and `totalTimeoutSeconds`, whichever is less, in milliseconds;
       * undefined where they end no task.
       */
      remainingMs: remaining,
      /** When that is over, by our own clock. */
      endsAt: remaining === undefined ? undefined : Date.now() + remaining,
    };
  });

/** A token is no input: nothing that holds, compares or logs inputs has it. Null, as Conductor gives for what is not there, is none. */
function withoutToken({ accessToken, ...input }: Readonly<Record<string, unknown>>): {
  input: Readonly<Record<string, unknown>>;
  accessToken: AccessToken | undefined;
} {
  const isThere = accessToken !== undefined && accessToken !== null;
  return { input, accessToken: isThere ? new AccessToken(accessToken) : undefined };
}

/**
 * `timeoutSeconds` count from a task's first poll, `totalTimeoutSeconds` from the first scheduling of its first try
 * (DeciderService.checkTaskTimeout, checkTotalTimeout). A polled task does not carry the latter (tried on 3.32.1: no
 * `firstScheduledTime`, and `firstStartTime` is 0): a retry counts from its own scheduling here, which gives it too much.
 */
function remainingMs(
  protection: z.infer<typeof definition>,
  { startTime, scheduledTime }: { startTime?: number | null | undefined; scheduledTime?: number | null | undefined },
): number | undefined {
  const { timeoutSeconds, totalTimeoutSeconds, timeoutPolicy } = protection ?? {};
  if (timeoutPolicy === 'ALERT_ONLY') return undefined;
  const left = Math.min(leftOf(timeoutSeconds, startTime), leftOf(totalTimeoutSeconds, scheduledTime));
  return left === Number.POSITIVE_INFINITY ? undefined : left;
}

/**
 * In milliseconds; infinite where there is no limit. Both moments are of Conductor's clock: one of ours that runs behind
 * must not give more than the whole, one that runs ahead ends a task early at the worst.
 */
function leftOf(seconds: number | null | undefined, since: number | null | undefined): number {
  if (!seconds || seconds < 0) return Number.POSITIVE_INFINITY;
  const passed = since ? Math.max(0, Date.now() - since) : 0;
  return Math.max(0, seconds * 1_000 - passed);
}

export type PolledTask = z.infer<typeof polledTask>;

/** Undefined for something that is no task: it cannot even be given back. */
export function readPolledTask(value: unknown): PolledTask | undefined {
  const read = polledTask.safeParse(value);
  return read.success ? read.data : undefined;
}
