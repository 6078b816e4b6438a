import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INTEGRATION_CREDENTIALS, ROLE } from '../../simulator/known.ts';
import { secretPlace } from '../../src/integrations/secrets/secret-fields.ts';
import { seal } from '../../src/secrets/envelope.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';
import { encryptionKeys } from '../support/encryption-keys.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';
const CHAT = 'amazon.nova-lite-v1:0';
const SECRET = 'a-secret-nobody-may-see';

const PROVIDERS = ['main', 'off', 'west', 'wrong-secret', 'wrong-external-id', 'no-secret', 'sealed', 'stolen'];

let world: World;
let worker: RunningWorker;

beforeAll(async () => {
  world = await createWorld('bad');
  const integration = (configuration: object, more: object = {}) =>
    JSON.stringify({ type: 'aws_bedrock_cohere', configuration: { region: 'us-east-1', ...configuration }, ...more });
  await world.redis.hset(world.key('integrations'), {
    main: integration({ connectionType: 'CONDUCTOR_ROLE' }),
    off: integration({ connectionType: 'CONDUCTOR_ROLE' }, { enabled: false }),
    west: integration({ connectionType: 'CONDUCTOR_ROLE', region: 'eu-west-2' }),
    'wrong-secret': integration({
      connectionType: 'ACCESS_KEY',
      user: INTEGRATION_CREDENTIALS.accessKeyId,
      api_key: SECRET,
    }),
    'wrong-external-id': integration({ connectionType: 'EXTERNAL_ROLE', roleArn: ROLE.arn, externalId: 'not-the-one' }),
    'no-secret': integration({ connectionType: 'ACCESS_KEY', user: 'AKIAX', api_key: 'env:NOT_SET_ANYWHERE' }),
    // Its worker has no ENCRYPTION_KEYS at all.
    sealed: integration({
      connectionType: 'ACCESS_KEY',
      user: 'AKIAX',
      api_key: seal(SECRET, secretPlace('sealed', 'api_key'), parseKeyring(encryptionKeys('gone'))),
    }),
    stolen: integration({
      connectionType: 'EXTERNAL_ROLE',
      roleArn: ROLE.arn,
      externalId: 'env:AWS_SECRET_ACCESS_KEY',
    }),
  });
  const models: Record<string, string> = {
    'main:switched-off': '{"enabled":false}',
    'main:cohere.command-r-v1:0': '{}',
    'main:cohere.rerank-v3-5:0': '{}',
    'main:bad-default': JSON.stringify({ configuration: { modelId: CHAT, defaults: { temperature: 7 } } }),
    'main:named-only': JSON.stringify({ configuration: { modelId: CHAT, rawPrompts: false } }),
  };
  for (const provider of PROVIDERS) {
    models[`${provider}:${EMBED}`] = '{}';
    models[`${provider}:${CHAT}`] = '{}';
  }
  await world.redis.hset(world.key('models'), models);
  await world.redis.hset(world.key('prompts'), {
    summarize: JSON.stringify({ template: 'Summarize ${text} for ${audience}', integrations: [`main:${CHAT}`] }),
    unlinked: JSON.stringify({ template: 'Hello', integrations: [] }),
    secret: JSON.stringify({ template: 'Hello', integrations: [`main:${CHAT}`] }),
  });
  await world.redis.hset(world.key('applications'), 'bad', '{"workflows":["bad_*"]}');
  const grants = [...PROVIDERS, 'nowhere'].map((name) => [`INTEGRATION_PROVIDER:${name}`, 'EXECUTE']);
  await world.redis.hset(
    world.key('grants:USER:app:bad'),
    Object.fromEntries([...grants, ['PROMPT:summarize', 'READ'], ['PROMPT:unlinked', 'READ'], ['PROMPT:gone', 'READ']]),
  );
  worker = await world.startWorker();
});

afterAll(() => world?.close());

const text = (input: object) => ({
  type: 'LLM_TEXT_COMPLETE' as const,
  input: { llmProvider: 'main', model: CHAT, prompt: 'Hi', ...input },
});
const embed = (input: object) => ({
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: 'main', model: EMBED, text: 'Hi', ...input },
});

describe('ends the task at once, naming the field and what is wrong with it', () => {
  it.each([
    ['no provider', text({ llmProvider: null }), 'INPUT_INVALID', 'llmProvider', /llmProvider: missing/],
    ['an unknown provider', text({ llmProvider: 'nowhere' }), 'INTEGRATION_UNKNOWN', 'llmProvider', /"nowhere"/],
    [
      'a provider nobody granted',
      text({ llmProvider: 'mian' }),
      'PERMISSION_DENIED',
      'model',
      /mian:.*unknown or not permitted/,
    ],
    [
      'an unknown model',
      text({ model: 'amazon.nova-lit-v1:0' }),
      'MODEL_UNKNOWN',
      'model',
      /Did you mean "amazon.nova-lite-v1:0"/,
    ],
    [
      'a provider that is off',
      text({ llmProvider: 'off' }),
      'INTEGRATION_DISABLED',
      'llmProvider',
      /"off" is switched off/,
    ],
    [
      'a model that is off',
      text({ model: 'switched-off' }),
      'MODEL_DISABLED',
      'model',
      /"switched-off".*is switched off/,
    ],
    ['text on an embedding model', text({ model: EMBED }), 'MODEL_UNFIT', 'model', /embed-v4\) cannot complete text/],
    [
      'an embedding on a chat model',
      embed({ model: CHAT }),
      'MODEL_UNFIT',
      'model',
      /converse\) cannot generate embeddings/,
    ],
    ['an embedding on a reranker', embed({ model: 'cohere.rerank-v3-5:0' }), 'MODEL_UNFIT', 'model', /rerank/],
    ['no text', embed({ text: null }), 'INPUT_INVALID', 'text', /text: missing/],
    ['an empty text', embed({ text: '' }), 'INPUT_INVALID', 'text', /text: is empty/],
    ['neither prompt nor promptName', text({ prompt: null }), 'INPUT_INVALID', 'promptName', /promptName: missing/],
    ['an unknown prompt', text({ promptName: 'gone' }), 'PROMPT_UNKNOWN', 'promptName', /"gone"/],
    ['a prompt without a grant', text({ promptName: 'secret' }), 'PERMISSION_DENIED', 'promptName', /PROMPT:secret/],
    [
      'a prompt for another model',
      text({ promptName: 'unlinked' }),
      'PROMPT_NOT_ASSOCIATED',
      'promptName',
      /not associated with main:/,
    ],
    [
      'a version that is not there',
      text({ promptName: 'summarize', promptVersion: 9 }),
      'PROMPT_UNKNOWN',
      'promptVersion',
      /no version 9; it has 1/,
    ],
    [
      'missing variables',
      text({ promptName: 'summarize', promptVariables: { text: null } }),
      'PROMPT_VARIABLES_MISSING',
      'promptVariables',
      /text.*audience/,
    ],
    [
      'a literal prompt where only named ones go',
      text({ model: 'named-only' }),
      'PROMPT_REQUIRED',
      'promptName',
      /only named prompts/,
    ],
    ['a temperature out of range', text({ temperature: 1.5 }), 'INPUT_INVALID', 'temperature', /temperature.*1\.5/],
    ['a temperature that is no number', text({ temperature: 'warm' }), 'INPUT_INVALID', 'temperature', /temperature/],
    ['a parameter that the family does not know', text({ topK: 5 }), 'INPUT_INVALID', 'topK', /topK.*temperature/s],
    [
      'a dimension that does not exist',
      embed({ dimensions: 100 }),
      'INPUT_INVALID',
      'dimensions',
      /dimensions must be one of 256.*not 100/,
    ],
    [
      'a default out of range',
      text({ model: 'bad-default' }),
      'RECORD_INVALID',
      'configuration.defaults.temperature',
      /main:bad-default, configuration\.defaults/,
    ],
    [
      'a model past its end',
      text({ model: 'cohere.command-r-v1:0' }),
      'MODEL_NOT_FOUND',
      'model',
      /end of its life.*2026-08-19.*alternative/s,
    ],
    [
      'a model that its region has by a profile alone',
      embed({ llmProvider: 'west' }),
      'REQUEST_REFUSED',
      'model',
      /on-demand throughput.*configuration\.modelId must be eu\.cohere\.embed-v4:0 or global\.cohere\.embed-v4:0$/,
    ],
    ['a wrong secret', embed({ llmProvider: 'wrong-secret' }), 'CREDENTIALS_FAILED', undefined, /wrong-secret:/],
    [
      'a wrong external id',
      embed({ llmProvider: 'wrong-external-id' }),
      'CREDENTIALS_FAILED',
      undefined,
      /AccessDenied/,
    ],
    [
      'a secret that is not set',
      embed({ llmProvider: 'no-secret' }),
      'SECRET_UNAVAILABLE',
      'configuration.api_key',
      /NOT_SET_ANYWHERE/,
    ],
    [
      'a secret sealed under a key that is not there',
      embed({ llmProvider: 'sealed' }),
      'SECRET_UNAVAILABLE',
      'configuration.api_key',
      /the key "gone", which ENCRYPTION_KEYS does not have/,
    ],
    [
      'a reference to our own secret',
      embed({ llmProvider: 'stolen' }),
      'SECRET_UNAVAILABLE',
      'configuration.externalId',
      /may not be used/,
    ],
  ])('%s', async (name, task, code, field, reason) => {
    const workflow = `bad_${name.replaceAll(/\W/g, '_')}`;
    const { task: ended } = await world.runTask({ workflow, ...task });
    expect(ended.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    const error = ended.outputData['error'] as Record<string, unknown>;
    expect(error).toMatchObject({ code, retryable: false, ...(field === undefined ? {} : { field }) });
    expect(error['message']).toMatch(reason);
    expect(ended.reasonForIncompletion).toMatch(reason);
    expect(ended.retryCount).toBe(0);
    // Nothing secret: neither the secret, nor the external id, nor an ARN or account.
    expect(JSON.stringify(ended.outputData) + ended.reasonForIncompletion).not.toMatch(
      /nobody-may-see|not-the-one|arn:aws:iam|111122223333/,
    );
  });
});

describe('ends the task as FAILED, to be retried', () => {
  // A definition of its own without retries, so that the first failure is the last.
  beforeAll(() =>
    world.conductor.registerTaskDef({ name: 'bad_once', retryCount: 0, timeoutSeconds: 0, responseTimeoutSeconds: 60 }),
  );

  it.each([
    ['an outage', { name: 'ServiceUnavailableException' }, 'BEDROCK_UNAVAILABLE'],
    ['an internal error', { name: 'InternalServerException' }, 'BEDROCK_UNAVAILABLE'],
    ['a cut connection', { closeConnection: true }, 'BEDROCK_UNAVAILABLE'],
    ['a model that timed out', { name: 'ModelTimeoutException' }, 'MODEL_TIMEOUT'],
    ['a model that failed', { name: 'ModelErrorException' }, 'MODEL_FAILED'],
    ['an answer of another form', { answer: 'notJson' }, 'ANSWER_INVALID'],
  ])('%s', async (name, fault, code) => {
    await world.control('faults', { model: EMBED, fault });
    const workflow = `bad_${name.replaceAll(/\W/g, '_')}`;
    const { task } = await world.runTask({ workflow, ...embed({}), name: 'bad_once' });
    await world.control('faults', { model: EMBED, fault: null });
    expect(task.status).toBe('FAILED');
    expect(task.outputData['error']).toMatchObject({ code, retryable: true });
  });

  it('and a retry by Conductor then completes', async () => {
    await world.conductor.registerTaskDef({
      name: 'bad_twice',
      retryCount: 2,
      retryDelaySeconds: 0,
      timeoutSeconds: 0,
      responseTimeoutSeconds: 60,
    });
    await world.control('faults', { model: EMBED, fault: { name: 'ServiceUnavailableException', times: 1 } });
    const { task, workflow } = await world.runTask({ workflow: 'bad_retried', ...embed({}), name: 'bad_twice' });
    expect(workflow.status).toBe('COMPLETED');
    expect(task.retryCount).toBe(1);
  });
});

describe('puts the task off, and spends no retry', () => {
  it.each([
    ['throttling', { name: 'ThrottlingException' }],
    ['a model that is not ready', { name: 'ModelNotReadyException', status: 429 }],
  ])('%s', async (name, fault) => {
    await world.control('faults', { model: EMBED, fault: { ...fault, times: 1 } });
    const workflow = `bad_${name.replaceAll(/\W/g, '_')}`;
    const { task } = await world.runTask({ workflow, ...embed({}), name: 'bad_once' });
    expect(task).toMatchObject({ status: 'COMPLETED', retryCount: 0, pollCount: 2 });
  });
});

it('never logs a secret', async () => {
  expect(await worker.cli.stdout()).not.toMatch(
    new RegExp(`${SECRET}|not-the-one|${INTEGRATION_CREDENTIALS.secretAccessKey}|simulator-secret`),
  );
});
