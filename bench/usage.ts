import { fileURLToPath } from 'node:url';
import type { BenchOptions } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { sideBySide } from './support/side-by-side.ts';
import { countedOf } from './support/usage-counts.ts';
import { PREFIX, startWorld, type World } from './support/world.ts';

const AT_ONCE = 64;
const LATENCY_MS = 20;
const HOOK = fileURLToPath(new URL('programs/without-usage.ts', import.meta.url));
/** More than any run uses. */
const LIMIT = { maxTokens: 1_000_000_000, frequency: 'monthly' };

const SIDES = ['withoutUsage', 'withUsage', 'withLimit'] as const;
type Side = (typeof SIDES)[number];

/**
 * What counting usage costs, and what a token limit does: three workers at the same time on the same servers, each with a queue of
 * its own: one whose recorder records nothing, the worker as it is, and the same with a limit on its model. Whatever else the machine
 * does slows all three alike. What is compared is how many tasks each ends while all of them are busy. Conductor is the stub by
 * default: the worker, and not the server, is to be what is measured.
 */
export async function benchUsage({ quick, conductor = 'stub', rounds = quick ? 2 : 15 }: BenchOptions) {
  const tasks = quick ? 300 : 2_500;
  await using world = await startWorld({ conductor });
  await writeRecords(world, Object.fromEntries(SIDES.map((side) => [`${side}:${TEXT_MODEL}`, {}])));
  const limited = { configuration: {}, ...LIMIT };
  await world.redis.hset(`${PREFIX}models`, `withLimit:${TEXT_MODEL}`, JSON.stringify(limited));
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const side = (llmProvider: Side, env?: Readonly<Record<string, string>>) => ({
    type: 'LLM_TEXT_COMPLETE' as const,
    input: { llmProvider, model: TEXT_MODEL, prompt: 'Summarize: the roof leaked.', maxTokens: 100 },
    ...(env === undefined ? {} : { env }),
  });
  const sides = {
    withoutUsage: side('withoutUsage', { NODE_OPTIONS: `--import=${HOOK}` }),
    withUsage: side('withUsage'),
    withLimit: side('withLimit'),
  };
  const { against, cpuMsPerTask } = await sideBySide(world, sides, { tasks, rounds, atOnce: AT_ONCE });
  await demandCounted(world, (rounds + 1) * tasks);

  return {
    ...{ conductor: world.conductor, tasks, atOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds },
    cpuMsPerTask: cpuMsPerTask(),
    usageAgainstNone: against('withUsage', 'withoutUsage'),
    limitAgainstUsage: against('withLimit', 'withUsage'),
    limitAgainstNone: against('withLimit', 'withoutUsage'),
  };
}

/** What was compared is what was meant to be: who records counted every call, who does not none. */
async function demandCounted(world: World, calls: number): Promise<void> {
  for (const side of SIDES) {
    const counted = await countedOf(world, side, TEXT_MODEL, 'calls');
    const expected = side === 'withoutUsage' ? 0 : calls;
    if (counted !== expected) throw new Error(`${side} counted ${counted} calls, not ${expected}`);
  }
}
