/** The floor: nothing but polls, calls and updates over one undici Pool. No decisions, no errors, no heartbeats, no stop. */
import { Pool } from 'undici';
import { answer } from './signed-call.ts';

const [, , server = '', queue = '', atOnce = '64'] = process.argv;
const pool = new Pool(server, { connections: 128 });
let free = Number(atOnce);
let wake = (): void => {};

async function json(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  const response = await pool.request({
    method,
    path,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.body.text();
  return method === 'GET' ? JSON.parse(text) : text;
}

interface Task {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly inputData: Readonly<Record<string, unknown>>;
}

async function run({ taskId, workflowInstanceId, inputData }: Task): Promise<void> {
  const outputData = await answer(inputData);
  free += 1;
  wake();
  await json('POST', '/api/tasks', {
    taskId,
    workflowInstanceId,
    workerId: 'bare',
    status: 'COMPLETED',
    outputData,
  });
}

for (;;) {
  if (free === 0) await new Promise<void>((resolve) => (wake = resolve));
  const count = free;
  const tasks = (await json(
    'GET',
    `/api/tasks/poll/batch/${queue}?count=${count}&timeout=1000&workerid=bare`,
  )) as Task[];
  free -= tasks.length;
  for (const task of tasks) void run(task);
}
