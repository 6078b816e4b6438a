import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENVIRONMENT_CREDENTIALS, HOSTED, INTEGRATION_CREDENTIALS, ROLE } from '../../simulator/known.ts';
import { runCli } from '../support/cli.ts';
import { createWorld, type World } from './support/world.ts';

const CONNECTIONS = {
  CONDUCTOR_ROLE: {},
  EXTERNAL_ROLE: { roleArn: ROLE.arn, externalId: 'env:THE_EXTERNAL_ID' },
  ACCESS_KEY: { user: INTEGRATION_CREDENTIALS.accessKeyId, api_key: 'file:api-key' },
} as const;

/** Families whose own ids have ended are called through an ARN; the record says which they are. */
const TEXT_MODELS = {
  command: { model: 'our-command', configuration: { modelId: HOSTED.command, family: 'command' } },
  'command-light': { model: 'our-command-light', configuration: { modelId: HOSTED.commandLight, family: 'command' } },
  'command-r': { model: 'our-command-r', configuration: { modelId: HOSTED.commandR, family: 'command-r' } },
  converse: { model: 'amazon.nova-lite-v1:0', configuration: {} },
} as const;

const EMBEDDING_MODELS = {
  'embed-v3': { model: 'cohere.embed-english-v3', dimensions: 1024 },
  'embed-v4': { model: 'cohere.embed-v4:0', dimensions: 1536 },
} as const;

/** Which access key the simulator must have seen for each connection type. */
const SIGNED_BY = {
  CONDUCTOR_ROLE: ENVIRONMENT_CREDENTIALS.accessKeyId,
  EXTERNAL_ROLE: expect.stringMatching(/^ASIA/),
  ACCESS_KEY: INTEGRATION_CREDENTIALS.accessKeyId,
} as const;

let world: World;
let folder: string;

beforeAll(async () => {
  world = await createWorld('families');
  folder = await mkdtemp(join(tmpdir(), 'families-'));
  await writeFile(join(folder, 'api-key'), `${INTEGRATION_CREDENTIALS.secretAccessKey}\n`);
  const manifest = join(folder, 'catalog.yaml');
  await writeFile(manifest, JSON.stringify(catalog()));
  const applied = await runCli(['apply', '-f', manifest], world.env);
  expect(applied).toMatchObject({ code: 0, stderr: '' });
  await world.startWorker({ SECRET_FILES_DIR: folder, THE_EXTERNAL_ID: ROLE.externalId });
});

afterAll(async () => {
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

/** JSON is YAML: one integration a connection type, every model in each, one application that may use them all. */
function catalog() {
  const types = Object.entries(CONNECTIONS);
  const models = [
    ...Object.values(TEXT_MODELS).map(({ model, configuration }) => ({ model, configuration })),
    ...Object.values(EMBEDDING_MODELS).map(({ model }) => ({ model, configuration: {} })),
  ];
  return {
    integrations: Object.fromEntries(
      types.map(([connectionType, fields]) => [
        connectionType,
        { type: 'aws_bedrock_cohere', configuration: { connectionType, region: 'us-east-1', ...fields } },
      ]),
    ),
    models: Object.fromEntries(
      types.flatMap(([provider]) =>
        models.map(({ model, configuration }) => [`${provider}:${model}`, { configuration }]),
      ),
    ),
    prompts: {
      answer: {
        template: 'never used',
        integrations: types.flatMap(([provider]) => models.map(({ model }) => `${provider}:${model}`)),
        versions: { 2: { template: 'Answer about ${topic} and ${more}' } },
      },
    },
    applications: { families: { workflows: ['families_*'] } },
    grants: [
      ...types.map(([provider]) => ({
        subject: 'USER:app:families',
        target: `INTEGRATION_PROVIDER:${provider}`,
        access: ['EXECUTE'],
      })),
      { subject: 'USER:app:families', target: 'PROMPT:answer', access: ['READ'] },
    ],
  };
}

describe.each(Object.keys(CONNECTIONS) as (keyof typeof CONNECTIONS)[])('over %s', (provider) => {
  it.each(Object.entries(TEXT_MODELS))('completes a text with %s', async (family, { model, configuration }) => {
    const { task, workflow } = await world.runTask({
      workflow: `families_text_${family}_${provider}`,
      type: 'LLM_TEXT_COMPLETE',
      input: {
        llmProvider: provider,
        model,
        promptName: 'answer',
        promptVariables: { topic: 'lanes ${more}', more: [1] },
      },
    });

    expect(workflow.status).toBe('COMPLETED');
    expect(task.outputData).toEqual({
      result: expect.stringContaining('lanes ${more} and [1]'),
      finishReason: 'STOP',
      promptTokens: expect.any(Number),
      completionTokens: expect.any(Number),
      tokenUsed: Number(task.outputData['promptTokens']) + Number(task.outputData['completionTokens']),
    });
    expect((await world.calls()).calls.at(-1)).toMatchObject({
      modelId: 'modelId' in configuration ? configuration.modelId : model,
      region: 'us-east-1',
      accessKeyId: SIGNED_BY[provider],
      status: 200,
    });
  });

  it.each(Object.entries(EMBEDDING_MODELS))('embeds a text with %s', async (family, { model, dimensions }) => {
    const { task, workflow } = await world.runTask({
      workflow: `families_embed_${family}_${provider}`,
      type: 'LLM_GENERATE_EMBEDDINGS',
      input: { llmProvider: provider, model, text: 'leases lapse by themselves' },
    });

    expect(workflow.status).toBe('COMPLETED');
    const vector = task.outputData['result'] as number[];
    expect(vector).toHaveLength(dimensions);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 3);
    expect(task.outputData).toMatchObject({ promptTokens: expect.any(Number), tokenUsed: expect.any(Number) });
    expect(task.outputData).not.toHaveProperty('completionTokens');
    expect((await world.calls()).calls.at(-1)).toMatchObject({
      modelId: model,
      accessKeyId: SIGNED_BY[provider],
      status: 200,
    });
  });
});

describe('what a model and a prompt can be told', () => {
  it('chooses the length of an Embed v4 vector', async () => {
    const { task } = await world.runTask({
      workflow: 'families_dimensions',
      type: 'LLM_GENERATE_EMBEDDINGS',
      input: { llmProvider: 'CONDUCTOR_ROLE', model: 'cohere.embed-v4:0', text: 'short', dimensions: 256 },
    });
    expect(task.outputData['result']).toHaveLength(256);
  });

  it('gives several results where several are asked for', async () => {
    const { task } = await world.runTask({
      workflow: 'families_several',
      type: 'LLM_TEXT_COMPLETE',
      input: { llmProvider: 'CONDUCTOR_ROLE', model: 'our-command', prompt: 'Say it ${twice}', maxResults: 2 },
    });
    expect(task.outputData['results']).toHaveLength(2);
    // A literal prompt without variables is taken as it is, `${…}` included.
    expect((await world.calls()).calls.at(-1)?.body).toMatchObject({ prompt: 'Say it ${twice}', num_generations: 2 });
  });

  it('runs the version that is asked for', async () => {
    const { task } = await world.runTask({
      workflow: 'families_version',
      type: 'LLM_TEXT_COMPLETE',
      input: { llmProvider: 'CONDUCTOR_ROLE', model: 'our-command', promptName: 'answer', promptVersion: 1 },
    });
    expect(task.outputData['result']).toContain('never used');
  });

  it('says MAX_TOKENS when the answer was cut', async () => {
    const { task } = await world.runTask({
      workflow: 'families_cut',
      type: 'LLM_TEXT_COMPLETE',
      input: { llmProvider: 'CONDUCTOR_ROLE', model: 'our-command-r', prompt: 'A long story, please', maxTokens: 3 },
    });
    expect(task.outputData).toMatchObject({ finishReason: 'MAX_TOKENS', completionTokens: 3 });
  });
});
