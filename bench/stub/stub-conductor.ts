/**
 * A Conductor that costs next to nothing, over real HTTP: only the calls that workers and the benches make, answered
 * as the real server on Redis answers them, from memory. `/_control/counts` tells what it was asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createTaskStore, type StubTask, type TaskStore, type TaskTemplate, type TaskUpdate } from './task-store.ts';

export interface StubConductor {
  readonly url: string;
  readonly store: TaskStore;
  close(): Promise<void>;
}

export interface StubOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Told when the answer to a poll that brings tasks has been written. */
  readonly onTasks?: (tasks: readonly StubTask[]) => void;
}

type Answer = { readonly status: number; readonly body: string };

/** The one expression that inputs may have. */
const OWN_ID = '${workflow.workflowId}';
const LONGEST_POLL_MS = 5_000;
const NOTHING: Answer = { status: 204, body: '' };

export async function startStubConductor({ port = 0, onTasks }: StubOptions = {}): Promise<StubConductor> {
  const store = createTaskStore();
  const templates = new Map<string, TaskTemplate>();
  const taskDefs = new Map<string, object>();

  function define(workflow: { name: string; tasks: { name: string; type: string; inputParameters: object }[] }): void {
    const [task] = workflow.tasks;
    if (task === undefined) throw new Error(`${workflow.name} has no task`);
    const taskDefinition = taskDefs.get(task.name);
    const constant = JSON.stringify({
      ...{ taskType: task.type, taskDefName: task.name, workflowType: workflow.name, referenceTaskName: 'task' },
      ...{ inputData: task.inputParameters, workflowTask: { ...task, taskDefinition }, taskDefinition },
      ...{ retryCount: 0, seq: 1, retried: false, callbackAfterSeconds: 0, responseTimeoutSeconds: 0, outputData: {} },
    }).slice(1, -1);
    templates.set(workflow.name, { workflow: workflow.name, queue: task.type, constant });
  }

  function templateOf(name: string): TaskTemplate {
    const template = templates.get(name);
    if (template === undefined) throw new Error(`no workflow ${name}`);
    return template;
  }

  function poll(queue: string, query: URLSearchParams, response: ServerResponse): void {
    const cancel = store.poll(
      queue,
      {
        count: Number(query.get('count') ?? 1),
        waitMs: Math.min(Number(query.get('timeout') ?? 100), LONGEST_POLL_MS),
        workerId: query.get('workerid') ?? '',
      },
      (tasks) => {
        send(response, ok(`[${tasks.map(jsonOf).join(',')}]`));
        if (tasks.length > 0) onTasks?.(tasks);
      },
    );
    response.once('close', cancel);
  }

  async function answer(request: IncomingMessage, path: string, query: URLSearchParams): Promise<Answer> {
    const body = request.method === 'GET' || request.method === 'DELETE' ? '' : await text(request);
    switch (`${request.method} ${path}`) {
      case 'POST /tasks': {
        const update = JSON.parse(body) as TaskUpdate;
        store.update(update);
        return ok(update.taskId);
      }
      case 'POST /tasks/update-v2': {
        const update = JSON.parse(body) as TaskUpdate & { readonly workerId?: string };
        const queue = store.byTask(update.taskId)?.template.queue ?? '';
        store.update(update);
        const next = store.take(queue, update.workerId ?? '');
        return next === undefined ? NOTHING : ok(jsonOf(next));
      }
      case 'POST /workflow': {
        const { name, count = 1 } = JSON.parse(body) as { name: string; count?: number };
        return ok(store.add(templateOf(name), count).join('\n'));
      }
      case 'PUT /metadata/workflow':
        for (const workflow of JSON.parse(body)) define(workflow);
        return ok('{}');
      case 'POST /metadata/taskdefs':
        for (const definition of JSON.parse(body)) taskDefs.set(definition.name, definition);
        return ok('{}');
      case 'GET /metadata/taskdefs':
        return ok(JSON.stringify([...taskDefs.values()]));
      case 'GET /metadata/workflow':
        return ok('[]');
      case 'GET /tasks/queue/size':
        return ok(String(store.waitingIn(query.get('taskType') ?? '')));
      case 'POST /workflow/bulk/terminate':
        for (const workflowId of JSON.parse(body)) store.cancel(workflowId);
        return ok('{}');
      case 'GET /_control/counts':
        return ok(JSON.stringify(store.counts));
      case 'DELETE /_control/counts':
        store.clearCounts();
        return ok('{}');
      case 'GET /health':
        return ok('{"healthy":true}');
    }
    return answerById(request.method === 'GET' ? path : '');
  }

  function answerById(path: string): Answer {
    const [, running] = /^\/workflow\/running\/([^/]+)$/.exec(path) ?? [];
    if (running !== undefined) return ok(JSON.stringify(store.running(decodeURIComponent(running))));
    const [, kind, id = ''] = /^\/(workflow|tasks|metadata\/taskdefs)\/([^/]+)$/.exec(path) ?? [];
    if (kind === 'metadata/taskdefs' && taskDefs.has(id)) return ok(JSON.stringify(taskDefs.get(id)));
    const task = kind === 'workflow' ? store.byWorkflow(id) : store.byTask(id);
    if (task === undefined) return { status: 404, body: `{"status":404,"message":"nothing at ${path}"}` };
    return ok(kind === 'workflow' ? workflowJson(task) : jsonOf(task));
  }

  const server = createServer((request, response) => {
    const [whole = '', search = ''] = (request.url ?? '').split('?', 2);
    const path = whole.startsWith('/api/') ? whole.slice(4) : whole;
    const query = new URLSearchParams(search);
    if (path.startsWith('/tasks/poll/batch/')) return poll(path.slice('/tasks/poll/batch/'.length), query, response);
    answer(request, path, query)
      .catch((error: Error) => ({ status: 500, body: JSON.stringify({ message: error.message }) }))
      .then((given) => send(response, given));
  });
  // Longer than any client keeps a connection, so that none is closed just as it is used again.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    store,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function ok(body: string): Answer {
  return { status: 200, body };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  if (response.destroyed) return;
  const isJson = /^[[{]/.test(body);
  response.writeHead(status, { 'content-type': isJson ? 'application/json' : 'text/plain' });
  response.end(body);
}

function jsonOf(task: StubTask): string {
  const { taskId, workflowId, status, scheduledTime, startTime, endTime, pollCount, workerId, template } = task;
  const own = {
    taskId,
    workflowInstanceId: workflowId,
    status,
    scheduledTime,
    startTime,
    endTime,
    pollCount,
    workerId,
  };
  return `${JSON.stringify(own).slice(0, -1)},${template.constant.replaceAll(OWN_ID, workflowId)}}`;
}

const ENDINGS = {
  COMPLETED: 'COMPLETED',
  CANCELED: 'TERMINATED',
  FAILED: 'FAILED',
  FAILED_WITH_TERMINAL_ERROR: 'FAILED',
};

function workflowJson(task: StubTask): string {
  const status = task.endTime === 0 ? 'RUNNING' : ENDINGS[task.status as keyof typeof ENDINGS];
  const own = JSON.stringify({
    workflowId: task.workflowId,
    workflowName: task.template.workflow,
    status,
    ownerApp: '',
  });
  return `${own.slice(0, -1)},"tasks":[${jsonOf(task)}]}`;
}
