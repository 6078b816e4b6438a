import { setTimeout as sleep } from 'node:timers/promises';
import { bareEnvironment, simulatorEnvironment } from '../devservers/cli-from-source.ts';
import { type ConductorOptions, startConductor } from '../devservers/conductor-server.ts';
import { startRedis } from '../devservers/redis-server.ts';
import type { Server } from '../devservers/server.ts';
import { startSimulator } from '../devservers/simulator.ts';
import { median, round } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { ratio } from './support/rounds.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { JAVA_ARGS, startWorld, type World } from './support/world.ts';

const AT_ONCE = 64;
const LATENCY_MS = 200;
const WARM_UP_MS = 5_000;

type Runner = 'worker' | 'aiModule' | 'aiModule64Threads';

/**
 * The worker against the server's own AI module, as it comes and with 64 threads: text tasks of 200 ms, each for 30 s after
 * the first 5 s, or until the backlog is done. Each has a server started afresh on a backlog of its own.
 */
export async function benchAiModule({ quick, rounds = 1 }: BenchOptions) {
  const seconds = quick ? 8 : 30;
  const many = quick ? 2_000 : 5_000;
  const few = quick ? 500 : 1_500;
  const perSecond: Record<Runner, number[]> = { worker: [], aiModule: [], aiModule64Threads: [] };
  for (let turn = 0; turn < rounds; turn += 1) {
    perSecond.worker.push(await measure('worker', { seconds, tasks: many }));
    perSecond.aiModule.push(await measure('aiModule', { seconds, tasks: few }));
    perSecond.aiModule64Threads.push(await measure('aiModule64Threads', { seconds, tasks: many }));
  }
  const [worker, aiModule, aiModule64Threads] = [perSecond.worker, perSecond.aiModule, perSecond.aiModule64Threads].map(
    (runs) => round(median(runs), 1),
  ) as [number, number, number];
  return {
    ...{ conductor: 'real, on Redis', atOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds, seconds },
    tasksPerSecond: { worker, aiModule, aiModule64Threads },
    throughputAgainst: { aiModule: ratio(worker, aiModule), aiModule64Threads: ratio(worker, aiModule64Threads) },
  };
}

/** Tasks a second, as the simulator answered their calls. */
async function measure(runner: Runner, { seconds, tasks }: { seconds: number; tasks: number }): Promise<number> {
  await using simulator = disposable(await startSimulator());
  await using store = disposable(await startRedis());
  const redis = { host: '127.0.0.1', port: store.server.port };
  let conductor = await startConductor({ redis, javaArgs: JAVA_ARGS });
  const { port, url: conductorUrl } = conductor;
  try {
    await using world = await startWorld({ conductor: 'real', conductorUrl, simulatorUrl: simulator.server.url });
    await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
    await writeRecords(world, { [`b:${TEXT_MODEL}`]: { maxConcurrencyPerWorker: AT_ONCE } });
    const llmProvider = runner === 'worker' ? 'b' : 'bedrock';
    const input = { llmProvider, model: TEXT_MODEL, prompt: 'Summarize: the roof leaked.', maxTokens: 100 };
    const workload = await defineWorkload(world, 'text', QUEUES.text, input);
    await workload.queue(tasks);
    // Only now the server that runs them, over the same store: nothing is taken while the backlog is made.
    await conductor.stop();
    conductor = await startConductor({ redis, port, javaArgs: JAVA_ARGS, ...serverOf(runner, simulator.server.url) });
    const worker = runner === 'worker' ? await world.startWorker() : undefined;
    const rate = await rateOf(world, seconds, tasks - 2 * AT_ONCE);
    const { failed, maxInFlight, errors } = await world.simulator.totals();
    say(
      `${runner}: ${rate.toFixed(1)} tasks/s, at most ${maxInFlight} at once, ${failed} failed ${JSON.stringify(errors)}`,
    );
    await worker?.stop();
    return rate;
  } finally {
    await conductor.stop();
  }
}

/** From 5 s after the first call, so long or until that many are done. */
async function rateOf(world: World, seconds: number, tasks: number): Promise<number> {
  const succeeded = async () => (await world.simulator.totals()).succeeded;
  const deadline = performance.now() + 60_000;
  while ((await succeeded()) === 0) {
    if (performance.now() > deadline) throw new Error('no model was called within a minute');
    await sleep(50);
  }
  await sleep(WARM_UP_MS);
  const [before, begun] = [await succeeded(), performance.now()];
  for (;;) {
    await sleep(100);
    const [done, now] = [await succeeded(), performance.now()];
    if (done >= tasks || now - begun > seconds * 1_000) return ((done - before) * 1_000) / (now - begun);
  }
}

function serverOf(runner: Runner, simulatorUrl: string): Pick<ConductorOptions, 'ai' | 'args' | 'env'> {
  if (runner === 'worker') return {};
  const threads = `--conductor.app.taskWorkerConfigs.${QUEUES.text}.threadCount=${AT_ONCE}`;
  return {
    ai: true,
    args: runner === 'aiModule' ? [] : [threads],
    env: bareEnvironment(simulatorEnvironment(simulatorUrl)),
  };
}

function disposable(server: Server): AsyncDisposable & { readonly server: Server } {
  return { server, [Symbol.asyncDispose]: server.stop };
}
