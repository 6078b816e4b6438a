import { setTimeout as sleep } from 'node:timers/promises';
import { mean, residentMb, round, slopePerMinute, startSampler } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const IN_FLIGHT = 500;
const LATENCY_MS = 5_000;
/** Queued ahead of the worker, so that it never runs dry. */
const BACKLOG = 1_000;

/**
 * The worker's resident memory with 500 tasks in flight for five minutes, sampled each second: the most, and how much the
 * last half grows a minute (least squares). A stub Conductor, which is topped up all the time.
 */
export async function benchMemory({ quick, conductor = 'stub' }: BenchOptions) {
  const minutes = quick ? 1 : 5;
  await using world = await startWorld({ conductor });
  await writeRecords(world, { [`b:${TEXT_MODEL}`]: {} });
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'The roof leaked. '.repeat(60), maxTokens: 100 };
  const workload = await defineWorkload(world, 'text', QUEUES.text, input);
  const worker = await world.startWorker({ MAX_IN_FLIGHT: String(IN_FLIGHT) });
  const until = performance.now() + minutes * 60_000;
  const memory = startSampler(1_000, () => residentMb(worker.processId));
  const inFlight = startSampler(1_000, async () => (await world.simulator.totals()).inFlight);
  const workflows: string[] = [];
  let said = performance.now();
  while (performance.now() < until) {
    const waiting = await world.api.queueSize(QUEUES.text);
    workflows.push(...(await workload.queue(Math.max(0, BACKLOG - waiting))));
    if (worker.exit() !== undefined) throw new Error(`the worker ended: ${worker.tail()}`);
    if (performance.now() - said > 60_000) {
      said = performance.now();
      say(`${round(memory.samples.at(-1)?.value ?? 0, 1)} MB, ${inFlight.samples.at(-1)?.value} in flight`);
    }
    await sleep(500);
  }
  await Promise.all([memory.stop(), inFlight.stop()]);
  const { succeeded, failed } = await world.simulator.totals();
  await worker.stop(0);
  const values = memory.samples.map(({ value }) => value);
  const lastHalf = memory.samples.slice(Math.floor(memory.samples.length / 2));
  return {
    ...{ conductor: world.conductor, minutes, maxInFlight: IN_FLIGHT, latencyMs: LATENCY_MS, queued: workflows.length },
    ...{ calls: succeeded, failedCalls: failed },
    meanInFlight: round(mean(inFlight.samples.slice(10).map(({ value }) => value)), 1),
    residentMb: { most: round(Math.max(...values), 1), last: round(values.at(-1) ?? 0, 1) },
    mbAMinuteInLastHalf: round(slopePerMinute(lastHalf)),
  };
}
