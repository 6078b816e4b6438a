import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WorkflowDefinition } from '../../devservers/conductor-api.ts';
import { runCli } from '../support/cli.ts';
import { createWorld, type World } from './support/world.ts';

const NOVA = 'amazon.nova-lite-v1:0';
const PIXEL = 'data:image/png;base64,iVBORw0KGgo=';

let world: World;

beforeAll(async () => {
  world = await createWorld('chat');
  const applied = await runCli(['apply', '-f', 'examples/chat'], world.env);
  expect(applied).toMatchObject({ code: 0, stderr: '' });
  await world.startWorker();
});

afterAll(() => world?.close());

async function runExample(file: string, input: object) {
  const definition = JSON.parse(await readFile(`examples/chat/${file}`, 'utf8')) as WorkflowDefinition;
  await world.conductor.registerWorkflow(definition);
  const taskToDomain = { '*': world.env['TASK_DOMAIN'] ?? '' };
  return await world.conductor.waitForWorkflow(
    await world.conductor.startWorkflow(definition.name, input, { taskToDomain }),
  );
}

const bodies = async () => (await world.calls()).calls.map(({ body }) => body);

describe('the examples of chat', () => {
  it('have an agent whose model calls a tool, which Conductor runs, and that answers from what the tool said', async () => {
    const workflow = await runExample('agent-workflow.json', { question: 'How many widgets are there?' });
    expect(workflow).toMatchObject({ status: 'COMPLETED', output: { tool: 'stock_of_part' } });
    const [ask, , tool, answer] = workflow.tasks;
    expect(ask?.outputData).toMatchObject({
      finishReason: 'TOOL_CALLS',
      toolCalls: [
        {
          taskReferenceName: expect.stringMatching(/^tooluse_/),
          name: 'stock_of_part',
          type: 'SIMPLE',
          inputParameters: { method: 'stock_of_part', part: 'simulated' },
        },
      ],
      promptTokens: expect.any(Number),
    });
    expect(tool?.outputData['result']).toEqual({ part: 'simulated', stock: 42 });
    expect(answer?.outputData).toMatchObject({ finishReason: 'STOP', result: expect.stringContaining('42') });
    expect(answer?.outputData).not.toHaveProperty('toolCalls');

    const [, second] = (await bodies()).slice(-2);
    const [call] = (ask?.outputData['toolCalls'] ?? []) as { taskReferenceName: string }[];
    const id = call?.taskReferenceName;
    expect(second).toMatchObject({
      system: [{ text: 'You are a clerk of Example Corp. Answer in one sentence.' }],
      messages: [
        { role: 'user', content: [{ text: 'How many widgets are there?' }] },
        {
          role: 'assistant',
          content: [{ toolUse: { toolUseId: id, name: 'stock_of_part', input: { part: 'simulated' } } }],
        },
        {
          role: 'user',
          content: [{ toolResult: { toolUseId: id, content: [{ json: { part: 'simulated', stock: 42 } }] } }],
        },
      ],
    });
  });

  it('have an answer with citations from Command R', async () => {
    const documents = ['Widgets are blue.', { title: 'Gadgets', snippet: 'Gadgets are red.' }];
    const workflow = await runExample('citations-workflow.json', { question: 'Which are blue?', documents });
    expect(workflow).toMatchObject({
      status: 'COMPLETED',
      output: { citations: [{ start: 0, end: expect.any(Number), text: expect.any(String), documentIds: ['doc_0'] }] },
    });
    expect((await bodies()).at(-1)).toMatchObject({
      message: 'Which are blue?',
      preamble: expect.stringContaining('clerk of Example Corp'),
      documents: [{ snippet: 'Widgets are blue.' }, { title: 'Gadgets', snippet: 'Gadgets are red.' }],
    });
  });
});

describe('a chat task', () => {
  const chat = (workflow: string, input: Record<string, unknown>) =>
    world.runTask({
      workflow: `chat_${workflow}`,
      type: 'LLM_CHAT_COMPLETE',
      input: { llmProvider: 'bedrock-chat', model: NOVA, ...input },
    });

  it('takes images from data URIs, which reach Bedrock as they are, and from nowhere else', async () => {
    const { task } = await chat('image', { messages: [{ role: 'user', message: 'What is it?', media: [PIXEL] }] });
    expect(task.status).toBe('COMPLETED');
    expect((await bodies()).at(-1)).toMatchObject({
      messages: [
        {
          content: [{ text: 'What is it?' }, { image: { format: 'png', source: { bytes: 'iVBORw0KGgo=' } } }],
        },
      ],
    });
    const messages = [{ role: 'user', message: 'What is it?', media: ['http://127.0.0.1:1/a.png'] }];
    const refused = await chat('address', { messages });
    expect(refused.task).toMatchObject({
      status: 'FAILED_WITH_TERMINAL_ERROR',
      outputData: { error: { code: 'INPUT_INVALID', field: 'messages.0.media.0' } },
    });
  });

  it('gives a JSON object as one where nothing is said of it, as the open-source server does', async () => {
    const messages = [{ role: 'user', message: 'Answer with JSON: which method?' }];
    expect((await chat('json', { messages })).task.outputData['result']).toMatchObject({
      confidence: expect.any(Number),
    });
    const { task } = await chat('no_json', { messages, jsonOutput: false });
    expect(task.outputData['result']).toEqual(expect.stringContaining('"confidence"'));
  });

  it('is denied instructions that are not granted', async () => {
    await world.redis.hset(
      world.key('prompts'),
      'secret',
      JSON.stringify({ template: 'x', integrations: [`bedrock-chat:${NOVA}`] }),
    );
    const { task } = await chat('denied', { messages: [{ role: 'user', message: 'Hi' }], instructions: 'secret' });
    expect(task).toMatchObject({
      status: 'FAILED_WITH_TERMINAL_ERROR',
      outputData: { error: { code: 'PERMISSION_DENIED', field: 'instructions' } },
    });
  });
});
