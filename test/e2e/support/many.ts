import type { TaskState, WorkflowState } from '../../../devservers/conductor-api.ts';
import type { World } from './world.ts';

export type ManyTask = Parameters<World['startTask']>[0];

/** Starts one workflow for each input. One definition, many runs of it: registering each anew would be slower than the tasks. */
export async function startMany(world: World, task: ManyTask, inputs: readonly object[]): Promise<string[]> {
  const [head, ...others] = inputs;
  if (head === undefined) return [];
  const first = await world.startTask({ ...task, input: { ...task.input, ...head } });
  const options = { taskToDomain: { '*': world.env['TASK_DOMAIN'] ?? '' } };
  const more = others.map((input) =>
    world.conductor.startWorkflow(task.workflow, { ...task.input, ...input }, options),
  );
  return [first, ...(await Promise.all(more))];
}

export interface Ended {
  readonly workflow: WorkflowState;
  /** The last task, with the times that Conductor noted, in ms. */
  readonly task: TaskState & { readonly scheduledTime: number; readonly startTime: number; readonly endTime: number };
}

/** Waits for all of them, in their order; a few at a time, so that waiting costs Conductor little. */
export async function whenOver(world: World, ids: readonly string[], timeoutMs = 60_000): Promise<Ended[]> {
  const deadline = performance.now() + timeoutMs;
  const ended: Ended[] = [];
  for (const id of ids) {
    const left = Math.max(1, deadline - performance.now());
    const workflow = await world.conductor.waitForWorkflow(id, undefined, left);
    ended.push({ workflow, task: workflow.tasks.at(-1) as Ended['task'] });
  }
  return ended;
}

/** How many ended with each status. */
export function statusesOf(ended: readonly Ended[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { workflow } of ended) counts[workflow.status] = (counts[workflow.status] ?? 0) + 1;
  return counts;
}
