/** The way of a task with no work in between: unsigned, unread, one at a time. What is left is loopback, HTTP and Node. */
import { Pool } from 'undici';

const [, , server = '', queue = ''] = process.argv;
const conductor = new Pool(server);
const bedrock = new Pool(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
const headers = { 'content-type': 'application/json' };

async function send(pool: Pool, method: 'GET' | 'POST', path: string, body: string | null): Promise<string> {
  const response = await pool.request({ method, path, headers, body });
  return response.body.text();
}

for (;;) {
  const tasks = await send(conductor, 'GET', `/api/tasks/poll/batch/${queue}?count=1&timeout=1000`, null);
  for (const { taskId } of JSON.parse(tasks) as { taskId: string }[]) {
    await send(bedrock, 'POST', '/model/none/converse', '{}');
    await send(conductor, 'POST', '/api/tasks', JSON.stringify({ taskId, status: 'COMPLETED' }));
  }
}
