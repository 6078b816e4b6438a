/** The bare loop, with update-v2 in place of an update and a poll: the answer to an update is the slot's next task. */
import { Pool } from 'undici';
import { answer } from './signed-call.ts';

const [, , server = '', queue = '', atOnce = '64'] = process.argv;
const pool = new Pool(server, { connections: 128 });
let free = Number(atOnce);
let wake = (): void => {};

interface Task {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly inputData: Readonly<Record<string, unknown>>;
}

async function ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  const response = await pool.request({
    method,
    path,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.body.text();
  return text === '' ? undefined : JSON.parse(text);
}

/** A slot goes from task to task until the queue has none for it. */
async function run(first: Task): Promise<void> {
  let task: Task | undefined = first;
  while (task !== undefined) {
    const { taskId, workflowInstanceId, inputData }: Task = task;
    const outputData = await answer(inputData);
    const update = { taskId, workflowInstanceId, workerId: 'bare', status: 'COMPLETED', outputData };
    task = (await ask('POST', '/api/tasks/update-v2', update)) as Task | undefined;
  }
  free += 1;
  wake();
}

for (;;) {
  if (free === 0) await new Promise<void>((resolve) => (wake = resolve));
  const path = `/api/tasks/poll/batch/${queue}?count=${free}&timeout=1000&workerid=bare`;
  const tasks = (await ask('GET', path)) as Task[];
  free -= tasks.length;
  for (const task of tasks) void run(task);
}
