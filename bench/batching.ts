import type { BenchOptions } from './support/options.ts';
import { EMBEDDING_MODEL, writeRecords } from './support/records.ts';
import { alternate, type Figures, measureProgram, peer, ratio, worker } from './support/rounds.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const AT_ONCE = 4;
const LATENCY_MS = 200;

/**
 * What travelling together saves: 1,000 queued tasks of one text each, at most 4 requests at once, 200 ms each; the worker
 * against a bare loop that sends each text by itself. Requests of Bedrock, and tasks a second from the first to the last.
 */
export async function benchBatching({ quick, conductor = 'real', rounds = quick ? 1 : 3 }: BenchOptions) {
  const tasks = quick ? 300 : 1_000;
  await using world = await startWorld({ conductor });
  await writeRecords(world, { [`b:${EMBEDDING_MODEL}`]: { maxConcurrencyPerWorker: AT_ONCE } });
  await world.simulator.setLatency(EMBEDDING_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: EMBEDDING_MODEL, text: 'a text of some words to embed', dimensions: 256 };
  const workload = await defineWorkload(world, 'embedding', QUEUES.embedding, input);
  const requests = { worker: [] as number[], bareLoop: [] as number[] };

  async function measure(name: keyof typeof requests): Promise<Figures> {
    await world.simulator.clearCalls();
    const program = name === 'worker' ? worker : peer(world, 'bare-loop.ts', QUEUES.embedding, AT_ONCE);
    const figures = await measureProgram(world, name, program, { workload, tasks, warmUp: 0 });
    requests[name].push((await world.simulator.totals()).calls);
    return figures;
  }

  const medians = await alternate(rounds, { bareLoop: () => measure('bareLoop'), worker: () => measure('worker') });
  return {
    ...{ conductor: world.conductor, tasks, requestsAtOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds, medians },
    requests: { worker: Math.max(...requests.worker), bareLoop: Math.max(...requests.bareLoop) },
    throughput: ratio(medians.worker.tasksPerSecond, medians.bareLoop.tasksPerSecond),
  };
}
