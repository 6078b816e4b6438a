import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { WorkflowDefinition } from '../../devservers/conductor-api.ts';
import {
  chatCompletion,
  embeddings,
  guardrails,
  mcpAgent,
  multiTurn,
  NOT_SERVED,
  notServed,
  refund,
  router,
} from './support/open-source-examples.ts';
import { createWorld, type World } from './support/world.ts';

const NOVA = 'amazon.nova-lite-v1:0';
const EMBED = 'cohere.embed-v4:0';

let world: World;

beforeAll(async () => {
  world = await createWorld('oss');
  const integration = JSON.stringify({
    type: 'aws_bedrock_cohere',
    configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
  });
  await world.redis.hset(world.key('integrations'), { openai: integration, anthropic: integration });
  const called = (modelId: string) => JSON.stringify({ configuration: { modelId } });
  await world.redis.hset(world.key('models'), {
    'openai:gpt-4o-mini': called(NOVA),
    'openai:gpt-4o': called(NOVA),
    'anthropic:claude-3-5-sonnet-20241022': called(NOVA),
    'openai:text-embedding-3-small': called(EMBED),
  });
  await world.redis.hset(world.key('applications'), 'oss', '{"workflows":["oss_*"]}');
  await world.redis.hset(world.key('grants:USER:app:oss'), {
    'INTEGRATION_PROVIDER:openai': 'EXECUTE',
    'INTEGRATION_PROVIDER:anthropic': 'EXECUTE',
  });
  await world.startWorker();
});
beforeEach(() => world.control('calls', undefined, 'DELETE'));
afterAll(() => world?.close());

const domain = () => world.env['TASK_DOMAIN'] ?? '';

async function start(definition: WorkflowDefinition, input: object = {}): Promise<string> {
  await world.conductor.registerWorkflow(definition);
  return await world.conductor.startWorkflow(definition.name, input, { taskToDomain: { '*': domain() } });
}

async function run(definition: WorkflowDefinition, input: object = {}) {
  const workflow = await world.conductor.waitForWorkflow(await start(definition, input));
  const reasons = workflow.tasks.map(({ reasonForIncompletion }) => reasonForIncompletion);
  expect(workflow.status, JSON.stringify(reasons)).toBe('COMPLETED');
  return workflow;
}

/** What the model answers next, one text a call. */
const answer = (...texts: readonly string[]) =>
  world.control('faults', {
    model: NOVA,
    fault: texts.map((text) => ({
      times: 1,
      body: {
        output: { message: { role: 'assistant', content: [{ text }] } },
        stopReason: 'end_turn',
        usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 },
      },
    })),
  });

const bodies = async () => (await world.calls()).calls.map(({ body }) => body);

it('a chat completes, by the records that have the names of its provider and model', async () => {
  const { tasks } = await run(chatCompletion);
  expect(tasks[0]?.outputData).toMatchObject({ result: expect.any(String), finishReason: 'STOP' });
  expect(await bodies()).toMatchObject([
    {
      system: [{ text: 'You help people.' }],
      messages: [{ role: 'user', content: [{ text: 'Which city is the capital of France?' }] }],
      inferenceConfig: { temperature: 0.7, maxTokens: 500 },
    },
  ]);
});

it('a text becomes a vector', async () => {
  const { tasks } = await run(embeddings);
  expect(tasks[0]?.outputData['result']).toHaveLength(1536);
});

it('an agent plans a call of a tool in JSON that nobody asked to be parsed, and says what came of it', async () => {
  await answer('```json\n{"method": "weather", "arguments": {"city": "Oslo"}}\n```', 'It is cold.');
  const id = await start(mcpAgent, { task: 'How is the weather in Oslo?' });
  // The tools' tasks are the server's own where its AI switch is on; here the test does them.
  await serve('LIST_MCP_TOOLS', () => ({ tools: [{ name: 'weather' }] }));
  const asked = await serve('CALL_MCP_TOOL', () => ({ content: [{ type: 'text', text: '3 degrees' }] }));
  expect(asked).toMatchObject({ method: 'weather', arguments: { city: 'Oslo' } });
  const workflow = await world.conductor.waitForWorkflow(id);
  expect(workflow).toMatchObject({ status: 'COMPLETED', output: { summary: 'It is cold.' } });
  expect(JSON.stringify((await bodies())[1])).toContain('3 degrees');
});

async function serve(type: string, output: () => object): Promise<unknown> {
  const path = `/tasks/poll/batch/${type}?domain=${domain()}&count=1&timeout=5000&workerid=tests`;
  let task: { taskId: string; workflowInstanceId: string; inputData: object } | undefined;
  await expect
    .poll(
      async () => {
        [task] = (await world.conductor.call('GET', path)) as [typeof task];
        return task;
      },
      { timeout: 20_000 },
    )
    .toBeDefined();
  const { taskId, workflowInstanceId, inputData } = task ?? { inputData: {} };
  const outcome = { taskId, workflowInstanceId, status: 'COMPLETED', outputData: output() };
  await world.conductor.call('POST', '/tasks', outcome);
  return inputData;
}

it('a chain of two turns completes, though no answer here has an id to go on from', async () => {
  const { output, tasks } = await run(multiTurn, { topic: 'a bridge' });
  expect(output).toEqual({ architecture: expect.any(String), risks: expect.any(String) });
  expect(tasks[1]?.inputData).toMatchObject({ previousResponseId: null });
});

it('a router starts the workflow that the model chose', async () => {
  await answer('{"workflow": "oss_refund", "reason": "charged twice"}');
  await world.conductor.registerWorkflow(refund);
  const { output } = await run(router, { request: 'I was charged twice' });
  expect(output).toMatchObject({
    selected: 'oss_refund',
    routed: { route: 'refund', routingReason: 'charged twice' },
  });
});

it('guardrails branch on what the model says, as true and false', async () => {
  await answer('{"permitted": true, "reason": "fine"}', '{"answer": "42"}', '{"permitted": false, "reason": "no"}');
  const input = { userInput: 'What is six times seven?', policy: 'Sums only' };
  expect((await run(guardrails, input)).output).toEqual({ answer: '42' });
  const refused = await world.conductor.waitForWorkflow(await start(guardrails, input));
  expect(refused).toMatchObject({ status: 'FAILED', output: { error: 'input_policy_denied' } });
});

it.each(Object.keys(NOT_SERVED) as (keyof typeof NOT_SERVED)[])(
  '%s, which no model here has, is refused',
  async (input) => {
    const { tasks } = await world.conductor.waitForWorkflow(await start(notServed(input), { question: 'Why?' }));
    expect(tasks[0]).toMatchObject({
      status: 'FAILED_WITH_TERMINAL_ERROR',
      outputData: { error: { code: 'INPUT_INVALID', field: input } },
    });
    expect(await bodies()).toEqual([]);
  },
);
