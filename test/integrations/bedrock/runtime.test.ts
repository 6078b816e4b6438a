import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type BedrockRuntime,
  createBedrockRuntime,
  type RuntimeCall,
} from '../../../src/integrations/bedrock/runtime.ts';

const CREDENTIALS = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' };

let respond: (text: string, response: ServerResponse) => void;
let requests: IncomingMessage[];
let runtime: BedrockRuntime;
let close: () => Promise<void>;

beforeEach(async () => {
  requests = [];
  respond = (text, response) => void response.setHeader('x-text', text).end('{}');
  const server = createServer(async (request, response) => {
    requests.push(request);
    const { text } = (await json(request)) as { text: string };
    respond(text, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  runtime = createBedrockRuntime('us-east-1', { get: async () => CREDENTIALS, renew: async () => CREDENTIALS });
  close = async () => {
    server.closeAllConnections();
    await runtime.close();
    await new Promise((resolve) => server.close(resolve));
  };
});
afterEach(async () => {
  await close();
  vi.unstubAllEnvs();
});

const send = (text: string, given: Partial<RuntimeCall> = {}) =>
  runtime.send(
    new InvokeModelCommand({ modelId: 'a', contentType: 'application/json', body: JSON.stringify({ text }) }),
    { until: performance.now() + 10_000, signal: new AbortController().signal, ...given },
  );

describe('calls over the one stack of the SDK', () => {
  it('each get the headers of their own answer', async () => {
    const texts = Array.from({ length: 50 }, (_, index) => String(index));
    const answers = await Promise.all(texts.map((text) => send(text)));
    expect(answers.map(({ headers }) => headers['x-text'])).toEqual(texts);
  });

  it('each end by their own signal and their own deadline', async () => {
    respond = (text, response) => {
      if (text === 'answered') response.end('{}');
    };
    const stopping = new AbortController();
    const stopped = send('stopped', { signal: stopping.signal });
    const late = send('late', { until: performance.now() + 1_500 });
    await vi.waitFor(() => expect(requests.length).toBe(2), 5_000);
    stopping.abort(new Error('stop'));
    await expect(stopped).rejects.toThrow('stop');
    await expect(late).rejects.toMatchObject({ name: 'AnswerLate' });
    expect(await send('answered')).toHaveProperty('output');
  });

  it('sign the host and say who calls, and nothing that AWS does not need', async () => {
    vi.stubEnv('AWS_SDK_UA_APP_ID', 'claims-\u00fc');
    await send('a');
    const headers = requests[0]?.headers ?? {};
    expect(headers.authorization).toContain('SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date,');
    expect(headers['user-agent']).toMatch(/^aws-sdk-js\/\S+ .*api\/bedrock-runtime#\S+ app\/claims--$/);
    expect(Object.keys(headers).filter((name) => /^(amz-|x-amz-user|x-amzn-trace)/.test(name))).toEqual([]);
  });
});
