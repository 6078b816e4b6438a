import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskState, WorkflowDefinition, WorkflowState } from '../devservers/conductor-api.ts';
import type { Environment } from './environment.ts';
import { EXAMPLES, QuickstartFailure } from './worker.ts';

/** What both workflows are given. */
export const TEXT =
  'Conductor runs workflows whose tasks are done by workers. This worker does the LLM tasks: it looks up the ' +
  'integration, the model and the prompt that a task names, asks whether the workflow may use them, and only then ' +
  'calls Amazon Bedrock. Administrators set limits for each model, and every denial goes on record.';

export interface Completed {
  readonly workflow: string;
  readonly workflowId: string;
  readonly summary: string;
  readonly finishReason: string | undefined;
  readonly tokens: { readonly total?: number; readonly prompt?: number; readonly completion?: number };
  readonly embedding: readonly number[];
}

export interface Denied {
  readonly workflow: string;
  readonly workflowId: string;
  readonly workflowStatus: string;
  readonly taskStatus: string;
  readonly code: string | undefined;
  readonly reason: string;
}

/** Registers the workflow and runs it to its end. @throws QuickstartFailure where it did not complete */
export async function runSummary(environment: Environment, domain: string | undefined): Promise<Completed> {
  const { name, state } = await runWorkflow(environment, 'workflow.json', domain);
  const [complete, embed] = state.tasks;
  if (state.status !== 'COMPLETED' || complete === undefined || embed === undefined) {
    throw new QuickstartFailure(`Workflow ${name} ended as ${state.status}: ${reasonOf(state)}`);
  }
  const { result, finishReason, tokenUsed, promptTokens, completionTokens } = complete.outputData;
  return {
    workflow: name,
    workflowId: state.workflowId,
    summary: String(result),
    finishReason: typeof finishReason === 'string' ? finishReason : undefined,
    tokens: {
      ...(typeof tokenUsed === 'number' ? { total: tokenUsed } : {}),
      ...(typeof promptTokens === 'number' ? { prompt: promptTokens } : {}),
      ...(typeof completionTokens === 'number' ? { completion: completionTokens } : {}),
    },
    embedding: embed.outputData['result'] as number[],
  };
}

/** Registers and runs the workflow that may not. @throws QuickstartFailure where it was not denied */
export async function runDenied(environment: Environment, domain: string | undefined): Promise<Denied> {
  const { name, state } = await runWorkflow(environment, 'denied-workflow.json', domain);
  const task: TaskState | undefined = state.tasks[0];
  const error = task?.outputData['error'] as { code?: string } | undefined;
  if (task === undefined || error?.code !== 'PERMISSION_DENIED') {
    throw new QuickstartFailure(
      `Workflow ${name} should have been denied, but ended as ${state.status}: ${reasonOf(state)}`,
    );
  }
  return {
    workflow: name,
    workflowId: state.workflowId,
    workflowStatus: state.status,
    taskStatus: task.status,
    code: error.code,
    reason: task.reasonForIncompletion ?? '',
  };
}

async function runWorkflow({ conductor }: Environment, file: string, domain: string | undefined) {
  const definition = JSON.parse(await readFile(join(EXAMPLES, file), 'utf8')) as WorkflowDefinition;
  await conductor.registerWorkflow(definition);
  const taskToDomain = domain === undefined ? {} : { taskToDomain: { '*': domain } };
  const workflowId = await conductor.startWorkflow(definition.name, { text: TEXT }, taskToDomain);
  const state = await conductor.waitForWorkflow(workflowId, undefined, 60_000).catch((cause: Error) => {
    throw new QuickstartFailure(`${cause.message}. The worker's log tells more.`);
  });
  return { name: definition.name, state };
}

function reasonOf({ reasonForIncompletion, tasks }: WorkflowState): string {
  const reason = reasonForIncompletion ?? tasks.find((task) => task.reasonForIncompletion)?.reasonForIncompletion;
  return (reason ?? 'no reason was given').replaceAll(/\s+/g, ' ');
}
