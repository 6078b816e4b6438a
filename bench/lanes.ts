import { setTimeout as sleep } from 'node:timers/promises';
import { latencies, steadily } from './support/lane-load.ts';
import { median, percentile } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { ratio } from './support/rounds.ts';
import { defineWorkload, QUEUES, type Workload } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const SLOW_MODEL = 'amazon.nova-lite-v1:0';
const SLOW_MS = 5_000;
const QUICK_MS = 200;
const LIMIT = 2;
const OTHERS = 20;
const PER_SECOND = 20;

/**
 * What a saturated model does to another: model B's latency (queueing to completion, p95) alone, while A has 500 tasks
 * queued behind a limit of 2 at 5 s each, and while 20 other lanes are in A's state. One worker; the phases in turns.
 */
export async function benchLanes({ quick, conductor = 'stub', rounds = quick ? 1 : 3 }: BenchOptions) {
  const seconds = quick ? 8 : 30;
  await using world = await startWorld({ conductor });
  const others = Array.from({ length: OTHERS }, (_, index) => `other-${index + 1}`);
  await writeRecords(world, {
    [`b:${TEXT_MODEL}`]: {},
    ...Object.fromEntries(['a', ...others].map((name) => [`${name}:${SLOW_MODEL}`, { maxConcurrency: LIMIT }])),
  });
  await world.simulator.setLatency(TEXT_MODEL, QUICK_MS);
  await world.simulator.setLatency(SLOW_MODEL, SLOW_MS);
  const define = (label: string, llmProvider: string, model: string) =>
    defineWorkload(world, label, QUEUES.text, { llmProvider, model, prompt: 'The roof leaked.', maxTokens: 100 });
  const b = await define('b', 'b', TEXT_MODEL);
  const a = await define('a', 'a', SLOW_MODEL);
  const crowd = await Promise.all(others.map((name) => define(name, name, SLOW_MODEL)));

  /** B's p95 while each of these workloads has as many tasks queued. */
  async function phase(name: string, saturated: readonly Workload[], tasksEach: number): Promise<number> {
    const worker = await world.startWorker();
    await steadily(b, PER_SECOND, 3);
    const waiting: { workload: Workload; workflows: string[] }[] = [];
    for (const workload of saturated) waiting.push({ workload, workflows: await workload.queue(tasksEach) });
    const workflows = await steadily(b, PER_SECOND, seconds);
    await sleep(2 * QUICK_MS);
    const tasks = await b.tasks(workflows);
    await worker.stop(0);
    for (const { workload, workflows: left } of waiting) await workload.cancel(left);
    await b.cancel(workflows);
    await sleep(1_500);
    const [p50, p95] = [percentile(latencies(tasks), 0.5), percentile(latencies(tasks), 0.95)];
    const unfinished = tasks.filter(({ status }) => status !== 'COMPLETED').length;
    say(`${name}: B's latency p50 ${p50} ms, p95 ${p95} ms; ${unfinished} of ${tasks.length} not over`);
    return p95;
  }

  const alone: number[] = [];
  const behindOne: number[] = [];
  const behindMany: number[] = [];
  for (let turn = 0; turn < rounds; turn += 1) {
    alone.push(await phase('alone', [], 0));
    behindOne.push(await phase('beside A', [a], quick ? 300 : 500));
    behindMany.push(await phase(`beside ${OTHERS} lanes`, crowd, quick ? 20 : 50));
  }
  return {
    ...{ conductor: world.conductor, rounds, tasksOfB: PER_SECOND * seconds, unit: 'ms, p95' },
    ...{ alone: median(alone), besideA: median(behindOne), beside20Lanes: median(behindMany) },
    ...{ ratioBesideA: ratio(median(behindOne), median(alone)) },
    ...{ ratioBeside20Lanes: ratio(median(behindMany), median(alone)) },
  };
}
