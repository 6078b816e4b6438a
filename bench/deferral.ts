import { setTimeout as sleep } from 'node:timers/promises';
import { mean, round, type Sample, startSampler } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

const LATENCY_MS = 1_000;
const BEFORE = 2;
const AFTER = 20;
const SAMPLE_MS = 100;

/**
 * What waiting costs Conductor: 500 tasks of 1 s behind a limit of 2, which becomes 20 when half of them are done.
 * Polls a task (its last `pollCount`), seconds in which none of the lane's places was used although tasks waited, failures.
 */
export async function benchDeferral({ quick, conductor = 'real' }: BenchOptions) {
  const count = quick ? 60 : 500;
  await using world = await startWorld({ conductor });
  const limit = (maxConcurrency: number) => writeRecords(world, { [`b:${TEXT_MODEL}`]: { maxConcurrency } });
  await limit(BEFORE);
  await world.simulator.setLatency(TEXT_MODEL, LATENCY_MS);
  const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'The roof leaked.', maxTokens: 100 };
  const workload = await defineWorkload(world, 'text', QUEUES.text, input);
  const workflows = await workload.queue(count);
  const worker = await world.startWorker();
  const used = startSampler(SAMPLE_MS, async () => (await world.simulator.totals()).inFlight);
  const begun = performance.now();
  while ((await world.simulator.totals()).succeeded < count / 2) await sleep(50);
  const raisedAt = Date.now();
  await limit(AFTER);
  say(`the limit is ${AFTER} now, after ${Math.round((performance.now() - begun) / 1_000)} s`);
  // Ten times what it takes where no place is ever empty.
  await workload.untilOver(60_000 + (10 * (count / 2) * LATENCY_MS) / AFTER);
  await used.stop();
  await worker.stop();

  const tasks = await workload.tasks(workflows);
  const ends = tasks.map((task) => task.endTime).sort((a, b) => a - b);
  // The last tasks leave places empty, and nothing waits for them.
  const lastWaited = (ends.at(-AFTER) ?? 0) - LATENCY_MS;
  const from = used.samples.find(({ value }) => value > 0)?.at ?? 0;
  const waited = used.samples.filter(({ at }) => at >= from && at <= lastWaited);
  const part = (samples: readonly Sample<number>[], places: number) =>
    round(mean(samples.map(({ value }) => value)) / places, 3);
  const fullAt = used.samples.find(({ at, value }) => at > raisedAt && value >= AFTER)?.at;
  return {
    ...{ conductor: world.conductor, tasks: count, limit: `${BEFORE} → ${AFTER}`, latencyMs: LATENCY_MS },
    pollsPerTask: round(mean(tasks.map(({ pollCount }) => pollCount))),
    mostPolls: Math.max(...tasks.map(({ pollCount }) => pollCount)),
    idleSeconds: idleSeconds(waited),
    placesUsedBefore: part(
      waited.filter(({ at }) => at < raisedAt),
      BEFORE,
    ),
    placesUsedAfter: part(
      waited.filter(({ at }) => at >= raisedAt),
      AFTER,
    ),
    secondsUntilAllPlacesUsed: fullAt === undefined ? null : round((fullAt - raisedAt) / 1_000, 1),
    mostAtOnce: Math.max(...used.samples.map(({ value }) => value)),
    failed: tasks.filter(({ status }) => status !== 'COMPLETED').length,
    seconds: round(((ends.at(-1) ?? 0) - from) / 1_000, 1),
  };
}

/** Whole seconds without a call in flight. */
function idleSeconds(samples: readonly Sample<number>[]): number {
  let idle = 0;
  let since: number | undefined;
  for (const { at, value } of samples) {
    if (value > 0) since = undefined;
    else if (since === undefined) since = at;
    else if (at - since >= 1_000) {
      idle += 1;
      since = at;
    }
  }
  return idle;
}
