import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cliFromSource } from '../devservers/cli-from-source.ts';
import { startConductor } from '../devservers/conductor-server.ts';
import { freePort } from '../devservers/ports.ts';
import { bodyOf, type RunningProcess } from '../devservers/processes.ts';
import { startRedis } from '../devservers/redis-server.ts';
import type { Server } from '../devservers/server.ts';
import { round } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { defineWorkload, type EndedTask, QUEUES } from './support/workload.ts';
import { JAVA_ARGS, startWorld, type World } from './support/world.ts';

const WORKERS = 3;
const EACH_AT_ONCE = 20;
const LATENCY_MS = 500;
const KILL_EVERY_MS = 3_000;
/** Kills end then at the latest, so that a cluster that makes no headway is seen as such. */
const LONGEST_CHAOS_MS = 240_000;
const LONGEST_SETTLING_MS = 240_000;

/**
 * 2,000 tasks of 500 ms on 3 workers, one of which is killed every 3 s and started again at once; Redis (with its log on
 * disk) and Conductor are each restarted once, and 5 % of all calls are throttled. Tasks lost, tasks completed twice, and
 * model calls beyond one a task, which are to be no more than the calls in flight at the kills.
 */
export async function benchChaos({ quick }: BenchOptions) {
  const count = quick ? 600 : 2_000;
  const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-chaos-'));
  const store = await startRedis();
  const startService = (port?: number) => startRedis({ port, dir: folder, args: ['--appendonly', 'yes'] });
  const startServer = (port?: number) =>
    startConductor({ port, redis: { host: '127.0.0.1', port: store.port }, javaArgs: JAVA_ARGS });
  let redis: Server | undefined;
  let conductor: Server | undefined;
  try {
    redis = await startService();
    conductor = await startServer();
    await using world = await startWorld({ conductor: 'real', conductorUrl: conductor.url, redisUrl: redis.url });
    await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
    await world.simulator.setFault(TEXT_MODEL, { name: 'ThrottlingException', rate: 0.05 });
    await writeRecords(world, { [`b:${TEXT_MODEL}`]: { maxConcurrencyPerWorker: EACH_AT_ONCE } });
    const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'The roof leaked.', maxTokens: 100 };
    const workload = await defineWorkload(world, 'text', QUEUES.text, input);
    const workflows = await workload.queue(count);
    const workers = await Promise.all(Array.from({ length: WORKERS }, (_, index) => startWorker(world, index)));
    const begun = performance.now();
    const killing = new AbortController();
    const kills = killInTurn(world, workers, killing.signal);

    await untilCalls(world, count * 0.25);
    say('Redis is restarted');
    await redis.stop();
    redis = await startService(redis.port);
    await untilCalls(world, count * 0.5);
    say('Conductor is restarted');
    await conductor.stop();
    conductor = await startServer(conductor.port);
    await untilCalls(world, count * 0.95);
    killing.abort();
    const inFlightAtKills = await kills;
    say(`${inFlightAtKills.length} kills; waiting for the rest`);
    const notOver = await workload.untilOver(LONGEST_SETTLING_MS).then(
      () => 0,
      () => workload.running(),
    );
    const seconds = round((performance.now() - begun) / 1_000, 1);
    const { succeeded, aborted, errors } = await world.simulator.totals();
    await Promise.all(workers.map((worker) => worker.process.stop()));
    const completed = completions(await workload.tasks(workflows));
    return {
      ...{ conductor: world.conductor, tasks: count, workers: WORKERS, kills: inFlightAtKills.length, seconds },
      lost: workflows.filter((id) => !completed.has(id)).length,
      ...{ notOver, completedTwice: [...completed.values()].filter((times) => times > 1).length },
      ...{ succeededCalls: succeeded, callsBeyondTasks: succeeded - count },
      ...{ inFlightAtKills: inFlightAtKills.reduce((sum, calls) => sum + calls, 0), abortedCalls: aborted, errors },
    };
  } finally {
    await conductor?.stop();
    await redis?.stop();
    await store.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Victim {
  process: RunningProcess;
  readonly httpPort: number;
  readonly index: number;
}

async function startWorker(world: World, index: number): Promise<Victim> {
  const httpPort = await freePort();
  const env = { WORKER_ID: `worker-${index + 1}`, HTTP_PORT: String(httpPort) };
  return { index, httpPort, process: await world.start('worker', cliFromSource(['worker']), env) };
}

/** Kills one after the other, each started again at once; answers how many calls each had in flight. */
async function killInTurn(world: World, workers: Victim[], signal: AbortSignal): Promise<number[]> {
  const inFlight: number[] = [];
  const deadline = performance.now() + LONGEST_CHAOS_MS;
  for (let turn = 0; performance.now() < deadline; turn += 1) {
    await sleep(KILL_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const index = turn % workers.length;
    const victim = workers[index] as Victim;
    inFlight.push(await callsOf(victim));
    victim.process.kill('SIGKILL');
    workers[index] = await startWorker(world, index);
  }
  return inFlight;
}

/** The calls that a worker says it has running; 0 while it is only starting. */
async function callsOf({ httpPort }: Victim): Promise<number> {
  const metrics = await bodyOf(`http://127.0.0.1:${httpPort}/metrics`).catch(() => undefined);
  const lines = metrics?.matchAll(/^bedrock_cohere_lane_calls\{.*state="running".*\} (\d+)$/gm) ?? [];
  return [...lines].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

async function untilCalls(world: World, succeeded: number): Promise<void> {
  const deadline = performance.now() + LONGEST_CHAOS_MS;
  while ((await world.simulator.totals()).succeeded < succeeded && performance.now() < deadline) await sleep(100);
}

/** Workflow → how many of its tasks completed. */
function completions(tasks: readonly EndedTask[]): Map<string, number> {
  const completed = new Map<string, number>();
  for (const { status, workflowInstanceId } of tasks) {
    if (status === 'COMPLETED') completed.set(workflowInstanceId, (completed.get(workflowInstanceId) ?? 0) + 1);
  }
  return completed;
}
