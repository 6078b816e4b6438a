import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ENVIRONMENT_CREDENTIALS, INTEGRATION_CREDENTIALS } from '../../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../../simulator/simulator.ts';
import {
  type BedrockClient,
  type BedrockRequest,
  CredentialsRefused,
  createBedrockClient,
} from '../../../src/integrations/bedrock/client.ts';
import type { AwsCredentials, CredentialsSource } from '../../../src/integrations/bedrock/credentials.ts';
import { sendTwice } from './support/send-twice.ts';

const MODEL = 'cohere.embed-english-v3';
const CHAT = 'amazon.nova-lite-v1:0';

let simulator: Simulator;
const clients: BedrockClient[] = [];
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());
beforeEach(() => {
  simulator.reset();
  vi.stubEnv('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', simulator.url);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  vi.unstubAllEnvs();
});

/** Credentials in hand; a refusal brings those of `renewed`, else the same again. */
function credentialsOf(first: AwsCredentials = INTEGRATION_CREDENTIALS, renewed: AwsCredentials = first) {
  let current = first;
  const renew = vi.fn(async () => {
    current = renewed;
    return current;
  });
  return { get: async () => current, renew } satisfies CredentialsSource;
}

function clientWith(credentials: CredentialsSource = credentialsOf()): BedrockClient {
  const client = createBedrockClient('us-east-1', credentials);
  clients.push(client);
  return client;
}

function request(given: Partial<BedrockRequest> = {}): BedrockRequest {
  return {
    place: { integration: 'prod', model: MODEL },
    modelId: MODEL,
    call: { operation: 'InvokeModel', body: { texts: ['hello'], input_type: 'search_document' } },
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...given,
  };
}

const calls = () => simulator.calls().calls;
/** What a promise ends with, or 'waits' where it has not ended after a quarter of a second. */
const endOf = (promise: Promise<unknown>): Promise<unknown> =>
  Promise.race([promise.catch((thrown: unknown) => thrown), wait(250, 'waits')]);

describe('a call', () => {
  it('is signed with the credentials in hand and gives the body and the counts of the headers', async () => {
    const answer = await clientWith().send(request());
    expect(answer.body).toMatchObject({ embeddings: [expect.any(Array)] });
    expect(answer.tokens.prompt).toBeGreaterThan(0);
    expect(calls()).toMatchObject([
      { operation: 'InvokeModel', region: 'us-east-1', accessKeyId: INTEGRATION_CREDENTIALS.accessKeyId, status: 200 },
    ]);
  });

  it('of Converse gives the output’s members, whose counts are its own', async () => {
    const input = { messages: [{ role: 'user', content: [{ text: 'hi' }] }] } as const;
    const answer = await clientWith().send(request({ modelId: CHAT, call: { operation: 'Converse', input } }));
    expect(answer.body).toMatchObject({ output: { message: { role: 'assistant' } }, stopReason: expect.any(String) });
    expect(answer.tokens).toEqual({});
  });

  it('without the token headers has no counts, rather than none', async () => {
    simulator.setFault(MODEL, { answer: 'headersMissing' });
    expect((await clientWith().send(request())).tokens).toEqual({});
  });

  it.each(['NaN', '-1', '1.5', '', 'many'])('whose token header says %j has no such count', async (header) => {
    simulator.setFault(MODEL, {
      body: {},
      headers: { 'x-amzn-bedrock-input-token-count': header, 'x-amzn-bedrock-output-token-count': '7' },
    });
    expect((await clientWith().send(request())).tokens).toEqual({ completion: 7 });
  });

  it('with an answer that is no JSON gives its text: the codec judges it', async () => {
    simulator.setFault(MODEL, { answer: 'notJson' });
    expect((await clientWith().send(request())).body).toContain('<html>');
  });

  it('is not signed with a bearer token or a session token of the environment', async () => {
    vi.stubEnv('AWS_BEARER_TOKEN_BEDROCK', 'bedrock-api-key-x');
    vi.stubEnv('AWS_SESSION_TOKEN', 'of-somebody-else');
    await clientWith().send(request());
    expect(calls().at(-1)).toMatchObject({ status: 200, accessKeyId: INTEGRATION_CREDENTIALS.accessKeyId });
  });

  it('of many at once is answered like one', async () => {
    const client = clientWith();
    const answers = await Promise.all(Array.from({ length: 200 }, () => client.send(request())));
    expect(answers.every(({ tokens }) => tokens.prompt === answers[0]?.tokens.prompt)).toBe(true);
  });
});

describe('a call that fails', () => {
  it.each([
    ['ThrottlingException', 'THROTTLED', true],
    ['ServiceUnavailableException', 'BEDROCK_UNAVAILABLE', true],
    ['ModelTimeoutException', 'MODEL_TIMEOUT', true],
    ['ModelErrorException', 'MODEL_FAILED', true],
    ['ServiceQuotaExceededException', 'THROTTLED', true],
    ['ValidationException', 'REQUEST_REFUSED', false],
    ['ResourceNotFoundException', 'MODEL_NOT_FOUND', false],
  ])('by %s is %s and was tried once: retries are another’s', async (name, code, retryable) => {
    simulator.setFault(MODEL, { name, message: 'in account 111122223333' });
    await expect(clientWith().send(request())).rejects.toMatchObject({
      code,
      retryable,
      message: expect.stringMatching(/^prod:cohere\.embed-english-v3: .*in account …/),
    });
    expect(calls().length).toBe(1);
  });

  it('because the connection breaks may be tried again', async () => {
    simulator.setFault(MODEL, { closeConnection: true });
    await expect(clientWith().send(request())).rejects.toMatchObject({ code: 'BEDROCK_UNAVAILABLE', retryable: true });
  });

  it('because nobody listens may be tried again', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'http://127.0.0.1:1');
    await expect(clientWith().send(request())).rejects.toMatchObject({ code: 'BEDROCK_UNAVAILABLE', retryable: true });
  });

  it('does not spoil the next one', async () => {
    const client = clientWith();
    simulator.setFault(MODEL, { closeConnection: true, times: 1 });
    await expect(client.send(request())).rejects.toThrow();
    expect(await client.send(request())).toHaveProperty('body');
  });
});

describe('a call that AWS refuses', () => {
  it('is left to be admitted again before it is made once more', async () => {
    simulator.setFault(MODEL, { name: 'ExpiredTokenException' });
    const credentials = credentialsOf(INTEGRATION_CREDENTIALS, ENVIRONMENT_CREDENTIALS);
    await expect(clientWith(credentials).send(request())).rejects.toBeInstanceOf(CredentialsRefused);
    expect(credentials.renew).not.toHaveBeenCalled();
    expect(calls()).toHaveLength(1);
  });

  it('is made once more with fresh credentials', async () => {
    const credentials = credentialsOf(
      { accessKeyId: 'AKIAUNKNOWN000000000', secretAccessKey: 'x' },
      INTEGRATION_CREDENTIALS,
    );
    expect(await sendTwice(clientWith(credentials), request())).toHaveProperty('body');
    expect(credentials.renew).toHaveBeenCalledTimes(1);
    expect(calls()).toMatchObject([{ error: 'UnrecognizedClientException' }, { status: 200 }]);
  });

  it.each(['AccessDeniedException', 'ExpiredTokenException', 'InvalidSignatureException'])(
    'again, with %s, has failed after two attempts',
    async (name) => {
      simulator.setFault(MODEL, { name });
      const credentials = credentialsOf(INTEGRATION_CREDENTIALS, ENVIRONMENT_CREDENTIALS);
      await expect(sendTwice(clientWith(credentials), request())).rejects.toMatchObject({
        code: 'CREDENTIALS_FAILED',
        retryable: false,
      });
      expect(calls().map(({ accessKeyId }) => accessKeyId)).toEqual([
        INTEGRATION_CREDENTIALS.accessKeyId,
        ENVIRONMENT_CREDENTIALS.accessKeyId,
      ]);
    },
  );

  it('has others fetched before it is decided whether it is made again', async () => {
    const credentials = credentialsOf(
      { accessKeyId: 'AKIAUNKNOWN000000000', secretAccessKey: 'x' },
      INTEGRATION_CREDENTIALS,
    );
    const client = clientWith(credentials);
    const refused = await endOf(client.send(request()));
    if (!(refused instanceof CredentialsRefused)) throw refused;
    const { place, signal } = request();
    await client.ready(place, 1_000, signal, refused);
    expect(credentials.renew).toHaveBeenCalledWith(refused.used);
    expect(calls()).toHaveLength(1);
    expect(await client.send(request({ refused }))).toHaveProperty('body');
  });

  it('is not made again where there are no other credentials', async () => {
    simulator.setFault(MODEL, { name: 'AccessDeniedException', message: 'no access' });
    await expect(sendTwice(clientWith(), request())).rejects.toMatchObject({
      code: 'CREDENTIALS_FAILED',
      message: expect.stringContaining('no access'),
    });
    expect(calls().length).toBe(1);
  });

  it('fails with why there are no others, where they cannot be had', async () => {
    simulator.setFault(MODEL, { name: 'ExpiredTokenException' });
    const renew = () => Promise.reject(new Error('STS is away'));
    await expect(sendTwice(clientWith({ ...credentialsOf(), renew }), request())).rejects.toMatchObject({
      code: 'BEDROCK_UNAVAILABLE',
      message: expect.stringContaining('STS is away'),
    });
  });
});

describe('a call’s time', () => {
  it('ends after timeoutMs, and the connection with it', async () => {
    simulator.setFault(MODEL, { hang: true });
    await expect(clientWith().send(request({ timeoutMs: 50 }))).rejects.toMatchObject({
      code: 'MODEL_TIMEOUT',
      retryable: true,
      message: expect.stringContaining('50 ms'),
    });
    await vi.waitFor(() => expect(calls()).toMatchObject([{ aborted: true }]));
  });

  it('ends with the signal, by its reason, and the connection with it', async () => {
    simulator.setFault(MODEL, { hang: true });
    const stopping = new AbortController();
    const reason = new Error('shutting down');
    const call = clientWith().send(request({ signal: stopping.signal }));
    await vi.waitFor(() => expect(calls().length).toBe(1));
    stopping.abort(reason);
    await expect(call).rejects.toBe(reason);
    await vi.waitFor(() => expect(calls()).toMatchObject([{ aborted: true }]));
  });

  it('does not begin where the signal was aborted before', async () => {
    const reason = new Error('gone');
    await expect(clientWith().send(request({ signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    expect(calls()).toEqual([]);
  });

  it('ends with the signal also while it waits for credentials', async () => {
    const stopping = new AbortController();
    const reason = new Error('shutting down');
    const get = () => new Promise<AwsCredentials>(() => undefined);
    const call = endOf(clientWith({ ...credentialsOf(), get }).send(request({ signal: stopping.signal })));
    stopping.abort(reason);
    expect(await call).toBe(reason);
  });

  it.each(['send', 'ready'] as const)('counts while it waits for credentials (%s)', async (operation) => {
    const get = () => new Promise<AwsCredentials>(() => undefined);
    const client = clientWith({ ...credentialsOf(), get });
    const { place, signal } = request();
    const call = operation === 'send' ? client.send(request({ timeoutMs: 50 })) : client.ready(place, 50, signal);
    await expect(call).rejects.toMatchObject({ code: 'MODEL_TIMEOUT', message: expect.stringContaining('50 ms') });
    expect(calls()).toEqual([]);
  });

  it('ends with the signal also while it waits for fresh credentials', async () => {
    simulator.setFault(MODEL, { name: 'ExpiredTokenException' });
    const stopping = new AbortController();
    const reason = new Error('shutting down');
    const renew = vi.fn(() => new Promise<AwsCredentials>(() => undefined));
    const call = sendTwice(clientWith({ ...credentialsOf(), renew }), request({ signal: stopping.signal }));
    call.catch(() => undefined);
    await vi.waitFor(() => expect(renew).toHaveBeenCalled());
    stopping.abort(reason);
    expect(await endOf(call)).toBe(reason);
  });
});

describe('a client that is closed', () => {
  it('lets running calls end', async () => {
    simulator.setLatency(MODEL, 150);
    const client = createBedrockClient('us-east-1', credentialsOf());
    const call = client.send(request());
    await vi.waitFor(() => expect(calls().length).toBe(1));
    await client.close();
    expect(await call).toHaveProperty('body');
  });
});
