import { InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { HOSTED } from '../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import { bedrockClient, post, refusal, signedRequest } from './clients.ts';

const EMBED = { texts: ['hello'], input_type: 'search_document' };
const MESSAGES = [{ role: 'user' as const, content: [{ text: 'hello' }] }];

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.reset());
afterAll(() => simulator.close());

describe('models', () => {
  test.each([
    'cohere.command-text-v14',
    'cohere.command-light-text-v14',
    'cohere.command-r-v1:0',
    'cohere.command-r-plus-v1:0',
    'arn:aws:bedrock:us-east-1::foundation-model/cohere.command-r-v1:0',
  ])('%s has reached its end', async (modelId) => {
    expect(await refusal(bedrockClient(simulator).invoke(modelId, { prompt: 'x' }))).toMatchObject({
      name: 'ResourceNotFoundException',
      message:
        'This model version has reached the end of its life. Please refer to the AWS documentation for more details.',
      status: 404,
    });
  });

  test.each([
    ['an unknown id', 'cohere.embed-v5:0', 'us-east-1'],
    ['a word that JavaScript knows', 'constructor', 'us-east-1'],
    ['an unknown ARN', 'arn:aws:bedrock:us-east-1:111122223333:imported-model/none', 'us-east-1'],
    ['an ARN of another region', HOSTED.command, 'eu-west-1'],
    ['a profile of another continent', 'us.cohere.embed-v4:0', 'eu-west-1'],
    ['a profile that does not hold it', 'us.cohere.embed-english-v3', 'us-east-1'],
    ['a region without the model', 'cohere.embed-english-v3', 'eu-north-1'],
  ])('%s is invalid', async (_, modelId, region) => {
    expect(await refusal(bedrockClient(simulator, { region }).invoke(modelId, EMBED))).toEqual({
      name: 'ValidationException',
      message: 'The provided model identifier is invalid.',
      status: 400,
    });
  });

  test('the bare id of Embed v4 needs a profile where it is not served on demand', async () => {
    const { invoke } = bedrockClient(simulator, { region: 'eu-central-1' });
    expect(await refusal(invoke('cohere.embed-v4:0', EMBED))).toMatchObject({
      name: 'ValidationException',
      message: expect.stringContaining('with on-demand throughput isn’t supported'),
    });
    for (const modelId of ['eu.cohere.embed-v4:0', 'global.cohere.embed-v4:0']) {
      expect(await invoke(modelId, EMBED)).toHaveProperty('embeddings');
    }
  });

  test('hosted ones are served by the family that was said', async () => {
    const { invoke, converse } = bedrockClient(simulator);
    expect(await invoke(HOSTED.command, { prompt: 'x' })).toHaveProperty('generations');
    expect(await invoke(HOSTED.commandLight, { prompt: 'x' })).toHaveProperty('generations');
    expect(await invoke(HOSTED.commandR, { message: 'x' })).toHaveProperty('response_id');
    expect(await converse(HOSTED.commandR, { messages: MESSAGES })).toHaveProperty('stopReason', 'end_turn');
    expect(await converse(HOSTED.chat, { messages: MESSAGES })).toHaveProperty('stopReason', 'end_turn');
    const arn = 'arn:aws:bedrock:us-east-1:111122223333:imported-model/mine';
    simulator.host({ arn, family: 'rerank' });
    expect(await invoke(arn, { api_version: 2, query: 'a', documents: ['a'] })).toHaveProperty('results');
  });

  test('that embed do not converse, and chat models are not invoked', async () => {
    const { invoke, converse } = bedrockClient(simulator);
    expect(await refusal(converse('cohere.embed-english-v3', { messages: MESSAGES }))).toMatchObject({
      name: 'ValidationException',
    });
    expect(await refusal(invoke('amazon.nova-lite-v1:0', {}))).toMatchObject({ name: 'ValidationException' });
  });
});

describe('answers', () => {
  const headersOf = async (path: string, body: unknown) =>
    (await post(simulator, await signedRequest(simulator, { path, body: JSON.stringify(body) }))).headers;

  test('carry the tokens of embeddings, input only', async () => {
    const headers = await headersOf('/model/cohere.embed-english-v3/invoke', { ...EMBED, texts: ['two words', 'one'] });
    expect(headers.get('x-amzn-bedrock-input-token-count')).toBe('3');
    expect(headers.has('x-amzn-bedrock-output-token-count')).toBe(false);
    expect(headers.get('x-amzn-bedrock-invocation-latency')).toMatch(/^\d+$/);
    expect(headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('carry the tokens of texts, in and out; those of Converse stand in the body', async () => {
    const command = await headersOf(`/model/${encodeURIComponent(HOSTED.command)}/invoke`, {
      prompt: 'one two',
      max_tokens: 5,
    });
    expect(command.get('x-amzn-bedrock-input-token-count')).toBe('2');
    expect(command.get('x-amzn-bedrock-output-token-count')).toBe('5');
    const converse = await headersOf('/model/amazon.nova-lite-v1%3A0/converse', { messages: MESSAGES });
    expect(converse.has('x-amzn-bedrock-input-token-count')).toBe(false);
  });
});

describe('requests that are none', () => {
  test('a body that is not JSON, or of another content type, is invalid', async () => {
    const { client, invoke } = bedrockClient(simulator);
    expect(await refusal(invoke('cohere.embed-english-v3', '{'))).toMatchObject({
      name: 'ValidationException',
      message: 'Malformed input request, please reformat your input and try again.',
    });
    const untyped = new InvokeModelCommand({ modelId: 'cohere.embed-english-v3', body: JSON.stringify(EMBED) });
    expect(await refusal(client.send(untyped))).toMatchObject({ name: 'ValidationException' });
  });

  test('an unknown operation is answered as such', async () => {
    const request = await signedRequest(simulator, { path: '/model/x/count-tokens', body: '{}' });
    expect(await post(simulator, request)).toMatchObject({ status: 404, error: 'UnknownOperationException' });
  });
});
