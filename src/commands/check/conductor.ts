import type { MetadataClient } from '@io-orkes/conductor-javascript';
import type { ServedType } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import { inTime } from '../../in-time.ts';
import { isServed, tasksIn, type WorkflowTask } from '../../workers/conductor/workflow-tasks.ts';
import type { Finding } from './finding.ts';
import type { LongestWait } from './longest-wait.ts';
import { shortTimeouts, type Timeouts } from './short-timeouts.ts';

/** The SDK itself tries for two minutes where it has to log in, which nobody waits for. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Whether Conductor answers, and which LLM tasks its definitions leave unprotected or would end while they wait. */
export async function checkConductor(
  metadata: () => Promise<MetadataClient>,
  served: readonly ServedType[],
  where: string,
  longest: LongestWait,
): Promise<Finding[]> {
  try {
    const [definitions, workflows] = await inTime(definitionsOf(metadata), ANSWER_TIMEOUT_MS);
    const byName = new Map(definitions.map((definition) => [definition.name, definition]));
    const queues = new Set(served.map(({ queue }) => queue));
    // Several versions of a workflow, and several tasks of one name, have the same faults.
    const findings = new Map<string, Finding>();
    for (const workflow of workflows) {
      for (const task of tasksIn(workflow.tasks)) {
        if (!isServed(task, queues)) continue;
        for (const finding of findingsOf(workflow.name, task, byName.get(task.name), longest)) {
          findings.set(JSON.stringify(finding), finding);
        }
      }
    }
    return [...findings.values()];
  } catch (error) {
    const message = `Conductor at ${where} cannot be asked (CONDUCTOR_SERVER_URL): ${messageOf(error)}`;
    return [{ severity: 'error', key: 'conductor', field: '', message, unreachable: true }];
  }
}

function* findingsOf(
  workflow: string,
  task: WorkflowTask,
  registered: Timeouts | undefined,
  longest: LongestWait,
): Iterable<Finding> {
  const place = { severity: 'warning', key: `workflow ${workflow}`, field: task.taskReferenceName } as const;
  // One that the task brings itself comes first (MetadataMapperService).
  if (task.taskDefinition) {
    for (const { field, message } of shortTimeouts(task.taskDefinition, longest)) {
      yield { ...place, field: `${place.field} taskDefinition.${field}`, message };
    }
  } else if (registered !== undefined) {
    for (const { field, message } of shortTimeouts(registered, longest)) {
      yield { severity: 'warning', key: `task definition ${task.name}`, field, message };
    }
  } else {
    // Conductor makes up a definition: for SIMPLE tasks one with an hour, for others one without any timeout.
    const then = task.type === 'SIMPLE' ? 'is tried again only after an hour' : 'stays IN_PROGRESS for ever';
    yield { ...place, message: `no task definition is named "${task.name}": a task whose worker dies ${then}` };
  }
}

async function definitionsOf(metadata: () => Promise<MetadataClient>) {
  const client = await metadata();
  const answers = await Promise.all([client.getAllTaskDefs(), client.getAllWorkflowDefs()]);
  // The SDK hands on whatever came, be it a proxy's page.
  if (!answers.every(Array.isArray)) throw new Error('the answer is not a list of definitions; is it a Conductor?');
  return answers;
}
