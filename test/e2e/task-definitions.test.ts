import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { createLog } from '../../src/telemetry/log.ts';
import { createFoundTaskNames, type FoundTaskNames } from '../../src/workers/conductor/found-task-names.ts';
import { createConductorSession } from '../../src/workers/conductor/session.ts';
import { conductorForTests } from '../support/conductor.ts';

const conductor = conductorForTests();

/** A task type that only this test serves: names of other tests' workflows are none of ours. */
let type: string;
let names: FoundTaskNames;
beforeEach(() => {
  type = `llm_${randomBytes(3).toString('hex')}`;
  const log = createLog('silent');
  const session = createConductorSession({ apiUrl: `${inject('conductorUrl')}/api`, auth: undefined, log });
  names = createFoundTaskNames({ session, served: [{ type: 'LLM_TEXT_COMPLETE', queue: type }], log });
});
afterEach(() => names.stop());

const definition = (name: string) =>
  conductor.call('GET', `/metadata/taskdefs/${name}`).catch(() => undefined) as Promise<
    Record<string, unknown> | undefined
  >;

/** The task of a workflow started now, as a worker gets it. */
async function polled(workflow: string) {
  await conductor.startWorkflow(workflow);
  const [task] = (await conductor.call('GET', `/tasks/poll/batch/${type}?count=1&timeout=5000&workerid=tests`)) as {
    taskDefinition?: object;
    workflowTask?: { taskDefinition?: object };
  }[];
  return task?.taskDefinition ?? task?.workflowTask?.taskDefinition;
}

it('a name that an author thought of is registered, and protects what starts afterwards; one that exists is not touched', async () => {
  const [odd, theirs, workflow] = [`my_odd_name_${type}`, `theirs_${type}`, `odd_${type}`];
  await conductor.registerTaskDef({ name: theirs, retryCount: 1, responseTimeoutSeconds: 7 });
  const before = await definition(theirs);
  await conductor.registerWorkflow({
    name: workflow,
    tasks: [
      { name: odd, taskReferenceName: 'odd', type },
      { name: theirs, taskReferenceName: 'theirs', type },
    ],
  });
  // What tells a worker that a polled task has no definition: Conductor embeds one without timeouts.
  expect(await polled(workflow)).toMatchObject({ name: odd, retryCount: 0, responseTimeoutSeconds: 0 });

  names.start();
  await expect
    .poll(() => definition(odd), { timeout: 20_000 })
    .toMatchObject({
      retryCount: 3,
      retryLogic: 'EXPONENTIAL_BACKOFF',
      responseTimeoutSeconds: 60,
      timeoutSeconds: 0,
    });
  expect(await definition(theirs)).toEqual(before);
  expect(await polled(workflow)).toMatchObject({ name: odd, retryCount: 3, responseTimeoutSeconds: 60 });
});

it('the name of a polled task is registered, though no workflow definition has it', async () => {
  // A path cannot hold the slash, however it is written.
  const polledNames = [`polled_${type}`, `polled ${type}/ä`];
  names.start();
  for (const name of polledNames) names.noticeTask(name, false);
  const defined = async () => {
    const all = (await conductor.call('GET', '/metadata/taskdefs')) as { name: string }[];
    return all.map(({ name }) => name);
  };
  await expect.poll(defined, { timeout: 20_000 }).toEqual(expect.arrayContaining(polledNames));
});
