import type { MetadataClient } from '@io-orkes/conductor-javascript';
import { z } from 'zod';
import type { ServedType } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import { inTime } from '../../in-time.ts';
import type { Finding } from './finding.ts';

const TIMEOUTS = ['pollTimeoutSeconds', 'timeoutSeconds', 'totalTimeoutSeconds'] as const;
const seconds = z.number().nullish();
const timeouts = z.object({ pollTimeoutSeconds: seconds, timeoutSeconds: seconds, totalTimeoutSeconds: seconds });

/** Just what is read of a workflow definition; tasks hold tasks in forks, switches, loops and inline sub-workflows. */
const taskShape = z.looseObject({
  name: z.string(),
  taskReferenceName: z.string(),
  type: z.string().default('SIMPLE'),
  taskDefinition: timeouts.nullish().catch(null),
});
const subWorkflow = z.looseObject({ tasks: z.array(z.unknown()) });
type WorkflowTask = z.infer<typeof taskShape>;
const NESTED = ['forkTasks', 'loopOver', 'defaultCase', 'decisionCases', 'subWorkflowParam'] as const;

/** The SDK itself tries for two minutes where it has to log in, which nobody waits for. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Whether Conductor answers, and which LLM tasks its definitions leave unprotected or would end while they wait. */
export async function checkConductor(
  metadata: () => Promise<MetadataClient>,
  served: readonly ServedType[],
  where: string,
  /** How long a task may be put off, in seconds: a definition that gives it less may end it while it waits. */
  longestDeferral: number,
): Promise<Finding[]> {
  try {
    const [definitions, workflows] = await inTime(definitionsOf(metadata), ANSWER_TIMEOUT_MS);
    const byName = new Map(definitions.map((definition) => [definition.name, definition]));
    const queues = new Set(served.map(({ queue }) => queue));
    const findings: Finding[] = [];
    const timed = new Set<string>();
    for (const workflow of workflows) {
      for (const task of tasksIn(workflow.tasks)) {
        if (!queues.has(task.type) && !(task.type === 'SIMPLE' && queues.has(task.name))) continue;
        const definition = byName.get(task.name) ?? task.taskDefinition ?? undefined;
        const place = { key: `workflow ${workflow.name}`, field: task.taskReferenceName };
        if (definition === undefined) {
          findings.push({
            severity: 'warning',
            ...place,
            message: `no task definition is named "${task.name}": a task whose worker dies stays IN_PROGRESS for ever`,
          });
        } else if (!timed.has(task.name)) {
          timed.add(task.name);
          findings.push(...shortTimeouts(task.name, definition, longestDeferral));
        }
      }
    }
    return findings;
  } catch (error) {
    const message = `Conductor at ${where} cannot be asked (CONDUCTOR_SERVER_URL): ${messageOf(error)}`;
    return [{ severity: 'error', key: 'conductor', field: '', message, unreachable: true }];
  }
}

async function definitionsOf(metadata: () => Promise<MetadataClient>) {
  const client = await metadata();
  const answers = await Promise.all([client.getAllTaskDefs(), client.getAllWorkflowDefs()]);
  // The SDK hands on whatever came, be it a proxy's page.
  if (!answers.every(Array.isArray)) throw new Error('the answer is not a list of definitions; is it a Conductor?');
  return answers;
}

function shortTimeouts(
  name: string,
  definition: { readonly [K in (typeof TIMEOUTS)[number]]?: number | null | undefined },
  longestDeferral: number,
): Finding[] {
  return TIMEOUTS.filter((field) => (definition[field] ?? 0) > 0 && (definition[field] ?? 0) < longestDeferral).map(
    (field) => ({
      severity: 'warning',
      key: `task definition ${name}`,
      field,
      message: `${definition[field]} s may end a task that waits for a busy model; 0 means no limit`,
    }),
  );
}

function* tasksIn(value: unknown): Iterable<WorkflowTask> {
  if (Array.isArray(value)) {
    for (const item of value) yield* tasksIn(item);
    return;
  }
  const inline = subWorkflow.safeParse(value);
  if (inline.success) yield* tasksIn(inline.data.tasks);
  const task = taskShape.safeParse(value);
  if (!task.success) return;
  yield task.data;
  for (const field of NESTED) {
    const nested = task.data[field];
    if (Array.isArray(nested)) yield* tasksIn(nested);
    else if (typeof nested === 'object' && nested !== null) yield* tasksIn(Object.values(nested));
  }
}
