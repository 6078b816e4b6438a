import { BedrockRuntimeServiceException } from '@aws-sdk/client-bedrock-runtime';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BEDROCK_ERRORS } from '../../simulator/errors.ts';
import { HOSTED } from '../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import { bedrockClient, post, refusal, signedRequest, stsClient } from './clients.ts';

const MODEL = 'cohere.embed-english-v3';
const EMBED = { texts: ['one', 'two'], input_type: 'search_document' };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.reset());
afterAll(() => simulator.close());

const invoke = (modelId = MODEL) => bedrockClient(simulator).invoke(modelId, EMBED);

describe('an error', () => {
  test.each(Object.entries(BEDROCK_ERRORS))(
    '%s reaches the SDK by name, status and words',
    async (name, { status, message }) => {
      simulator.setFault(MODEL, { name });
      expect(await refusal(invoke())).toEqual({ name, status, message });
      await expect(invoke()).rejects.toBeInstanceOf(BedrockRuntimeServiceException);
    },
  );

  test('strikes as often as asked, after as many calls as asked, one after another', async () => {
    simulator.setFault(MODEL, [
      { name: 'ThrottlingException', skip: 1, times: 1 },
      { status: 503, name: 'ServiceUnavailableException', message: 'later', times: 1 },
    ]);
    // The second one strikes while the first lets calls through.
    expect(await refusal(invoke())).toMatchObject({ name: 'ServiceUnavailableException', message: 'later' });
    expect(await refusal(invoke())).toMatchObject({ name: 'ThrottlingException' });
    expect(await invoke()).toHaveProperty('embeddings');
  });

  test('strikes a share of the calls, the same in every run', async () => {
    const outcomes = async () => {
      simulator.reset();
      simulator.setFault('*', { name: 'ThrottlingException', rate: 0.5 });
      const failed: boolean[] = [];
      for (let call = 0; call < 20; call += 1)
        failed.push(
          await invoke().then(
            () => false,
            () => true,
          ),
        );
      return failed;
    };
    const first = await outcomes();
    expect(new Set(first).size).toBe(2);
    expect(await outcomes()).toEqual(first);
  });

  test('of one model leaves others alone, and none is left once cleared', async () => {
    simulator.setFault(MODEL, { name: 'ThrottlingException', headers: { 'retry-after': '7' } });
    expect(await invoke('cohere.embed-multilingual-v3')).toHaveProperty('embeddings');
    const request = { path: `/model/${MODEL}/invoke`, body: JSON.stringify(EMBED) };
    const { headers } = await post(simulator, await signedRequest(simulator, request));
    expect(headers.get('retry-after')).toBe('7');
    simulator.setFault(MODEL, null);
    expect(await invoke()).toHaveProperty('embeddings');
  });

  test('of STS comes as STS gives it', async () => {
    const identity = () => stsClient(simulator).send(new GetCallerIdentityCommand({}));
    simulator.setFault('*', { name: 'ThrottlingException' });
    expect(await identity()).toHaveProperty('Account');
    simulator.setFault('sts', { name: 'Throttling' });
    expect(await refusal(identity())).toEqual({ name: 'Throttling', status: 400, message: 'Rate exceeded' });
    simulator.setFault('sts', { status: 503 });
    expect(await refusal(identity())).toMatchObject({ name: 'InternalFailure', status: 503 });
  });

  test('never hides a bad signature', async () => {
    simulator.setFault(MODEL, { name: 'ThrottlingException' });
    const credentials = { accessKeyId: 'AKIAUNKNOWN000000000', secretAccessKey: 'x' };
    const call = bedrockClient(simulator, { credentials }).invoke(MODEL, EMBED);
    expect(await refusal(call)).toMatchObject({ name: 'UnrecognizedClientException' });
  });
});

describe('a broken connection', () => {
  test('is closed without an answer', async () => {
    simulator.setFault(MODEL, { closeConnection: true });
    expect(await refusal(invoke())).toMatchObject({ status: undefined });
    expect(simulator.calls().calls).toMatchObject([{ aborted: true, status: null }]);
  });

  test('hangs until the caller goes away', async () => {
    simulator.setFault(MODEL, { hang: true });
    const call = bedrockClient(simulator).invoke(MODEL, EMBED, AbortSignal.timeout(100));
    expect(await refusal(call)).toMatchObject({ name: 'AbortError' });
  });
});

describe('a spoilt answer', () => {
  test('lacks the token headers', async () => {
    simulator.setFault(MODEL, { answer: 'headersMissing' });
    const request = { path: `/model/${MODEL}/invoke`, body: JSON.stringify(EMBED) };
    const { headers, status } = await post(simulator, await signedRequest(simulator, request));
    expect(status).toBe(200);
    expect(headers.has('x-amzn-bedrock-input-token-count')).toBe(false);
  });

  test('has its vectors in the other shape', async () => {
    simulator.setFault(MODEL, { answer: 'byType' });
    expect(await invoke()).toMatchObject({ response_type: 'embeddings_by_type', embeddings: { float: [{}, {}] } });
    simulator.setFault('cohere.embed-v4:0', { answer: 'floats' });
    expect(await invoke('cohere.embed-v4:0')).toMatchObject({
      response_type: 'embeddings_floats',
      embeddings: [{}, {}],
    });
  });

  test('is one vector short, empty, another JSON, or no JSON', async () => {
    simulator.setFault('*', { answer: 'short' });
    expect((await invoke())['embeddings']).toHaveLength(1);
    const { float } = (await invoke(HOSTED.embedV4))['embeddings'] as Record<string, unknown>;
    expect(float).toHaveLength(1);
    simulator.setFault('*', { answer: 'empty' });
    expect(await invoke()).toEqual({});
    simulator.setFault('*', { body: { anything: [1] } });
    expect(await invoke()).toEqual({ anything: [1] });
    simulator.setFault('*', { answer: 'notJson' });
    await expect(invoke()).rejects.toBeInstanceOf(SyntaxError);
  });
});

describe('latency', () => {
  const timed = async (modelId?: string) => {
    const begun = performance.now();
    await invoke(modelId);
    return performance.now() - begun;
  };

  test('holds back the answers of its model, of all, or of none', async () => {
    simulator.setLatency(MODEL, 150);
    expect(await timed()).toBeGreaterThanOrEqual(145);
    expect(await timed('cohere.embed-multilingual-v3')).toBeLessThan(145);
    simulator.setLatency('*', 150);
    simulator.setLatency(MODEL, 0);
    expect(await timed()).toBeLessThan(145);
    expect(await timed('cohere.embed-multilingual-v3')).toBeGreaterThanOrEqual(145);
  });
});
