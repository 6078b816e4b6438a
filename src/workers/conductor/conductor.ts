import type { TaskResult } from '@io-orkes/conductor-javascript';
import { Pool } from 'undici';
import { z } from 'zod';
import { AnswerLate, exchange, type HttpRequest } from '../../http-exchange.ts';
import type { ConductorSession } from './session.ts';

/** Conductor answered with something else than success. */
export class ConductorRefusal extends Error {
  override readonly name = 'ConductorRefusal';
  readonly status: number;
  /** False where something else answered in its place, such as a gateway with a page of its own. */
  readonly isConductors: boolean;
  constructor(operation: string, status: number, body: string) {
    const said = wordsOf(body);
    super(`Conductor answered ${status} to ${operation}${said === undefined ? '' : `: ${said}`}`);
    this.isConductors = said !== undefined;
    this.status = status;
  }

  /** False for what will never be accepted: trying again is pointless. */
  get worthRepeating(): boolean {
    return mayBeAcceptedLater(this.status) || (this.status === 404 && !this.isConductors);
  }
}

/** The message of Conductor's own error form; never other text, which may repeat what was sent. */
function wordsOf(body: string): string | undefined {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === 'string' ? message.slice(0, 300) : undefined;
  } catch {
    return undefined;
  }
}

/** A server's fault, a redirection to nowhere, authentication that is renewed, a limit that passes. */
export function mayBeAcceptedLater(status: number): boolean {
  return status >= 500 || (status >= 300 && status < 400) || [401, 403, 408, 425, 429].includes(status);
}

/** Of a connection that never came to be: nothing was sent. */
const NOT_SENT: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Whether a call that failed may have been done all the same: the connection may have been lost after the deed, and any
 * answer of a server's fault, or of a gateway in its place, may come after it.
 */
export function mayHaveBeenDone(error: unknown): boolean {
  if (error instanceof ConductorRefusal) return error.status >= 500 || error.status === 408;
  return !NOT_SENT.has((error as NodeJS.ErrnoException | undefined)?.code);
}

export interface PollRequest {
  readonly queue: string;
  readonly count: number;
  /** Conductor holds an empty poll this long; at most 5000 (ExecutionService.MAX_POLL_TIMEOUT_MS). */
  readonly waitMs: number;
  readonly workerId: string;
  readonly domain: string | undefined;
}

/** What Conductor knows of a task now. */
export interface TaskState {
  readonly status: string;
  readonly workerId: string | undefined;
  readonly pollCount: number;
  /** See `poll-timeout.ts`; undefined where Conductor does not say. */
  readonly pollTimeoutMs?: number | undefined;
  readonly scheduledAt?: number | undefined;
}

/** A task as its workflow shows it. */
export interface WorkflowTaskState extends TaskState {
  readonly taskId: string;
  /** The queue it is polled from. */
  readonly taskType: string;
}

export interface WorkflowDefinition {
  readonly name: string;
  /** To be read by `tasksIn`. */
  readonly tasks: unknown;
}

export interface WorkflowOrigin {
  readonly createdBy: string | undefined;
  readonly ownerEmail: string | undefined;
}

/** The few calls a worker makes. Each rejects with ConductorRefusal, or with undici's error when there was no answer. */
export interface Conductor {
  poll(request: PollRequest): Promise<unknown[]>;
  /** Gives up after `withinMs` (default 30 s), or when the signal is aborted. */
  update(result: TaskResult, withinMs?: number, signal?: AbortSignal): Promise<void>;
  /** Undefined where Conductor has no such task (any more). */
  taskState(taskId: string, signal?: AbortSignal): Promise<TaskState | undefined>;
  workflowOrigin(workflowId: string): Promise<WorkflowOrigin>;
  /** Every version of every workflow. */
  workflowDefinitions(signal?: AbortSignal): Promise<readonly WorkflowDefinition[]>;
  /** Ids of the workflows of that name, of any version, that have not ended. */
  runningWorkflows(name: string, signal?: AbortSignal): Promise<readonly string[]>;
  /** The tasks of a workflow; none where Conductor has no such workflow (any more). */
  workflowTasks(workflowId: string, signal?: AbortSignal): Promise<readonly WorkflowTaskState[]>;
  close(): Promise<void>;
}

/** Sockets at most; beyond that calls queue. */
const CONNECTIONS = 128;
const ANSWER_TIMEOUT_MS = 30_000;
/**
 * Conductor's own bound for a task's output (conductor.app.maxTaskOutputPayloadSizeThreshold, 10240 KB). Beyond 20 MB its
 * JSON reader answers 500 for ever, so that a larger result is not even tried.
 */
const RESULT_BYTES_AT_MOST = 10 * 1024 * 1024;

const definition = z.object({ pollTimeoutSeconds: z.number().nullish() }).nullish();
const taskState = z.object({
  status: z.string(),
  workerId: z.string().nullish(),
  pollCount: z.number().nullish(),
  scheduledTime: z.number().nullish(),
  taskDefinition: definition,
  workflowTask: z.object({ taskDefinition: definition }).nullish(),
});
const workflowTasks = z.object({
  tasks: z.array(taskState.extend({ taskId: z.string(), taskType: z.string().nullish() })).nullish(),
});
const workflowDefinitions = z.array(z.looseObject({ name: z.string(), tasks: z.unknown() }));
const workflow = z.object({
  createdBy: z.string().nullish(),
  workflowDefinition: z.object({ ownerEmail: z.string().nullish() }).nullish(),
});

export function createConductor({ apiUrl, session }: { apiUrl: string; session: ConductorSession }): Conductor {
  const { origin, pathname } = new URL(apiUrl);
  // Every call has a deadline of its own.
  const limits = { connect: { timeout: 10_000 }, headersTimeout: 0, bodyTimeout: 0 };
  const pool = new Pool(origin, { connections: CONNECTIONS, ...limits });

  async function request(operation: string, call: Omit<HttpRequest, 'headers'>): Promise<string> {
    const startedAt = performance.now();
    const authentication = await session.headers();
    const timeoutMs = call.timeoutMs - (performance.now() - startedAt);
    // Waiting for a token counts: what is too late by then is not sent.
    if (timeoutMs <= 0) throw new AnswerLate(call.timeoutMs);
    const headers: Record<string, string> = { accept: 'application/json', ...authentication };
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    const { status, text } = await exchange(pool, { ...call, path: `${pathname}${call.path}`, headers, timeoutMs });
    if (status === 401 || status === 403) session.renew();
    if (status >= 300) throw new ConductorRefusal(operation, status, text);
    return text;
  }

  async function read(operation: string, path: string, signal?: AbortSignal): Promise<unknown> {
    const text = await request(operation, { method: 'GET', path, timeoutMs: ANSWER_TIMEOUT_MS, signal });
    // 204: nothing there.
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch {
      // V8's own words repeat a piece of the text, which may be of a task's input.
      throw new Error(`the answer to ${operation} is no JSON; is it a Conductor?`);
    }
  }

  /** Undefined for what Conductor itself, and nobody in its place, says it does not know: by 404, older servers by 204. */
  async function readIfThere<T>(
    operation: string,
    path: string,
    schema: z.ZodType<T>,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    try {
      const found = await read(operation, path, signal);
      return found === undefined ? undefined : schema.parse(found);
    } catch (error) {
      if (error instanceof ConductorRefusal && error.status === 404 && error.isConductors) return undefined;
      throw error;
    }
  }

  return {
    async poll({ queue, count, waitMs, workerId, domain }) {
      const ours = `workerid=${encodeURIComponent(workerId)}${domain === undefined ? '' : `&domain=${encodeURIComponent(domain)}`}`;
      const path = `/tasks/poll/batch/${encodeURIComponent(queue)}?count=${count}&timeout=${waitMs}&${ours}`;
      const tasks = await read('a poll', path);
      if (tasks !== undefined && !Array.isArray(tasks))
        throw new Error('the answer to a poll is no list of tasks; is it a Conductor?');
      return tasks ?? [];
    },
    async update(result, withinMs = ANSWER_TIMEOUT_MS, giveUp) {
      const body = JSON.stringify(result);
      if (Buffer.byteLength(body) > RESULT_BYTES_AT_MOST) throw new ConductorRefusal('an update', 413, '');
      const timeoutMs = Math.max(1, Math.min(withinMs, ANSWER_TIMEOUT_MS));
      const answer = await request('an update', { method: 'POST', path: '/tasks', body, timeoutMs, signal: giveUp });
      // Conductor answers with the task's id; anything else is somebody else's page, and the update is not made.
      if (!answer.includes(result.taskId)) throw new Error("the answer to an update is not Conductor's");
    },
    async taskState(taskId, signal) {
      const path = `/tasks/${encodeURIComponent(taskId)}`;
      const found = await readIfThere('a look at a task', path, taskState, signal);
      return found === undefined ? undefined : stateOf(found);
    },
    async workflowOrigin(workflowId) {
      const path = `/workflow/${encodeURIComponent(workflowId)}?includeTasks=false`;
      const { createdBy, workflowDefinition } = workflow.parse(await read('a look at a workflow', path));
      return { createdBy: createdBy ?? undefined, ownerEmail: workflowDefinition?.ownerEmail ?? undefined };
    },
    async workflowDefinitions(signal) {
      return workflowDefinitions.parse(await read('a look at workflow definitions', '/metadata/workflow', signal));
    },
    async runningWorkflows(name, signal) {
      // It wants a version and heeds none (getRunningWorkflowIds of the servers' ExecutionDAOs).
      const path = `/workflow/running/${encodeURIComponent(name)}`;
      return (await readIfThere('a look at running workflows', path, z.array(z.string()), signal)) ?? [];
    },
    async workflowTasks(workflowId, signal) {
      const path = `/workflow/${encodeURIComponent(workflowId)}?includeTasks=true`;
      const found = await readIfThere('a look at the tasks of a workflow', path, workflowTasks, signal);
      return (found?.tasks ?? []).map((task) => ({
        taskId: task.taskId,
        taskType: task.taskType ?? '',
        ...stateOf(task),
      }));
    },
    // Whatever is still open has been given up by then.
    close: () => pool.destroy(),
  };
}

function stateOf({ status, workerId, pollCount, ...task }: z.infer<typeof taskState>): TaskState {
  const seconds = (task.taskDefinition ?? task.workflowTask?.taskDefinition)?.pollTimeoutSeconds;
  return {
    status,
    workerId: workerId ?? undefined,
    pollCount: pollCount ?? 0,
    pollTimeoutMs: seconds ? seconds * 1_000 : undefined,
    scheduledAt: task.scheduledTime || undefined,
  };
}
