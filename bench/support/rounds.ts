import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cliFromSource } from '../../devservers/cli-from-source.ts';
import { freePort } from '../../devservers/ports.ts';
import { cpuMs, median, round, startSampler, valueAt } from './measure.ts';
import { say } from './options.ts';
import type { EndedTask, QUEUES, Workload } from './workload.ts';
import type { Program, World } from './world.ts';

export interface Figures {
  readonly tasksPerSecond: number;
  readonly cpuMsPerTask: number;
}

export interface Backlog {
  readonly workload: Workload;
  /** Tasks that are measured. */
  readonly tasks: number;
  /** Tasks that end before them: compiling is not what is measured. 0: from the first poll that brought a task. */
  readonly warmUp: number;
  /** Tasks that are queued behind them, where the end of the backlog shall not count. Default 0. */
  readonly behind?: number;
}

/** A client killed with an open long poll makes Conductor pop the next task for nobody: it must be over first. */
const OPEN_POLL_MS = 1_500;
const LONGEST_RUN_MS = 240_000;

export const worker: Program = cliFromSource(['worker']);

/** One of `bench/programs`, which takes the server, the queue and how many tasks at once. */
export function peer(world: World, file: string, queue: (typeof QUEUES)[keyof typeof QUEUES], atOnce: number): Program {
  const path = fileURLToPath(new URL(`../programs/${file}`, import.meta.url));
  return { command: process.execPath, args: [path, world.conductorUrl, queue, String(atOnce)] };
}

/**
 * Queues a backlog, starts a program on it and waits until all is done. Times are those that Conductor noted.
 * @throws where a task did not complete
 */
export async function measureProgram(world: World, name: string, program: Program, backlog: Backlog): Promise<Figures> {
  const { workload, tasks, warmUp, behind = 0 } = backlog;
  const workflows = await workload.queue(warmUp + tasks + behind);
  const running = await world.start(name, program, { HTTP_PORT: String(await freePort()) });
  const cpu = startSampler(50, () => cpuMs(running.processId));
  try {
    await workload.untilOver(LONGEST_RUN_MS);
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}\n${running.tail()}`);
  } finally {
    await cpu.stop();
    await running.stop();
    await sleep(OPEN_POLL_MS);
  }
  const ended = await workload.tasks(workflows);
  const ends = endsOf(ended, workflows.length);
  const to = ends[warmUp + tasks - 1] ?? 0;
  const from = ends[warmUp - 1] ?? Math.min(...ended.map(({ startTime }) => startTime));
  const cpuSpent = valueAt(cpu.samples, to) - valueAt(cpu.samples, from);
  const figures = { tasksPerSecond: (tasks * 1_000) / (to - from), cpuMsPerTask: cpuSpent / tasks };
  say(`${name}: ${figures.tasksPerSecond.toFixed(1)} tasks/s, ${figures.cpuMsPerTask.toFixed(2)} ms CPU a task`);
  return figures;
}

/** When each ended, in order. */
export function endsOf(tasks: readonly EndedTask[], expected: number): number[] {
  const completed = tasks.filter((task) => task.status === 'COMPLETED');
  if (completed.length !== expected) {
    const other = tasks.find((task) => task.status !== 'COMPLETED');
    throw new Error(
      `${completed.length} of ${expected} tasks completed; one is ${other?.status}: ${other?.reasonForIncompletion}`,
    );
  }
  return completed.map((task) => task.endTime).sort((a, b) => a - b);
}

/** Runs them in turns; the medians of each. One run of the first that is not counted warms the servers up. */
export async function alternate<Name extends string>(
  rounds: number,
  programs: Readonly<Record<Name, () => Promise<Figures>>>,
): Promise<Record<Name, Figures>> {
  const names = Object.keys(programs) as Name[];
  const runs = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Figures[]>;
  say('warming up');
  await programs[names.at(-1) as Name]();
  for (let turn = 0; turn < rounds; turn += 1) {
    // Back and forth, so that a server that slows down in time strikes both alike.
    const order = turn % 2 === 0 ? names : [...names].reverse();
    for (const name of order) runs[name].push(await programs[name]());
  }
  const medians = names.map((name) => [
    name,
    {
      tasksPerSecond: round(median(runs[name].map((run) => run.tasksPerSecond)), 1),
      cpuMsPerTask: round(median(runs[name].map((run) => run.cpuMsPerTask))),
    },
  ]);
  return Object.fromEntries(medians);
}

export function ratio(a: number, b: number): number {
  return round(a / b, 3);
}
