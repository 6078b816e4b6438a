/** What the clients of Orkes' JavaScript SDK for integrations and prompts do, against a running `admin`. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Server } from '../../../devservers/server.ts';
import { startSimulator } from '../../../devservers/simulator.ts';
import { INTEGRATION_CREDENTIALS } from '../../../simulator/known.ts';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import { connectOrkesSdk, type OrkesSdk } from '../support/orkes-sdk.ts';

const EMBED = 'cohere.embed-v4:0';
const CHAT = 'amazon.nova-lite-v1:0';
const USER = INTEGRATION_CREDENTIALS.accessKeyId;

let simulator: Server;
let server: RunningAdmin;
let sdk: OrkesSdk;

beforeAll(async () => {
  simulator = await startSimulator();
  server = await startAdminServer(inject('redisUrl'), { AWS_ENDPOINT_URL_BEDROCK_RUNTIME: simulator.url });
  sdk = await connectOrkesSdk(server);
});

afterAll(async () => {
  sdk?.close();
  await server?.stop();
  await simulator?.stop();
});

const integration = (configuration: Record<string, string>) => ({
  type: 'aws_bedrock_cohere',
  category: 'AI_MODEL' as const,
  description: 'By the SDK',
  enabled: true,
  configuration: { region: 'us-east-1', ...configuration },
});

describe('IntegrationClient', () => {
  it('creates an integration of each connection type and reads it back, secrets masked', async () => {
    const { integrations } = sdk;
    await integrations.saveIntegrationProvider('by-conductor', integration({ connectionType: 'CONDUCTOR_ROLE' }));
    await integrations.saveIntegrationProvider(
      'by-role',
      integration({
        connectionType: 'EXTERNAL_ROLE',
        roleArn: 'arn:aws:iam::123456789012:role/cohere',
        externalId: 'the-external-id',
        awsAccountId: '123456789012',
      }),
    );
    await integrations.saveIntegrationProvider(
      'by-key',
      integration({ connectionType: 'ACCESS_KEY', user: USER, api_key: INTEGRATION_CREDENTIALS.secretAccessKey }),
    );
    const all = await integrations.getIntegrationProviders();
    expect(all.map(({ name, configuration }) => [name, configuration])).toEqual([
      ['by-conductor', { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' }],
      ['by-key', { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: USER, api_key: '********' }],
      [
        'by-role',
        {
          connectionType: 'EXTERNAL_ROLE',
          region: 'us-east-1',
          roleArn: 'arn:aws:iam::123456789012:role/cohere',
          externalId: '********',
          awsAccountId: '********',
        },
      ],
    ]);
    expect(await integrations.getIntegrationProvider('by-key')).toMatchObject({
      name: 'by-key',
      type: 'aws_bedrock_cohere',
      category: 'AI_MODEL',
      description: 'By the SDK',
      enabled: true,
      modelsCount: 0,
      tags: [],
      createdBy: expect.stringMatching(/^app:/),
    });
  });

  it('takes what it read, changed, as an update that keeps the secret', async () => {
    const { integrations } = sdk;
    const read = await integrations.getIntegrationProvider('by-key');
    await integrations.saveIntegrationProvider('by-key', { ...read, description: 'Changed', enabled: false });
    expect(await integrations.getIntegrationProvider('by-key')).toMatchObject({
      description: 'Changed',
      enabled: false,
      configuration: { api_key: '********', user: USER },
    });
    await integrations.saveIntegrationProvider('by-key', { ...read, enabled: true });
  });

  it('adds models, whose names have colons, and reads them back', async () => {
    const { integrations } = sdk;
    await integrations.saveIntegrationApi('by-key', EMBED, {
      description: 'Embeddings',
      enabled: true,
      configuration: { maxConcurrency: 8 },
      maxTokens: 1_000_000,
      frequency: 'daily',
    });
    await integrations.saveIntegrationApi('by-key', CHAT, { description: 'Text', enabled: false, configuration: {} });
    expect(await integrations.getIntegrationApi('by-key', EMBED)).toMatchObject({
      integrationName: 'by-key',
      api: EMBED,
      description: 'Embeddings',
      enabled: true,
      configuration: { maxConcurrency: 8 },
      maxTokens: 1_000_000,
      frequency: 'daily',
      tags: [],
    });
    // The SDK asks for all of them, active or not.
    const apis = await integrations.getIntegrationApis('by-key');
    expect(apis.map(({ api, enabled }) => [api, enabled])).toEqual([
      [CHAT, false],
      [EMBED, true],
    ]);
    expect(await integrations.getIntegrationAvailableApis('by-key')).toEqual([CHAT, EMBED]);
  });

  it('lists integrations with their models, and forms, by category and whether they are active', async () => {
    const { integrations } = sdk;
    const all = await integrations.getIntegrations();
    expect(all.map(({ name, modelsCount, apis }) => [name, modelsCount, apis?.map(({ api }) => api)])).toEqual([
      ['by-conductor', 0, []],
      ['by-key', 2, [CHAT, EMBED]],
      ['by-role', 0, []],
    ]);
    const active = await integrations.getIntegrations('AI_MODEL', true);
    expect(active.find(({ name }) => name === 'by-key')?.apis?.map(({ api }) => api)).toEqual([EMBED]);
    expect(await integrations.getIntegrations('VECTOR_DB', true)).toEqual([]);
    expect(await integrations.getProvidersAndIntegrations()).toEqual([`by-key:${CHAT}`, `by-key:${EMBED}`]);
    expect(await integrations.getProvidersAndIntegrations('aws_bedrock_cohere', true)).toEqual([`by-key:${EMBED}`]);
    expect(await integrations.getProvidersAndIntegrations('openai')).toEqual([]);
    const [form] = await integrations.getIntegrationProviderDefs();
    expect(form).toMatchObject({ type: 'aws_bedrock_cohere', category: 'AI_MODEL', enabled: true });
    expect(form?.configuration?.map(({ fieldName, fieldType }) => [fieldName, fieldType])).toEqual([
      ['connectionType', 'DROPDOWN'],
      ['region', 'TEXT'],
      ['awsAccountId', 'PASSWORD'],
      ['roleArn', 'TEXT'],
      ['externalId', 'PASSWORD'],
      ['user', 'TEXT'],
      ['api_key', 'PASSWORD'],
    ]);
  });

  it('adds tags, keeps those that are there, and takes them off', async () => {
    const { integrations } = sdk;
    const [gold, silver] = [
      { key: 'tier', value: 'gold' },
      { key: 'tier', value: 'silver' },
    ];
    await integrations.setProviderTags('by-key', [gold]);
    await integrations.setProviderTags('by-key', [silver]);
    expect(await integrations.getProviderTags('by-key')).toEqual([gold, silver]);
    await integrations.deleteProviderTags('by-key', [gold]);
    expect(await integrations.getProviderTags('by-key')).toEqual([silver]);
    await integrations.setIntegrationTags('by-key', EMBED, [gold, silver]);
    expect(await integrations.getIntegrationTags('by-key', EMBED)).toEqual([gold, silver]);
    await integrations.deleteIntegrationTags('by-key', EMBED, [silver]);
    expect(await integrations.getIntegrationTags('by-key', EMBED)).toEqual([gold]);
    expect((await integrations.getIntegrationApi('by-key', EMBED)).tags).toEqual([gold]);
  });

  it('says in the words of the API what was wrong', async () => {
    const { integrations } = sdk;
    await expect(integrations.getIntegrationProvider('nowhere')).rejects.toThrow(/There is no integration nowhere/);
    await expect(
      integrations.saveIntegrationProvider('by-key', { ...integration({ connectionType: 'BY_MAGIC' }) }),
    ).rejects.toThrow(/connectionType/);
  });
});

describe('PromptClient', () => {
  const TEMPLATE = 'Summarize:\n"${text}" — in ${language}, 100 % of it';

  it('saves a prompt for models, and overwrites its text', async () => {
    const { prompts } = sdk;
    await prompts.savePrompt('summarize', 'Sums up', TEMPLATE, [`by-key:${EMBED}`, `by-key:${CHAT}`]);
    expect(await prompts.getPrompt('summarize')).toMatchObject({
      name: 'summarize',
      description: 'Sums up',
      template: TEMPLATE,
      variables: ['text', 'language'],
      integrations: [`by-key:${EMBED}`, `by-key:${CHAT}`],
      version: 1,
      tags: [],
    });
    await prompts.updatePrompt('summarize', 'Sums up, still', 'Shorter: ${text}', [`by-key:${CHAT}`]);
    expect(await prompts.getPrompt('summarize')).toMatchObject({
      description: 'Sums up, still',
      template: 'Shorter: ${text}',
      variables: ['text'],
      integrations: [`by-key:${CHAT}`],
      version: 1,
    });
    await prompts.savePrompt('unlinked', 'For no model yet', 'Hi');
    expect((await prompts.getPrompts()).map(({ name }) => name)).toEqual(['summarize', 'unlinked']);
  });

  it('keeps a template that is a quoted string in its quotes', async () => {
    const { prompts } = sdk;
    await prompts.savePrompt('quoted', '', '"Hi"');
    expect((await prompts.getPrompt('quoted')).template).toBe('"Hi"');
    await prompts.deletePrompt('quoted');
    await expect(prompts.getPrompt('quoted')).rejects.toThrow(/There is no prompt quoted/);
  });

  it('lets a model run a prompt, and says which it may', async () => {
    const { integrations } = sdk;
    expect(await integrations.getPromptsWithIntegration('by-key', EMBED)).toEqual([]);
    await integrations.associatePromptWithIntegration('by-key', EMBED, 'summarize');
    const linked = await integrations.getPromptsWithIntegration('by-key', EMBED);
    expect(linked).toMatchObject([{ name: 'summarize', integrations: [`by-key:${CHAT}`, `by-key:${EMBED}`] }]);
  });

  it('tries a template on a model', async () => {
    const { integrations, prompts } = sdk;
    const request = {
      llmProvider: 'by-key',
      model: CHAT,
      prompt: 'Say ${word}',
      promptVariables: { word: 'Zwiebelfisch' },
      temperature: 0.1,
      topP: 0.9,
      stopWords: ['nothing'],
    };
    await expect(prompts.testPrompt(request)).rejects.toThrow(/switched off/);
    await integrations.saveIntegrationApi('by-key', CHAT, { description: 'Text', enabled: true, configuration: {} });
    expect(await prompts.testPrompt(request)).toMatch(/^Simulated answer to: "Say Zwiebelfisch"/);
  });

  it('adds tags and takes them off', async () => {
    const { prompts } = sdk;
    const [one, other] = [
      { key: 'team', value: 'risk' },
      { key: 'team', value: 'claims' },
    ];
    await prompts.setPromptTags('summarize', [one, other]);
    expect(await prompts.getPromptTags('summarize')).toEqual([one, other]);
    await prompts.deletePromptTags('summarize', [one]);
    expect(await prompts.getPromptTags('summarize')).toEqual([other]);
  });
});

describe('deleting', () => {
  it('a model and integrations leaves nothing behind', async () => {
    const { integrations, prompts } = sdk;
    await integrations.deleteIntegrationApi('by-key', EMBED);
    expect(await integrations.getIntegrationAvailableApis('by-key')).toEqual([CHAT]);
    expect((await prompts.getPrompt('summarize')).integrations).toEqual([`by-key:${CHAT}`]);
    for (const name of ['by-conductor', 'by-role', 'by-key']) await integrations.deleteIntegrationProvider(name);
    expect(await integrations.getIntegrationProviders()).toEqual([]);
    expect((await prompts.getPrompt('summarize')).integrations).toEqual([]);
  });
});

it('calls every method of these clients', () => {
  expect(sdk.notCalled(sdk.integrations, sdk.prompts)).toEqual([]);
});
