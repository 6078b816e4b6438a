import { fileURLToPath } from 'node:url';
import { cpuMs, median, round } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { endsOf } from './support/rounds.ts';
import { defineWorkload } from './support/workload.ts';
import { PREFIX, startWorld, type Worker, type World } from './support/world.ts';

const AT_ONCE = 64;
const LATENCY_MS = 20;
const HOOK = fileURLToPath(new URL('programs/without-usage.ts', import.meta.url));
/** More than any run uses. */
const LIMIT = { maxTokens: 1_000_000_000, frequency: 'monthly' };
const LONGEST_ROUND_MS = 240_000;

const SIDES = ['withoutUsage', 'withUsage', 'withLimit'] as const;
type Side = (typeof SIDES)[number];
type Each<T> = Readonly<Record<Side, T>>;

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
  const sides = await ofEach(async (side) => ({ worker: await startSide(world, side), run: await runs(world, side) }));

  const counts = { withoutUsage: [], withUsage: [], withLimit: [] } as Record<Side, number[]>;
  const cpu = { withoutUsage: [], withUsage: [], withLimit: [] } as Record<Side, number[]>;
  for (let turn = 0; turn <= rounds; turn += 1) {
    const before = await ofEach((side) => cpuMs(sides[side].worker.processId));
    // Each is the first to be handed its tasks as often as the others.
    const all = await ofEach((side) => sides[side].run(tasks), turn);
    const from = Math.max(...SIDES.map((side) => all[side][0] ?? 0));
    const to = Math.min(...SIDES.map((side) => all[side].at(-1) ?? 0));
    const ended = SIDES.map((side) => all[side].filter((end) => end >= from && end <= to).length);
    const after = await ofEach((side) => cpuMs(sides[side].worker.processId));
    say(`${turn === 0 ? 'warming up' : 'ended'} in ${to - from} ms: ${ended.join(', ')}`);
    for (const [index, side] of SIDES.entries()) {
      if (turn === 0) continue;
      counts[side].push(ended[index] ?? 0);
      cpu[side].push((after[side] - before[side]) / tasks);
    }
  }
  for (const side of SIDES) await sides[side].worker.stop();
  await demandCounted(world, (rounds + 1) * tasks);

  const against = (one: Side, other: Side) => ({
    throughput: round(median(counts[one].map((count, turn) => count / (counts[other][turn] ?? 0))), 3),
    cpuPerTask: round(median(cpu[one].map((ms, turn) => ms / (cpu[other][turn] ?? 0))), 3),
  });
  return {
    ...{ conductor: world.conductor, tasks, atOnce: AT_ONCE, latencyMs: LATENCY_MS, rounds },
    cpuMsPerTask: Object.fromEntries(SIDES.map((side) => [side, round(median(cpu[side]))])),
    usageAgainstNone: against('withUsage', 'withoutUsage'),
    limitAgainstUsage: against('withLimit', 'withUsage'),
    limitAgainstNone: against('withLimit', 'withoutUsage'),
  };
}

function startSide(world: World, side: Side): Promise<Worker> {
  return world.startWorker({
    TASK_TYPES: `LLM_TEXT_COMPLETE=${side}`,
    MAX_IN_FLIGHT: String(AT_ONCE),
    ...(side === 'withoutUsage' ? { NODE_OPTIONS: `--import=${HOOK}` } : {}),
  });
}

/** Queues so many tasks of one side and waits for them; when each ended. */
async function runs(world: World, side: Side): Promise<(tasks: number) => Promise<number[]>> {
  const input = { llmProvider: side, model: TEXT_MODEL, prompt: 'Summarize: the roof leaked.', maxTokens: 100 };
  const workload = await defineWorkload(world, side, side, input);
  return async (tasks) => {
    const ids = await workload.queue(tasks);
    await workload.untilOver(LONGEST_ROUND_MS);
    return endsOf(await workload.tasks(ids), tasks);
  };
}

/** What was compared is what was meant to be: who records counted every call, who does not none. */
async function demandCounted({ redis }: World, calls: number): Promise<void> {
  const days = (await redis.keys(`${PREFIX}run:usage:*`)).filter((key) => /:[\d-]{10}$/.test(key));
  for (const side of SIDES) {
    const field = JSON.stringify([side, TEXT_MODEL, 'calls']);
    const each = await Promise.all(days.map(async (day) => Number((await redis.hget(day, field)) ?? 0)));
    const counted = each.reduce((sum, count) => sum + count, 0);
    const expected = side === 'withoutUsage' ? 0 : calls;
    if (counted !== expected) throw new Error(`${side} counted ${counted} calls, not ${expected}`);
  }
}

async function ofEach<T>(make: (side: Side) => Promise<T>, first = 0): Promise<Each<T>> {
  const order = SIDES.map((_, index) => SIDES[(first + index) % SIDES.length] as Side);
  return Object.fromEntries(await Promise.all(order.map(async (side) => [side, await make(side)]))) as Each<T>;
}
