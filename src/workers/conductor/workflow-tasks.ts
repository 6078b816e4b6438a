import { z } from 'zod';

const seconds = z.number().nullish();

/** Just what is read of a workflow definition; tasks hold tasks in forks, switches, loops and inline sub-workflows. */
const taskShape = z.looseObject({
  name: z.string(),
  taskReferenceName: z.string(),
  type: z.string().default('SIMPLE'),
  /** A definition of the task's own, in place of the registered one of its name. */
  taskDefinition: z
    .object({
      responseTimeoutSeconds: seconds,
      pollTimeoutSeconds: seconds,
      timeoutSeconds: seconds,
      totalTimeoutSeconds: seconds,
      timeoutPolicy: z.string().nullish(),
    })
    .nullish()
    .catch(null),
});
const subWorkflow = z.looseObject({ tasks: z.array(z.unknown()) });
const inlineDefinition = z.object({
  workflowDefinition: z.object({ name: z.string(), tasks: z.array(z.unknown()) }),
});

export type WorkflowTask = z.infer<typeof taskShape>;

/** Which tasks these become is known only when they run. */
const OPEN_TYPES: ReadonlySet<string> = new Set(['DYNAMIC', 'FORK_JOIN_DYNAMIC']);

const NESTED = ['forkTasks', 'loopOver', 'defaultCase', 'decisionCases', 'subWorkflowParam'] as const;

/** All tasks in the `tasks` of a workflow definition, however deep; what is no task is passed over. */
export function* tasksIn(value: unknown): Iterable<WorkflowTask> {
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

/** Whether a task is polled from one of these queues: by its type, or a SIMPLE one by its name. */
export function isServed(task: WorkflowTask, queues: ReadonlySet<string>): boolean {
  return queues.has(task.type) || (task.type === 'SIMPLE' && queues.has(task.name));
}

interface Definition {
  readonly name: string;
  readonly tasks: unknown;
}

/**
 * Names of the workflows, each once, that have tasks of these queues in any version, or may have; an inline sub-workflow
 * runs under its own name (SubWorkflow.start), and counts for those around it, too.
 */
export function workflowsWith(definitions: readonly Definition[], queues: ReadonlySet<string>): string[] {
  const names = new Set<string>();
  const all = definitions.flatMap((definition) => [definition, ...inlineDefinitionsIn(definition.tasks)]);
  for (const { name, tasks } of all) {
    if (names.has(name)) continue;
    for (const task of tasksIn(tasks)) {
      if (isServed(task, queues) || OPEN_TYPES.has(task.type)) {
        names.add(name);
        break;
      }
    }
  }
  return [...names];
}

function* inlineDefinitionsIn(tasks: unknown): Iterable<Definition> {
  for (const { subWorkflowParam } of tasksIn(tasks)) {
    const inline = inlineDefinition.safeParse(subWorkflowParam);
    if (inline.success) yield inline.data.workflowDefinition;
  }
}
