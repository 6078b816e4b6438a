import { setTimeout as sleep } from 'node:timers/promises';

/** The fields of a task that tests and the quickstart look at. */
export interface TaskState {
  readonly taskId: string;
  readonly taskType: string;
  readonly taskDefName: string;
  readonly referenceTaskName: string;
  readonly status: string;
  readonly inputData: Record<string, unknown>;
  readonly outputData: Record<string, unknown>;
  readonly reasonForIncompletion?: string;
  readonly workerId?: string;
  readonly pollCount: number;
  readonly retryCount: number;
}

export interface WorkflowState {
  readonly workflowId: string;
  readonly status: 'RUNNING' | 'COMPLETED' | 'FAILED' | 'TIMED_OUT' | 'TERMINATED' | 'PAUSED';
  readonly output: Record<string, unknown>;
  readonly reasonForIncompletion?: string;
  readonly tasks: readonly TaskState[];
}

export interface WorkflowDefinition {
  readonly name: string;
  readonly tasks: readonly Record<string, unknown>[];
  readonly [field: string]: unknown;
}

export interface StartOptions {
  readonly correlationId?: string;
  /** Task reference name, type or `*` → domain. */
  readonly taskToDomain?: Record<string, string>;
}

export interface ConductorApi {
  /** Creates or replaces the definition; version 1, schema 2 and an owner are filled in. */
  readonly registerWorkflow: (definition: WorkflowDefinition) => Promise<void>;
  readonly registerTaskDef: (definition: { readonly name: string; readonly [field: string]: unknown }) => Promise<void>;
  /** Starts the newest version; answers the workflow's id. */
  readonly startWorkflow: (name: string, input?: object, options?: StartOptions) => Promise<string>;
  readonly getWorkflow: (workflowId: string) => Promise<WorkflowState>;
  /** Asks every 50 ms until `until` holds (default: it is over). @throws after `timeoutMs` (default 30,000), with the last state */
  readonly waitForWorkflow: (
    workflowId: string,
    until?: (workflow: WorkflowState) => boolean,
    timeoutMs?: number,
  ) => Promise<WorkflowState>;
  /** How many tasks of this type wait; those of a domain are in the queue `DOMAIN:TYPE`. */
  readonly queueSize: (taskType: string) => Promise<number>;
  /** Any other call: a path below `/api`, and its JSON answer (text where it is none). @throws for any status but 2xx */
  readonly call: (method: string, path: string, body?: unknown) => Promise<unknown>;
}

/** The little of a Conductor server's API that tests and the quickstart need; `url` with or without `/api`. */
export function conductorApi(url: string, headers: Record<string, string> = {}): ConductorApi {
  const base = `${url.replace(/\/+$/, '').replace(/\/api$/, '')}/api`;

  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { accept: 'application/json, text/plain', 'content-type': 'application/json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`Conductor answered ${response.status} to ${method} ${path}: ${text.slice(0, 500)}`);
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }

  const getWorkflow = async (workflowId: string) =>
    (await call('GET', `/workflow/${workflowId}?includeTasks=true`)) as WorkflowState;

  return {
    call,
    getWorkflow,
    registerWorkflow: async (definition) => {
      const defaults = { version: 1, schemaVersion: 2, ownerEmail: 'owner@example.com' };
      await call('PUT', '/metadata/workflow', [{ ...defaults, ...definition }]);
    },
    registerTaskDef: async (definition) => {
      await call('POST', '/metadata/taskdefs', [{ ownerEmail: 'owner@example.com', ...definition }]);
    },
    startWorkflow: async (name, input = {}, options = {}) =>
      String(await call('POST', '/workflow', { name, input, ...options })),
    waitForWorkflow: async (workflowId, until = ({ status }) => status !== 'RUNNING', timeoutMs = 30_000) => {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const workflow = await getWorkflow(workflowId);
        if (until(workflow)) return workflow;
        if (performance.now() > deadline) {
          const tasks = workflow.tasks.map((task) => `${task.referenceTaskName} ${task.status}`).join(', ');
          throw new Error(`Workflow ${workflowId} is still ${workflow.status} after ${timeoutMs} ms: ${tasks}`);
        }
        await sleep(50);
      }
    },
    queueSize: async (taskType) =>
      Number(await call('GET', `/tasks/queue/size?taskType=${encodeURIComponent(taskType)}`)),
  };
}
