import type { BenchOptions } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { alternate, measureProgram, peer, ratio, worker } from './support/rounds.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const AT_ONCE = 64;
const LATENCY_MS = 200;

/**
 * The worker against a bare loop (the floor) and the SDK's TaskManager: 1,000 queued tasks of 200 ms, 64 at once, one
 * program after the other in turns on the same servers. All of them sign the same call with AWS's SDK. Text tasks: each
 * is a call of its own, in every program.
 */
export async function benchEngine({ quick, conductor = 'real', rounds = quick ? 1 : 3 }: BenchOptions) {
  const tasks = quick ? 300 : 1_000;
  const warmUp = quick ? 100 : 300;
  await using world = await startWorld({ conductor });
  await writeRecords(world, { [`b:${TEXT_MODEL}`]: { maxConcurrencyPerWorker: AT_ONCE } });
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'Summarize: the roof leaked.', maxTokens: 100 };
  const workload = await defineWorkload(world, 'text', QUEUES.text, input);
  const backlog = { workload, tasks, warmUp };
  const medians = await alternate(rounds, {
    worker: () => measureProgram(world, 'worker', worker, backlog),
    bareLoop: () => measureProgram(world, 'bareLoop', peer(world, 'bare-loop.ts', QUEUES.text, AT_ONCE), backlog),
    taskManager: () =>
      measureProgram(world, 'taskManager', peer(world, 'task-manager.ts', QUEUES.text, AT_ONCE), backlog),
  });
  const against = (other: 'bareLoop' | 'taskManager') => ({
    throughput: ratio(medians.worker.tasksPerSecond, medians[other].tasksPerSecond),
    cpuPerTask: ratio(medians.worker.cpuMsPerTask, medians[other].cpuMsPerTask),
  });
  return {
    ...{ conductor: world.conductor, tasks, warmUp, atOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds, medians },
    workerAgainst: { bareLoop: against('bareLoop'), taskManager: against('taskManager') },
  };
}
