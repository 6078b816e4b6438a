import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowExecutor } from '@io-orkes/conductor-javascript';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { WorkflowDefinition } from '../../devservers/conductor-api.ts';
import { retrieval } from '../../examples/retrieval/workflow.ts';
import { ROOT } from '../docs/markdown.ts';
import { runCli } from '../support/cli.ts';
import { createWorld, type World } from './support/world.ts';

const EMBED_V4 = 'cohere.embed-v4:0';

let world: World;
beforeAll(async () => {
  world = await createWorld('retrieval');
  const applied = await runCli(['apply', '-f', join(ROOT, 'examples/retrieval')], world.env);
  expect(applied).toMatchObject({ code: 0 });
  await world.startWorker();
});
beforeEach(() => world.control('calls', undefined, 'DELETE'));
afterAll(() => world?.close());

const embed = (workflow: string, input: Record<string, unknown>) =>
  world.runTask({
    workflow: `search_${workflow}`,
    type: 'LLM_GENERATE_EMBEDDINGS',
    input: { llmProvider: 'bedrock-search', model: EMBED_V4, ...input },
  });
const textsOf = (call: { body: Record<string, unknown> }) => call.body['texts'] as string[];

const EXAMPLES = {
  'in JSON': async () =>
    JSON.parse(await readFile(join(ROOT, 'examples/retrieval/workflow.json'), 'utf8')) as WorkflowDefinition,
  'in TypeScript': async () =>
    ({ ...retrieval({} as WorkflowExecutor).toWorkflowDef(), version: 2 }) as unknown as WorkflowDefinition,
};

it.each(Object.entries(EXAMPLES))('the example %s finds the document that answers a question', async (_, read) => {
  const definition = await read();
  await world.conductor.registerWorkflow(definition);
  const documents = [
    'Windows are cleaned twice a year.',
    'A roof that leaks after a storm is covered by the policy.',
    'Invoices are paid within thirty days.',
  ];
  const input = { question: 'Is a roof covered that leaks after a storm?', documents };
  const id = await world.conductor.startWorkflow(definition.name, input, {
    taskToDomain: { '*': world.env['TASK_DOMAIN'] ?? '' },
  });
  const { status, output, tasks } = await world.conductor.waitForWorkflow(id);
  expect(status, JSON.stringify(tasks.map((task) => task.reasonForIncompletion))).toBe('COMPLETED');
  expect(output['vectors']).toHaveLength(3);
  for (const vector of output['vectors'] as object[]) {
    expect(vector).toEqual({ int8: expect.any(Array) });
    expect((vector as { int8: number[] }).int8).toHaveLength(512);
  }
  expect(output['question']).toHaveLength(512);
  expect(output['best']).toEqual([
    { index: 1, score: expect.any(Number), document: documents[1] },
    { index: expect.any(Number), score: expect.any(Number), document: expect.any(String) },
  ]);
  expect((await world.calls()).calls.map(({ body }) => body['input_type'])).toEqual([
    'search_document',
    'search_query',
    undefined,
  ]);
});

it('more texts than one request holds come back in order, in one output', async () => {
  const texts = Array.from({ length: 150 }, (_, index) => `Claim ${index} about a roof`);
  const { task, workflow } = await embed('many', { texts, dimensions: 256 });
  expect(workflow.status).toBe('COMPLETED');
  const result = task.outputData['result'] as number[][];
  expect(result).toHaveLength(150);
  const { calls } = await world.calls();
  expect(calls.map((call) => textsOf(call).length)).toEqual([96, 54]);
  // The simulator gives a text the same vector wherever it stands.
  for (const index of [0, 95, 96, 149]) {
    const alone = await embed('alone', { text: texts[index], dimensions: 256 });
    expect(alone.task.outputData['result']).toEqual(result[index]);
  }
  expect(task.outputData).toMatchObject({ tokenUsed: expect.any(Number), promptTokens: task.outputData['tokenUsed'] });
});

it('images, and mixes of texts and images, become vectors', async () => {
  const image =
    'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  const images = await embed('images', { images: [image, image] });
  expect(images.task.outputData['result']).toHaveLength(2);
  const content = [
    { type: 'text', text: 'page 1' },
    { type: 'image_url', image_url: { url: image } },
  ];
  const mixed = await embed('mixed', { inputs: [{ content }], embeddingTypes: ['float', 'ubinary'] });
  expect(mixed.task.outputData['result']).toEqual([{ float: expect.any(Array), ubinary: expect.any(Array) }]);
});

it('documents that are objects are ranked by their fields', async () => {
  const documents = [
    { id: 1, title: 'Windows', text: 'cleaned twice a year' },
    { id: 2, title: 'Roofs', text: 'covered when they leak' },
  ];
  const { task } = await world.runTask({
    workflow: 'search_objects',
    type: 'LLM_RERANK',
    input: {
      ...{ llmProvider: 'bedrock-search', model: 'cohere.rerank-v3-5:0', query: 'roofs that leak' },
      ...{ documents, rankFields: ['title', 'text'], returnDocuments: true },
    },
  });
  expect((task.outputData['result'] as object[])[0]).toEqual({
    index: 1,
    score: expect.any(Number),
    document: documents[1],
  });
  expect((await world.calls()).calls[0]?.body['documents']).toContain('title: Roofs\ntext: covered when they leak\n');
});

it('the open-source server keeps schemas in a task definition and enforces none; it has no registry of them', async () => {
  const schema = JSON.parse(await readFile(join(ROOT, 'schemas/llm_rerank_input.json'), 'utf8'));
  await expect(world.conductor.call('POST', '/schema', [schema])).rejects.toThrow(/404/);
  const never = { ...schema, data: { ...schema.data, required: ['never'] } };
  const definition = { name: 'search_schemas', inputSchema: never, enforceSchema: true, ownerEmail: 'you@example.com' };
  await world.conductor.registerTaskDef(definition);
  expect(await world.conductor.call('GET', '/metadata/taskdefs/search_schemas')).toMatchObject({
    inputSchema: { name: 'llm_rerank_input', data: never.data },
    enforceSchema: true,
  });
  const { workflow } = await world.runTask({
    workflow: 'search_schemas',
    type: 'LLM_RERANK',
    name: 'search_schemas',
    input: { llmProvider: 'bedrock-search', model: 'cohere.rerank-v3-5:0', query: 'q', documents: ['a'] },
  });
  expect(workflow.status).toBe('COMPLETED');
});
