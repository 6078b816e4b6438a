import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskState } from '../../devservers/conductor-api.ts';
import type { World } from './world.ts';

export const QUEUES = { text: 'LLM_TEXT_COMPLETE', embedding: 'LLM_GENERATE_EMBEDDINGS' } as const;

/** A task with the times that Conductor noted, in milliseconds since 1970; 0 where it has not come to that. */
export interface EndedTask extends TaskState {
  readonly workflowInstanceId: string;
  readonly scheduledTime: number;
  readonly startTime: number;
  readonly endTime: number;
}

/** Workflows of one task each, all alike. */
export interface Workload {
  /** Of the workflow: `bench_…`. */
  readonly name: string;
  /** Starts as many workflows; answers their ids. */
  queue(count: number): Promise<string[]>;
  /** How many of them are not over. */
  running(): Promise<number>;
  /**
   * Waits until none is left.
   * @throws after `timeoutMs`, saying how many are
   */
  untilOver(timeoutMs: number): Promise<void>;
  /** The tasks of these workflows; more than one a workflow where one was retried. */
  tasks(workflowIds: readonly string[]): Promise<EndedTask[]>;
  cancel(workflowIds: readonly string[]): Promise<void>;
}

/** Calls of Conductor at once, while a backlog is made or looked at. */
const AT_ONCE = 25;

/**
 * Registers a workflow of one task. Its definition protects it: a lost task comes again after a minute.
 * @param type one of `QUEUES`, or another Conductor type that a worker takes for one of them (`TASK_TYPES`)
 * @param inputParameters of the task; `llmProvider` and `model` among them
 */
export async function defineWorkload(
  { api, conductor }: World,
  label: string,
  type: string,
  inputParameters: Readonly<Record<string, unknown>>,
): Promise<Workload> {
  const name = `bench_${label}`;
  const protection = { retryCount: 3, retryDelaySeconds: 1, responseTimeoutSeconds: 60, timeoutSeconds: 0 };
  await api.registerTaskDef({ name, ...protection });
  await api.registerWorkflow({ name, tasks: [{ name, taskReferenceName: 'task', type, inputParameters }] });
  const running = async () => ((await api.call('GET', `/workflow/running/${name}`)) as readonly string[]).length;

  return {
    name,
    running,
    async queue(count) {
      if (conductor === 'stub') {
        return count === 0 ? [] : String(await api.call('POST', '/workflow', { name, count })).split('\n');
      }
      return inParallel(Array.from({ length: count }), () => api.startWorkflow(name));
    },
    async untilOver(timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      for (let left = await running(); left > 0; left = await running()) {
        if (performance.now() > deadline) throw new Error(`${left} tasks of ${name} are not over`);
        await sleep(250);
      }
    },
    tasks: async (workflowIds) =>
      (await inParallel(workflowIds, async (id) => (await api.getWorkflow(id)).tasks as EndedTask[])).flat(),
    async cancel(workflowIds) {
      for (let from = 0; from < workflowIds.length; from += 500) {
        await api.call('POST', '/workflow/bulk/terminate', workflowIds.slice(from, from + 500));
      }
    },
  };
}

async function inParallel<In, Out>(items: readonly In[], act: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  let next = 0;
  const line = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await act(items[index] as In);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
  return results;
}
