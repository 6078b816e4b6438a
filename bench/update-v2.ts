import type { BenchOptions } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { alternate, measureProgram, peer, ratio } from './support/rounds.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const AT_ONCE = 64;
const LATENCY_MS = 200;

/**
 * Whether `update-v2`, which takes an update and answers with the next task, pays beside polls of many tasks at once: two
 * bare loops, alike but for that, 1,000 queued tasks of 200 ms, 64 at once.
 */
export async function benchUpdateV2({ quick, conductor = 'real', rounds = quick ? 1 : 3 }: BenchOptions) {
  const tasks = quick ? 300 : 1_000;
  await using world = await startWorld({ conductor });
  await writeRecords(world, { [`b:${TEXT_MODEL}`]: {} });
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'The roof leaked.', maxTokens: 100 };
  const workload = await defineWorkload(world, 'text', QUEUES.text, input);
  const run = (name: string, file: string) => () =>
    measureProgram(world, name, peer(world, file, QUEUES.text, AT_ONCE), { workload, tasks, warmUp: 300 });
  const medians = await alternate(rounds, {
    updateV2: run('updateV2', 'bare-loop-v2.ts'),
    bareLoop: run('bareLoop', 'bare-loop.ts'),
  });
  return {
    ...{ conductor: world.conductor, tasks, atOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds, medians },
    updateV2AgainstUpdateAndPoll: {
      throughput: ratio(medians.updateV2.tasksPerSecond, medians.bareLoop.tasksPerSecond),
      cpuPerTask: ratio(medians.updateV2.cpuMsPerTask, medians.bareLoop.cpuMsPerTask),
    },
  };
}
