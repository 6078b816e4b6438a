import { cpuMs, median, round } from './measure.ts';
import { say } from './options.ts';
import { endsOf } from './rounds.ts';
import { defineWorkload } from './workload.ts';
import type { Worker, World } from './world.ts';

/** One worker with a queue of its own. */
export interface Side {
  /** What its tasks are to it. */
  readonly type: 'LLM_TEXT_COMPLETE' | 'LLM_GENERATE_EMBEDDINGS';
  readonly input: Readonly<Record<string, unknown>>;
  /** What its worker is started with besides. */
  readonly env?: Readonly<Record<string, string>>;
}

/** By round, the warm-up left out. */
export interface SideFigures {
  /** Tasks that it ended while all sides were busy. */
  readonly ended: readonly number[];
  readonly cpuMsPerTask: readonly number[];
}

export interface SideBySide<S extends string> {
  readonly figures: Readonly<Record<S, SideFigures>>;
  /** Medians over the rounds of one side's figure through the other's. */
  against(one: S, other: S): { readonly throughput: number; readonly cpuPerTask: number };
  cpuMsPerTask(): Readonly<Record<string, number>>;
}

const LONGEST_ROUND_MS = 240_000;

/**
 * Workers at the same time on the same servers: whatever else the machine does slows all of them alike. After a round that warms
 * up, `rounds` rounds of so many tasks each; who is handed tasks first takes turns.
 */
export async function sideBySide<S extends string>(
  world: World,
  sides: Readonly<Record<S, Side>>,
  { tasks, rounds, atOnce }: { readonly tasks: number; readonly rounds: number; readonly atOnce: number },
): Promise<SideBySide<S>> {
  const names = Object.keys(sides) as S[];
  const ofEach = async <T>(make: (side: S) => Promise<T>, first = 0): Promise<Record<S, T>> => {
    const order = names.map((_, index) => names[(first + index) % names.length] as S);
    return Object.fromEntries(await Promise.all(order.map(async (side) => [side, await make(side)]))) as Record<S, T>;
  };
  const running = await ofEach(async (side) => {
    const { type, env = {} } = sides[side];
    const worker: Worker = await world.startWorker({
      ...{ TASK_TYPES: `${type}=${side}`, MAX_IN_FLIGHT: String(atOnce) },
      ...env,
    });
    const workload = await defineWorkload(world, side, side, sides[side].input);
    return { worker, workload };
  });
  const figures = await ofEach(async () => ({ ended: [] as number[], cpuMsPerTask: [] as number[] }));

  for (let turn = 0; turn <= rounds; turn += 1) {
    const before = await ofEach((side) => cpuMs(running[side].worker.processId));
    const all = await ofEach(async (side) => {
      const { workload } = running[side];
      const ids = await workload.queue(tasks);
      await workload.untilOver(LONGEST_ROUND_MS);
      return endsOf(await workload.tasks(ids), tasks);
    }, turn);
    const after = await ofEach((side) => cpuMs(running[side].worker.processId));
    const from = Math.max(...names.map((side) => all[side][0] ?? 0));
    const to = Math.min(...names.map((side) => all[side].at(-1) ?? 0));
    const ended = names.map((side) => all[side].filter((end) => end >= from && end <= to).length);
    say(`${turn === 0 ? 'warming up' : 'ended'} in ${to - from} ms: ${ended.join(', ')}`);
    for (const [index, side] of names.entries()) {
      if (turn === 0) continue;
      figures[side].ended.push(ended[index] ?? 0);
      figures[side].cpuMsPerTask.push((after[side] - before[side]) / tasks);
    }
  }
  for (const side of names) await running[side].worker.stop();

  const ratios = (one: readonly number[], other: readonly number[]): number =>
    round(median(one.map((figure, turn) => figure / (other[turn] ?? 0))), 3);
  return {
    figures,
    against: (one, other) => ({
      throughput: ratios(figures[one].ended, figures[other].ended),
      cpuPerTask: ratios(figures[one].cpuMsPerTask, figures[other].cpuMsPerTask),
    }),
    cpuMsPerTask: () => Object.fromEntries(names.map((side) => [side, round(median(figures[side].cpuMsPerTask))])),
  };
}
