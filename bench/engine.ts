import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bareEnvironment, cliFromSource, simulatorEnvironment } from '../devservers/cli-from-source.ts';
import { conductorApi } from '../devservers/conductor-api.ts';
import { startConductor } from '../devservers/conductor-server.ts';
import { freePort } from '../devservers/ports.ts';
import { startProcess } from '../devservers/processes.ts';
import { startRedis } from '../devservers/redis-server.ts';
import { startSimulator } from '../devservers/simulator.ts';
import { openRedis } from '../src/redis/connect.ts';
import { createLog } from '../src/telemetry/log.ts';

const MODEL = 'cohere.embed-v4:0';
const QUEUE = 'LLM_GENERATE_EMBEDDINGS';
const TASKS = 1_000;
const AT_ONCE = 64;
const LATENCY_MS = 200;
const ROUNDS = 3;
const TICKS_PER_SECOND = 100;

interface Figures {
  readonly tasksPerSecond: number;
  readonly cpuMsPerTask: number;
}

/**
 * The worker against a bare loop (the floor) and the SDK's TaskManager: 1,000 queued tasks of 200 ms, 64 at once, a
 * real Conductor on Redis, one program after the other in turns on the same servers. All of them sign the same call.
 */
export async function benchEngine(): Promise<unknown> {
  const store = await startRedis();
  const [conductor, simulator] = await Promise.all([
    startConductor({ redis: { host: '127.0.0.1', port: store.port } }),
    startSimulator(),
  ]);
  const redis = openRedis({ url: store.url, cluster: false }, 'bench', createLog('silent'));
  await redis.connect();
  await redis.hset(
    'bench:integrations',
    'b',
    '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  await redis.hset(
    'bench:models',
    `b:${MODEL}`,
    JSON.stringify({ configuration: { maxConcurrencyPerWorker: AT_ONCE } }),
  );
  await redis.hset('bench:applications', 'bench', '{"workflows":["bench"]}');
  await redis.hset('bench:grants:USER:app:bench', 'INTEGRATION_PROVIDER:b', 'EXECUTE');
  const api = conductorApi(conductor.url);
  await api.registerTaskDef({ name: QUEUE, retryCount: 0, timeoutSeconds: 0, responseTimeoutSeconds: 60 });
  await api.registerWorkflow({
    name: 'bench',
    tasks: [
      {
        name: QUEUE,
        taskReferenceName: 'task',
        type: QUEUE,
        inputParameters: { llmProvider: 'b', model: MODEL, text: 'a text of some words to embed', dimensions: 256 },
      },
    ],
  });
  const control = (path: string, method = 'POST', body?: unknown) =>
    fetch(`${simulator.url}/_control/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  await control('latency', 'POST', { model: MODEL, ms: LATENCY_MS });

  const program = (file: string) => ({
    command: process.execPath,
    args: [fileURLToPath(new URL(`programs/${file}`, import.meta.url)), conductor.url, QUEUE, String(AT_ONCE)],
  });
  const programs = {
    worker: cliFromSource(['worker']),
    bareLoop: program('bare-loop.ts'),
    taskManager: program('task-manager.ts'),
  };

  async function measure(name: keyof typeof programs): Promise<Figures> {
    for (let started = 0; started < TASKS; started += 50) {
      await Promise.all(Array.from({ length: 50 }, () => api.startWorkflow('bench')));
    }
    await control('calls', 'DELETE');
    const logFile = join(tmpdir(), `bedrock-cohere-bench-${name}.log`);
    if (process.env['BENCH_VERBOSE']) process.stderr.write(`${name}: ${TASKS} tasks queued\n`);
    const child = await startProcess({
      name,
      ...programs[name],
      logFile,
      env: bareEnvironment({
        ...simulatorEnvironment(simulator.url),
        REDIS_URL: store.url,
        REDIS_PREFIX: 'bench:',
        CONDUCTOR_SERVER_URL: conductor.url,
        MAX_IN_FLIGHT: String(AT_ONCE * 2),
        HTTP_PORT: String(await freePort()),
        LOG_LEVEL: process.env['BENCH_VERBOSE'] ? 'debug' : 'warn',
      }),
    });
    // The calls say when it began to work: starting up is not what is measured.
    let begun: { at: number; cpu: number } | undefined;
    const deadline = performance.now() + 120_000;
    for (;;) {
      if (child.exit() !== undefined || performance.now() > deadline) {
        throw new Error(
          `${name} ${child.exit() === undefined ? 'is too slow' : 'ended'}: ${await readFile(logFile, 'utf8')}`,
        );
      }
      const { succeeded, calls } = (
        (await (await control('calls?limit=0', 'GET')).json()) as { totals: { succeeded: number; calls: number } }
      ).totals;
      if (begun === undefined && calls > 0) begun = { at: performance.now(), cpu: await cpuSeconds(child.processId) };
      if (succeeded >= TASKS) break;
      await sleep(20);
    }
    while ((await api.queueSize(QUEUE)) > 0) await sleep(20);
    await sleep(300);
    const seconds = (performance.now() - (begun?.at ?? 0) - 300) / 1_000;
    const cpu = (await cpuSeconds(child.processId)) - (begun?.cpu ?? 0);
    await child.stop();
    // A program that is killed leaves its last poll open at the server, which would pop a task of the next one's and lose it.
    await sleep(1_500);
    return { tasksPerSecond: TASKS / seconds, cpuMsPerTask: (cpu * 1_000) / TASKS };
  }

  const runs: Record<keyof typeof programs, Figures[]> = { worker: [], bareLoop: [], taskManager: [] };
  try {
    // One round that is not counted warms the server up.
    await measure('bareLoop');
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const name of ['worker', 'bareLoop', 'taskManager'] as const) {
        const figures = await measure(name);
        runs[name].push(figures);
        process.stderr.write(
          `${name}: ${figures.tasksPerSecond.toFixed(1)} tasks/s, ${figures.cpuMsPerTask.toFixed(2)} ms CPU a task\n`,
        );
      }
    }
  } finally {
    redis.disconnect();
    for (const server of [simulator, conductor, store]) await server.stop();
  }
  const median = (name: keyof typeof programs, figure: keyof Figures) =>
    runs[name].map((run) => run[figure]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  const ratio = (figure: keyof Figures, other: keyof typeof programs) =>
    Number((median('worker', figure) / median(other, figure)).toFixed(3));
  return {
    conductor: 'real, on Redis',
    tasks: TASKS,
    atOnce: AT_ONCE,
    latencyMs: LATENCY_MS,
    rounds: ROUNDS,
    medians: Object.fromEntries(
      (Object.keys(programs) as (keyof typeof programs)[]).map((name) => [
        name,
        {
          tasksPerSecond: Number(median(name, 'tasksPerSecond').toFixed(1)),
          cpuMsPerTask: Number(median(name, 'cpuMsPerTask').toFixed(2)),
        },
      ]),
    ),
    throughputRatio: {
      bareLoop: ratio('tasksPerSecond', 'bareLoop'),
      taskManager: ratio('tasksPerSecond', 'taskManager'),
    },
    cpuRatio: { bareLoop: ratio('cpuMsPerTask', 'bareLoop'), taskManager: ratio('cpuMsPerTask', 'taskManager') },
  };
}

/** User and system time of a process so far, from /proc (fields 14 and 15 of proc(5) stat). */
async function cpuSeconds(processId: number): Promise<number> {
  const stat = await readFile(`/proc/${processId}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
