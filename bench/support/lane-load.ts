import { setTimeout as sleep } from 'node:timers/promises';
import type { EndedTask, Workload } from './workload.ts';

/**
 * Starts tasks at a steady rate, whatever becomes of them; answers their workflows. A start that takes long delays none
 * of the others.
 */
export async function steadily(workload: Workload, perSecond: number, seconds: number): Promise<string[]> {
  const begun = performance.now();
  const started: Promise<string[]>[] = [];
  for (let index = 0; index < perSecond * seconds; index += 1) {
    const due = begun + (index * 1_000) / perSecond;
    await sleep(Math.max(0, due - performance.now()));
    started.push(workload.queue(1));
  }
  return (await Promise.all(started)).flat();
}

/** From the queueing of each task to its completion, as Conductor noted both; a task that is not over counts as long as it has taken by now. */
export function latencies(tasks: readonly EndedTask[]): number[] {
  const now = Date.now();
  return tasks.map((task) => (task.status === 'COMPLETED' ? task.endTime : now) - task.scheduledTime);
}
