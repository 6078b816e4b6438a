import type { TaskResult } from '@io-orkes/conductor-javascript';
import { type Dispatcher, Pool } from 'undici';
import { z } from 'zod';
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
  taskState(taskId: string): Promise<TaskState | undefined>;
  workflowOrigin(workflowId: string): Promise<WorkflowOrigin>;
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

const taskState = z.object({ status: z.string(), workerId: z.string().nullish(), pollCount: z.number().nullish() });
const workflow = z.object({
  createdBy: z.string().nullish(),
  workflowDefinition: z.object({ ownerEmail: z.string().nullish() }).nullish(),
});

export function createConductor({ apiUrl, session }: { apiUrl: string; session: ConductorSession }): Conductor {
  const { origin, pathname } = new URL(apiUrl);
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    connect: { timeout: 10_000 },
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
  });

  async function request(
    operation: string,
    method: Dispatcher.HttpMethod,
    path: string,
    body?: string,
    signal: AbortSignal = AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  ): Promise<string> {
    const authentication = await session.headers();
    const response = await pool.request({
      method,
      path: `${pathname}${path}`,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...authentication,
      },
      body: body ?? null,
      signal,
    });
    const text = await response.body.text();
    if (response.statusCode === 401 || response.statusCode === 403) session.renew();
    if (response.statusCode >= 300) throw new ConductorRefusal(operation, response.statusCode, text);
    return text;
  }

  async function read(operation: string, path: string): Promise<unknown> {
    const text = await request(operation, 'GET', path);
    // 204: nothing there.
    return text === '' ? undefined : JSON.parse(text);
  }

  return {
    async poll({ queue, count, waitMs, workerId, domain }) {
      const query = new URLSearchParams({ count: String(count), timeout: String(waitMs), workerid: workerId });
      if (domain !== undefined) query.set('domain', domain);
      const tasks = await read('a poll', `/tasks/poll/batch/${encodeURIComponent(queue)}?${query}`);
      if (tasks !== undefined && !Array.isArray(tasks))
        throw new Error('the answer to a poll is no list of tasks; is it a Conductor?');
      return tasks ?? [];
    },
    async update(result, withinMs = ANSWER_TIMEOUT_MS, giveUp) {
      const body = JSON.stringify(result);
      if (Buffer.byteLength(body) > RESULT_BYTES_AT_MOST) throw new ConductorRefusal('an update', 413, '');
      const late = AbortSignal.timeout(Math.max(1, Math.min(withinMs, ANSWER_TIMEOUT_MS)));
      const signal = giveUp === undefined ? late : AbortSignal.any([late, giveUp]);
      const answer = await request('an update', 'POST', '/tasks', body, signal);
      // Conductor answers with the task's id; anything else is somebody else's page, and the update is not made.
      if (!answer.includes(result.taskId)) throw new Error("the answer to an update is not Conductor's");
    },
    async taskState(taskId) {
      try {
        const state = taskState.parse(await read('a look at a task', `/tasks/${encodeURIComponent(taskId)}`));
        return { status: state.status, workerId: state.workerId ?? undefined, pollCount: state.pollCount ?? 0 };
      } catch (error) {
        if (error instanceof ConductorRefusal && error.status === 404 && error.isConductors) return undefined;
        throw error;
      }
    },
    async workflowOrigin(workflowId) {
      const path = `/workflow/${encodeURIComponent(workflowId)}?includeTasks=false`;
      const { createdBy, workflowDefinition } = workflow.parse(await read('a look at a workflow', path));
      return { createdBy: createdBy ?? undefined, ownerEmail: workflowDefinition?.ownerEmail ?? undefined };
    },
    // Whatever is still open has been given up by then.
    close: () => pool.destroy(),
  };
}
