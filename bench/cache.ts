import type { BenchOptions } from './support/options.ts';
import { EMBEDDING_MODEL, writeRecords } from './support/records.ts';
import { type Side, sideBySide } from './support/side-by-side.ts';
import { countedOf } from './support/usage-counts.ts';
import { startWorld } from './support/world.ts';

const AT_ONCE = 64;
const LATENCY_MS = 20;
/** As a task's input: each task has a text of its own. */
const OWN_TEXT = '${workflow.workflowId}';

/**
 * What a cache costs where it never has the answer, and what it saves where it always does: three workers at the same time, each on a
 * queue and a model of its own, embed one text a task, 1,536 floats each: a model without a cache, one with a cache whose tasks are
 * all different, and one whose tasks are all the same. Conductor is the stub by default.
 */
export async function benchCache({ quick, conductor = 'stub', rounds = quick ? 2 : 10 }: BenchOptions) {
  const tasks = quick ? 200 : 1_000;
  await using world = await startWorld({ conductor });
  const cache = { ttlSeconds: 3_600, maxMegabytes: 512 };
  await writeRecords(world, {
    [`withoutCache:${EMBEDDING_MODEL}`]: {},
    [`misses:${EMBEDDING_MODEL}`]: { cache },
    [`hits:${EMBEDDING_MODEL}`]: { cache },
  });
  await world.simulator.setLatency(EMBEDDING_MODEL, LATENCY_MS);
  const side = (llmProvider: string, text: string): Side => ({
    type: 'LLM_GENERATE_EMBEDDINGS',
    input: { llmProvider, model: EMBEDDING_MODEL, text },
  });
  const sides = {
    withoutCache: side('withoutCache', OWN_TEXT),
    misses: side('misses', OWN_TEXT),
    hits: side('hits', 'a text of some words to embed'),
  };
  const { against, cpuMsPerTask } = await sideBySide(world, sides, { tasks, rounds, atOnce: AT_ONCE });
  // What was compared is what was meant to be.
  const hitsOf = (integration: string): Promise<number> => countedOf(world, integration, EMBEDDING_MODEL, 'cacheHits');
  const [hits, misses] = [await hitsOf('hits'), await hitsOf('misses')];
  const all = (rounds + 1) * tasks;
  // Those that run while the first is answered ask, too.
  if (hits < all - 2 * AT_ONCE) throw new Error(`${hits} of ${all} tasks were given what is kept`);
  if (misses !== 0) throw new Error(`${misses} texts of their own were found`);
  return {
    ...{ conductor: world.conductor, tasks, atOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds },
    cpuMsPerTask: cpuMsPerTask(),
    missesAgainstNone: against('misses', 'withoutCache'),
    hitsAgainstNone: against('hits', 'withoutCache'),
  };
}
