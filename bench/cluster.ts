import { setTimeout as sleep } from 'node:timers/promises';
import { mean, round, startSampler } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const WORKERS = 4;
const KILLED = 2;
const LIMIT = 10;
const LATENCY_MS = 500;
/** A dead worker's places come back within one lease. */
const AFTER_A_KILL_MS = 15_000;

/**
 * A limit over the whole cluster: 4 workers, at most 10 calls at once, 2,000 tasks of 500 ms; midway two workers are killed
 * and started again. The most calls that the simulator ever saw at once, and how many on average while tasks waited,
 * the 15 s after the kill left out.
 */
export async function benchCluster({ quick, conductor = 'real' }: BenchOptions) {
  const count = quick ? 800 : 2_000;
  await using world = await startWorld({ conductor });
  await writeRecords(world, { [`b:${TEXT_MODEL}`]: { maxConcurrency: LIMIT } });
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'The roof leaked.', maxTokens: 100 };
  const workload = await defineWorkload(world, 'text', QUEUES.text, input);
  const workflows = await workload.queue(count);
  const start = (index: number) => world.startWorker({ WORKER_ID: `worker-${index + 1}` });
  const workers = await Promise.all(Array.from({ length: WORKERS }, (_, index) => start(index)));
  const atOnce = startSampler(50, async () => (await world.simulator.totals()).inFlight);
  while ((await world.simulator.totals()).succeeded < count / 2) await sleep(50);
  const killedAt = Date.now();
  for (const worker of workers.slice(0, KILLED)) worker.kill('SIGKILL');
  say(`${KILLED} workers killed`);
  const again = await Promise.all(Array.from({ length: KILLED }, (_, index) => start(index)));
  // Twice the time at full limit, and one response timeout for what no ledger names.
  const left = await workload.untilOver((2 * count * LATENCY_MS) / LIMIT + 120_000).then(
    () => 0,
    () => workload.running(),
  );
  await atOnce.stop();
  const { maxInFlight, succeeded } = await world.simulator.totals();
  await Promise.all([...workers.slice(KILLED), ...again].map((worker) => worker.stop()));

  const tasks = await workload.tasks(workflows);
  const starts = atOnce.samples.find(({ value }) => value >= LIMIT)?.at ?? 0;
  const ends = tasks.map(({ endTime }) => endTime).sort((a, b) => a - b);
  // What waits for a rescue or a retry at the very end is no backlog.
  const backlogEnds = (ends.at(-Math.ceil(count * 0.02)) ?? 0) - LATENCY_MS;
  const counted = atOnce.samples.filter(
    ({ at }) => at >= starts && at <= backlogEnds && (at < killedAt || at > killedAt + AFTER_A_KILL_MS),
  );
  return {
    ...{ conductor: world.conductor, workers: WORKERS, killed: KILLED, limit: LIMIT, tasks: count },
    latencyMs: LATENCY_MS,
    mostAtOnce: maxInFlight,
    meanAtOnce: round(mean(counted.map(({ value }) => value))),
    samples: counted.length,
    succeededCalls: succeeded,
    completed: tasks.filter(({ status }) => status === 'COMPLETED').length,
    notOver: left,
    seconds: round(((ends.at(-1) ?? 0) - starts) / 1_000, 1),
  };
}
