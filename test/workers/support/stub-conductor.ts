/**
 * A Conductor in the test's own process, over real HTTP: only the calls that a worker makes, and strict about them. A
 * heartbeat is handled as the real server does it, without a lock: the task is read, then written back whole.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Treatment, treat } from './treatment.ts';

export interface StubTask {
  readonly taskId: string;
  readonly queue: string;
  status: string;
  workerId: string | undefined;
  pollCount: number;
  outputData?: Record<string, unknown>;
}

export interface Update {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly workerId: string;
  readonly status: string;
  readonly extendLease?: boolean;
  readonly callbackAfterSeconds?: number;
  readonly reasonForIncompletion?: string;
  readonly outputData?: Record<string, unknown> & {
    readonly error?: { readonly code: string; readonly field?: string };
  };
}

export interface Poll {
  readonly queue: string;
  readonly count: number;
  readonly timeoutMs: number;
  readonly workerId: string | null;
  readonly domain: string | null;
}

export interface StubConductor extends AsyncDisposable {
  readonly apiUrl: string;
  readonly tasks: ReadonlyMap<string, StubTask>;
  readonly polls: readonly Poll[];
  readonly updates: readonly Update[];
  readonly looks: readonly string[];
  readonly tokens: readonly { readonly keyId: string; readonly keySecret: string }[];
  /** What a correct worker never does, in words. */
  readonly offences: readonly string[];
  /** Paths and authorization headers of all requests, in order. */
  readonly requests: readonly { readonly path: string; readonly token: string | undefined }[];
  on: {
    poll?: (poll: Poll) => Treatment | undefined;
    update?: (update: Update) => Treatment | undefined;
    look?: (taskId: string) => Treatment | undefined;
    /** Definitions, running workflows and one workflow's tasks, by their path. */
    workflows?: (path: string) => Treatment | undefined;
    token?: () => Treatment | undefined;
    /** Before it is looked at; `name` where one definition is read or written. */
    metadata?: (call: { method: string; path: string; name: string | undefined }) => Treatment | undefined;
  };
  /** Set: every request needs the newest token of `/api/token`; `expire()` makes it worthless. */
  keys: { readonly keyId: string; readonly keySecret: string } | undefined;
  expire(): void;
  /** An empty poll is held no longer than this, whatever it asks for. Default 40. */
  holdMs: number;
  add(queue: string, fields?: Record<string, unknown>): string;
  waitingIn(queue: string): number;
  /** Puts a task into its queue once more, whatever its status. */
  queueAgain(queue: string, taskId: string): void;
  /** Put in place of the workflows of the tasks, by id. */
  workflows: Map<string, unknown>;
  workflowDefinitions: unknown[];
  /** The most calls for workflows that were open at once. */
  readonly mostWorkflowCalls: number;
  /** Task definitions by name. */
  definitions: Map<string, Record<string, unknown>>;
}

export async function startStubConductor(): Promise<StubConductor> {
  const tasks = new Map<string, StubTask & { readonly fields: Record<string, unknown> }>();
  const queues = new Map<string, string[]>();
  const open = new Map<string, number>();
  const [polls, updates, looks, tokens, offences, requests] = [[], [], [], [], [], []] as [
    Poll[],
    Update[],
    string[],
    { keyId: string; keySecret: string }[],
    string[],
    { path: string; token: string | undefined }[],
  ];
  let made = 0;
  let token: string | undefined;
  let [openWorkflowCalls, mostWorkflowCalls] = [0, 0];

  async function poll(queue: string, query: URLSearchParams, request: IncomingMessage) {
    const asked: Poll = {
      queue,
      count: Number(query.get('count')),
      timeoutMs: Number(query.get('timeout')),
      workerId: query.get('workerid'),
      domain: query.get('domain'),
    };
    polls.push(asked);
    if (!(asked.count >= 1)) offences.push(`a poll for ${query.get('count')} tasks`);
    if (!(asked.timeoutMs <= 5_000)) offences.push(`a poll that waits ${query.get('timeout')} ms`);
    const treatment = stub.on.poll?.(asked);
    return treat(treatment, request, async () => {
      const deadline = performance.now() + Math.min(asked.timeoutMs, stub.holdMs);
      const waiting = () => queues.get(queue) ?? [];
      while (waiting().length === 0 && performance.now() < deadline && !request.destroyed) await sleep(5);
      if (treatment?.delayMs !== undefined) await sleep(treatment.delayMs);
      return waiting()
        .splice(0, asked.count)
        .map((taskId) => {
          const task = tasks.get(taskId);
          if (task === undefined) throw new Error('no such task');
          Object.assign(task, { status: 'IN_PROGRESS', workerId: asked.workerId, pollCount: task.pollCount + 1 });
          return { taskId, workflowInstanceId: `workflow-of-${taskId}`, pollCount: task.pollCount, ...task.fields };
        });
    });
  }

  async function update(request: IncomingMessage) {
    if (request.headers['content-type'] !== 'application/json') offences.push('an update that is no JSON');
    const given = JSON.parse(await text(request)) as Update;
    const { taskId } = given;
    updates.push(given);
    if ((open.get(taskId) ?? 0) > 0) offences.push(`two writes at once for ${taskId}`);
    if (given.workflowInstanceId !== `workflow-of-${taskId}`) offences.push(`${taskId} of another workflow`);
    const isGiveBack = given.status === 'IN_PROGRESS' && given.extendLease !== true;
    if (isGiveBack && !((given.callbackAfterSeconds ?? 0) >= 1)) offences.push('a give-back with less than a second');
    open.set(taskId, (open.get(taskId) ?? 0) + 1);
    const treatment = stub.on.update?.(given);
    try {
      return await treat(treatment, request, async () => {
        const task = tasks.get(taskId);
        if (task === undefined) return taskId;
        if (given.extendLease === true) {
          const before = { ...task };
          if (treatment?.delayMs !== undefined) await sleep(treatment.delayMs);
          return Object.assign(task, before).taskId;
        }
        if (treatment?.delayMs !== undefined) await sleep(treatment.delayMs);
        // As the real server: an update of what is over is answered 200 and ignored.
        if (task.status !== 'IN_PROGRESS') return taskId;
        task.status = isGiveBack ? 'SCHEDULED' : given.status;
        if (given.outputData !== undefined) task.outputData = given.outputData;
        return taskId;
      });
    } finally {
      open.set(taskId, (open.get(taskId) ?? 1) - 1);
    }
  }

  async function metadata(request: IncomingMessage, path: string) {
    const method = request.method ?? '';
    const treated = (name: string | undefined, work: () => unknown) =>
      treat(stub.on.metadata?.({ method, path, name }) ?? stub.on.workflows?.(path), request, work);
    if (method === 'GET' && path === '/metadata/workflow') return treated(undefined, () => stub.workflowDefinitions);
    if (method === 'GET' && path === '/metadata/taskdefs')
      return treated(undefined, () => [...stub.definitions.values()]);
    if (method === 'POST' && path === '/metadata/taskdefs') {
      const [one, ...others] = JSON.parse(await text(request));
      if (others.length > 0) offences.push('definitions written together: one may have been made meanwhile');
      return treated(one.name, () => {
        if (stub.definitions.has(one.name)) offences.push(`the definition ${one.name} was overwritten`);
        stub.definitions.set(one.name, one);
      });
    }
    const named = /^\/metadata\/taskdefs\/([^/]+)$/.exec(path)?.[1];
    if (method !== 'GET' || named === undefined) return 'no such route';
    // As Tomcat.
    if (/%2f|%5c/i.test(named)) return { status: 400, body: '<html>Bad Request</html>' };
    const name = decodeURIComponent(named);
    const found = await treated(name, () => stub.definitions.get(name));
    if (found?.status !== 200 || found.body !== undefined) return found;
    return { status: 404, body: { status: 404, message: `No such taskType found by name: ${name}`, retryable: false } };
  }

  /** Each task is alone in its workflow, whose name is the task's `workflowType`. */
  function workflowsAt(path: string, query: URLSearchParams): { body: unknown } | undefined {
    const idOf = (taskId: string) => `workflow-of-${taskId}`;
    const named = /^\/workflow\/running\/([^/]+)$/.exec(path)?.[1];
    if (named !== undefined) {
      const name = decodeURIComponent(named);
      const running = [...tasks.values()].filter(
        ({ status, fields }) => fields['workflowType'] === name && ['SCHEDULED', 'IN_PROGRESS'].includes(status),
      );
      return { body: running.map(({ taskId }) => idOf(taskId)) };
    }
    const id = /^\/workflow\/([^/]+)$/.exec(path)?.[1];
    if (id === undefined) return undefined;
    const workflowId = decodeURIComponent(id);
    if (stub.workflows.has(workflowId)) return { body: stub.workflows.get(workflowId) };
    const task = [...tasks.values()].find(({ taskId }) => idOf(taskId) === workflowId);
    if (task === undefined) return undefined;
    const shown = { ...task, fields: undefined, queue: undefined, taskType: task.queue };
    return { body: { workflowId, tasks: query.get('includeTasks') === 'true' ? [shown] : [] } };
  }

  async function route(request: IncomingMessage): Promise<{ status: number; body: unknown } | undefined> {
    const url = new URL(request.url ?? '', 'http://stub');
    const path = url.pathname.replace(/^\/api/, '');
    const used = request.headers['x-authorization'];
    requests.push({ path, token: typeof used === 'string' ? used : undefined });
    if (path === '/token') {
      if (stub.keys === undefined) return { status: 404, body: {} };
      const given = JSON.parse(await text(request));
      tokens.push(given);
      return treat(stub.on.token?.(), request, () => {
        if (given.keyId !== stub.keys?.keyId || given.keySecret !== stub.keys?.keySecret) throw new Error('wrong keys');
        token = `token-${tokens.length}`;
        return { token };
      });
    }
    if (stub.keys !== undefined && (token === undefined || used !== token))
      return { status: 401, body: { message: 'who?' } };
    const polled = /^\/tasks\/poll\/batch\/([^/]+)$/.exec(path)?.[1];
    if (request.method === 'GET' && polled !== undefined)
      return poll(decodeURIComponent(polled), url.searchParams, request);
    if (request.method === 'POST' && path === '/tasks') return update(request);
    const looked = /^\/tasks\/([^/]+)$/.exec(path)?.[1];
    if (request.method === 'GET' && looked !== undefined) {
      looks.push(decodeURIComponent(looked));
      const task = tasks.get(decodeURIComponent(looked));
      if (task === undefined) return { status: 404, body: { message: 'no such task' } };
      return treat(stub.on.look?.(task.taskId), request, () => ({ ...task.fields, ...task, fields: undefined }));
    }
    const found = request.method === 'GET' ? workflowsAt(path, url.searchParams) : undefined;
    if (found !== undefined) {
      openWorkflowCalls += 1;
      mostWorkflowCalls = Math.max(mostWorkflowCalls, openWorkflowCalls);
      const treatment = stub.on.workflows?.(decodeURIComponent(path));
      const answered = treat(treatment, request, async () => {
        if (treatment?.delayMs !== undefined) await sleep(treatment.delayMs);
        return found.body;
      });
      return answered.finally(() => {
        openWorkflowCalls -= 1;
      });
    }
    const answer = await metadata(request, path);
    if (answer !== 'no such route') return answer;
    offences.push(`${request.method} ${path}`);
    return { status: 404, body: { message: 'no such route' } };
  }

  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const answer = await route(request).catch((error: Error) => ({ status: 500, body: { message: error.message } }));
    if (answer === undefined || response.destroyed) return;
    const { status, body } = answer;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : (JSON.stringify(body) ?? ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const stub: StubConductor = {
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`,
    ...{ tasks, polls, updates, looks, tokens, offences, requests },
    on: {},
    holdMs: 40,
    keys: undefined,
    expire() {
      token = undefined;
    },
    workflows: new Map(),
    workflowDefinitions: [],
    get mostWorkflowCalls() {
      return mostWorkflowCalls;
    },
    definitions: new Map(),
    add(queue, fields = {}) {
      const taskId = `task-${++made}`;
      tasks.set(taskId, { taskId, queue, status: 'SCHEDULED', workerId: undefined, pollCount: 0, fields });
      queues.set(queue, [...(queues.get(queue) ?? []), taskId]);
      return taskId;
    },
    queueAgain(queue, taskId) {
      queues.set(queue, [...(queues.get(queue) ?? []), taskId]);
    },
    waitingIn: (queue) => queues.get(queue)?.length ?? 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return stub;
}
