import type { BenchOptions } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { alternate, measureProgram, peer, ratio, worker } from './support/rounds.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const SLOTS = 64;
const LATENCY_MS = 200;

/**
 * How full the worker keeps its slots: tasks a second against 64 slots that never wait between two calls of 200 ms.
 * A stub Conductor, so that the server is not what is measured; a bare loop beside it, for what this machine lets through,
 * and the SDK's TaskManager. So many tasks also tell the CPU a task once everything is compiled, as in a worker that has run for long.
 */
export async function benchSlots({ quick, conductor = 'stub', rounds = quick ? 1 : 3 }: BenchOptions) {
  const tasks = quick ? 1_000 : 6_400;
  await using world = await startWorld({ conductor });
  await writeRecords(world, { [`b:${TEXT_MODEL}`]: { maxConcurrencyPerWorker: SLOTS } });
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'Summarize: the roof leaked.', maxTokens: 100 };
  const workload = await defineWorkload(world, 'text', QUEUES.text, input);
  // The end of the backlog leaves slots empty, and that is no fault of the worker's.
  const backlog = { workload, tasks, warmUp: 640, behind: 4 * SLOTS };
  const medians = await alternate(rounds, {
    worker: () => measureProgram(world, 'worker', worker, backlog),
    bareLoop: () => measureProgram(world, 'bareLoop', peer(world, 'bare-loop.ts', QUEUES.text, SLOTS), backlog),
    taskManager: () =>
      measureProgram(world, 'taskManager', peer(world, 'task-manager.ts', QUEUES.text, SLOTS), backlog),
  });
  const full = SLOTS / (LATENCY_MS / 1_000);
  return {
    ...{ conductor: world.conductor, tasks, slots: SLOTS, latencyMs: LATENCY_MS, rounds, medians },
    slotsInUse: {
      worker: ratio(medians.worker.tasksPerSecond, full),
      bareLoop: ratio(medians.bareLoop.tasksPerSecond, full),
      taskManager: ratio(medians.taskManager.tasksPerSecond, full),
    },
    cpuOfWorkerAgainst: {
      bareLoop: ratio(medians.worker.cpuMsPerTask, medians.bareLoop.cpuMsPerTask),
      taskManager: ratio(medians.worker.cpuMsPerTask, medians.taskManager.cpuMsPerTask),
    },
  };
}
