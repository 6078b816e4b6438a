import { fileURLToPath } from 'node:url';
import type { BenchOptions } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { alternate, type Figures, measureProgram, ratio, worker } from './support/rounds.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { PREFIX, startWorld } from './support/world.ts';

const AT_ONCE = 64;
const LATENCY_MS = 20;
const HOOK = fileURLToPath(new URL('programs/without-usage.ts', import.meta.url));
const APPLICATION = { workflows: ['bench_*'] };
/** More than any run uses. */
const LIMIT = { maxTokens: 1_000_000_000, frequency: 'monthly' };

/**
 * What counting usage costs, and what a token limit does: the worker as it is, against itself with a recorder that records
 * nothing, and against itself with a limit on its application, in turns on the same servers. Conductor is the stub by default: it is
 * fast enough for the worker to be what is measured.
 */
export async function benchUsage({ quick, conductor = 'stub', rounds = quick ? 1 : 9 }: BenchOptions) {
  const tasks = quick ? 500 : 2_000;
  const warmUp = quick ? 200 : 500;
  await using world = await startWorld({ conductor });
  await writeRecords(world, { [`b:${TEXT_MODEL}`]: { maxConcurrencyPerWorker: AT_ONCE } });
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'Summarize: the roof leaked.', maxTokens: 100 };
  const workload = await defineWorkload(world, 'text', QUEUES.text, input);
  const backlog = { workload, tasks, warmUp };
  const without = { ...worker, args: ['--import', HOOK, ...worker.args] };
  const limit = (fields: object) =>
    world.redis.hset(`${PREFIX}applications`, 'bench', JSON.stringify({ ...APPLICATION, ...fields }));

  const counted = async (): Promise<number> => {
    const field = JSON.stringify(['b', TEXT_MODEL, 'calls']);
    const days = await world.redis.keys(`${PREFIX}run:usage:????-??-??`);
    const counts = await Promise.all(days.map(async (day) => Number((await world.redis.hget(day, field)) ?? 0)));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  /** What is compared is what is meant to be. */
  async function run(name: string, program: typeof worker, counts: boolean): Promise<Figures> {
    const before = await counted();
    const figures = await measureProgram(world, name, program, backlog);
    const calls = (await counted()) - before;
    if (calls !== (counts ? tasks + warmUp : 0)) throw new Error(`${name} counted ${calls} calls`);
    return figures;
  }

  const medians = await alternate(rounds, {
    withoutUsage: () => run('withoutUsage', without, false),
    withUsage: () => run('withUsage', worker, true),
    async withLimit() {
      await limit(LIMIT);
      const figures = await run('withLimit', worker, true);
      await limit({});
      return figures;
    },
  });
  const against = (one: keyof typeof medians, other: keyof typeof medians) => ({
    throughput: ratio(medians[one].tasksPerSecond, medians[other].tasksPerSecond),
    cpuPerTask: ratio(medians[one].cpuMsPerTask, medians[other].cpuMsPerTask),
  });
  return {
    ...{ conductor: world.conductor, tasks, warmUp, atOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds, medians },
    usageAgainstNone: against('withUsage', 'withoutUsage'),
    limitAgainstUsage: against('withLimit', 'withUsage'),
  };
}
