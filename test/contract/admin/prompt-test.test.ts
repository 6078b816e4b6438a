import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { freePort } from '../../../devservers/ports.ts';
import type { Server } from '../../../devservers/server.ts';
import { startSimulator } from '../../../devservers/simulator.ts';
import { HOSTED, INTEGRATION_CREDENTIALS } from '../../../simulator/known.ts';
import { type Answer, type Client, type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import { startCli, waitForReady } from '../../support/cli.ts';
import type {} from '../../support/redis-for-all.ts';
import { controlSimulator } from '../../support/simulator-control.ts';
import { startStubConductor } from '../../workers/support/stub-conductor.ts';

const PLAIN = { modelId: HOSTED.commandR, family: 'command-r' } as const;
const MODELS = {
  plain: {},
  named: { rawPrompts: false },
  one: { maxConcurrency: 1, modelId: HOSTED.command, family: 'command' },
  minute: { requestsPerMinute: 1, modelId: HOSTED.chat, family: 'converse' },
  short: { timeoutMs: 200 },
} as const;
const INTEGRATION = {
  type: 'aws_bedrock_cohere',
  configuration: {
    ...{ connectionType: 'ACCESS_KEY', region: 'us-east-1' },
    ...{ user: INTEGRATION_CREDENTIALS.accessKeyId, api_key: INTEGRATION_CREDENTIALS.secretAccessKey },
  },
};
const path = '/api/prompts/test';
const asked = (more: Record<string, unknown> = {}) => ({
  llmProvider: 'bedrock',
  model: 'plain',
  prompt: 'Say ${word}',
  promptVariables: { word: 'Zwiebelfisch' },
  ...more,
});

let simulator: Server;
let server: RunningAdmin;
let redis: Redis;
let may: Somebody;
let mayNot: Somebody;
beforeAll(async () => {
  simulator = await startSimulator();
  server = await startAdminServer(inject('redisUrl'), {
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: simulator.url,
    AWS_ENDPOINT_URL_STS: simulator.url,
    LOG_LEVEL: 'trace',
  });
  redis = new Redis(inject('redisUrl'));
  const { admin } = server;
  await ok(admin.post('/api/integrations/provider/bedrock', INTEGRATION));
  for (const [name, configuration] of Object.entries(MODELS)) {
    await ok(
      admin.post(`/api/integrations/provider/bedrock/integration/${name}`, {
        configuration: { ...PLAIN, ...configuration },
      }),
    );
  }
  may = await server.somebody('may');
  mayNot = await server.somebody('may-not');
  await ok(admin.post('/api/auth/authorization', grant(may)));
  // What workers tell of Redis after a moment, when it has been there for long.
  await redis.set(`${server.prefix}run:epoch`, String(Date.now() - 3_600_000));
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
  await simulator?.stop();
});
beforeEach(async () => {
  await controlSimulator(simulator.url, 'reset');
  await controlSimulator(simulator.url, 'calls', undefined, 'DELETE');
});

const grant = ({ userId }: Somebody) => ({
  subject: { type: 'USER', id: userId },
  target: { type: 'INTEGRATION_PROVIDER', id: 'bedrock' },
  access: ['EXECUTE'],
});

async function ok(answer: Promise<Answer>): Promise<Answer> {
  const done = await answer;
  if (done.status !== 200) throw new Error(`${done.status}: ${done.text}`);
  return done;
}

const fault = (model: string, what: object | null) => controlSimulator(simulator.url, 'faults', { model, fault: what });
const calls = async () =>
  (await controlSimulator(simulator.url, 'calls', undefined, 'GET')) as {
    readonly calls: readonly { readonly body: Record<string, unknown>; readonly accessKeyId: string }[];
    readonly models: Record<string, { readonly inFlight: number; readonly maxInFlight: number }>;
  };

describe('a template that is tried', () => {
  it.each([
    ['somebody who may run the model', () => may],
    ['ADMIN', () => server.admin],
  ] as [string, () => Client][])('is rendered once and completed, for %s', async (_, who) => {
    const answer = await who().post(path, asked({ promptVariables: { word: '${word} $&' }, stopWords: ['STOP'] }));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.text.length).toBeGreaterThan(0);
    const { calls: sent } = await calls();
    expect(sent).toMatchObject([
      {
        accessKeyId: INTEGRATION_CREDENTIALS.accessKeyId,
        body: { message: 'Say ${word} $&', max_tokens: 1024, stop_sequences: ['STOP'] },
      },
    ]);
  });

  it("goes out with a client's null for what it does not give, and with its parameters", async () => {
    const given = { promptVariables: null, prompt: 'Hi', stopWords: null, temperature: 0.25, topP: 0.5 };
    expect((await may.post(path, asked(given))).status).toBe(200);
    expect((await calls()).calls[0]?.body).toMatchObject({ message: 'Hi', temperature: 0.25, p: 0.5 });
  });

  it('takes whatever a prompt’s defaults can say, as numbers or as text', async () => {
    const given = { topK: 5, maxTokens: '7', seed: 1, frequencyPenalty: 0.5, presencePenalty: null, jsonOutput: false };
    expect((await may.post(path, asked(given))).status).toBe(200);
    expect((await calls()).calls[0]?.body).toMatchObject({ k: 5, max_tokens: 7, seed: 1, frequency_penalty: 0.5 });
  });

  it('is answered with what the template does not have of the variables: their names, in a header each', async () => {
    const answer = await may.post(
      path,
      asked({ promptVariables: { word: 'x', wort: 'SEKRET', 'ü\n"\\': 1, none: null } }),
    );
    expect(answer.status).toBe(200);
    expect(answer.headers.get('warning')).toBe(
      [
        '299 bedrock-cohere "The variable \\"wort\\" is not in the text and was not used. Did you mean \\"word\\"?"',
        '299 bedrock-cohere "The variable \\"\\\\u00fc\\\\n\\\\\\"\\\\\\\\\\" is not in the text and was not used."',
      ].join(', '),
    );
    expect((await may.post(path, asked())).headers.get('warning')).toBeNull();
    const strange = Array.from({ length: 20 }, (_, index) => ['\u{1F600}'.repeat(200) + index, 1]);
    const many = await may.post(path, asked({ promptVariables: { word: 'x', ...Object.fromEntries(strange) } }));
    expect(many.headers.get('warning')?.match(/299 bedrock-cohere "/g)).toHaveLength(10);
    expect(many.headers.get('warning')?.length).toBeLessThan(8_000);
  });

  it('does not become longer than a worker takes', async () => {
    const large = { prompt: '${a}'.repeat(2_000), promptVariables: { a: 'x'.repeat(100_000) } };
    expect(await may.post(path, asked(large))).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('longer than 10,000,000 characters') },
    });
    expect((await calls()).calls).toEqual([]);
  });

  it.each([
    ['variables are missing', { promptVariables: {} }, 400, /"word", which promptVariables does not give/],
    ['the model takes only named prompts', { model: 'named' }, 400, /takes only named prompts/],
    ['a parameter is out of range', { temperature: 2 }, 400, /temperature.*0 to 1/],
    ['there is no template', { prompt: '' }, 400, /prompt/],
    ['there is something else in it', { promptName: 'x' }, 400, /promptName: unknown key/],
    ['the model is unknown', { model: 'plainn' }, 404, /Did you mean "plain"/],
  ])('is refused where %s, and nothing is sent', async (_, more, status, words) => {
    const answer = await may.post(path, asked(more));
    expect(answer).toMatchObject({ status, body: { status, message: expect.stringMatching(words), retryable: false } });
    expect((await calls()).calls).toEqual([]);
  });

  it('is refused to who may not in the words of a task, whether the model exists or not, and on record', async () => {
    const [known, unknown] = [await mayNot.post(path, asked()), await mayNot.post(path, asked({ model: 'nothing' }))];
    const words = (model: string) =>
      `USER:${mayNot.userId} may not use bedrock:${model} (inputs llmProvider, model): unknown or not permitted. ` +
      `Missing: EXECUTE on INTEGRATION:bedrock:${model} or INTEGRATION_PROVIDER:bedrock. ` +
      `An administrator sees why with: bedrock-cohere can USER:${mayNot.userId} bedrock:${model}`;
    expect(known).toMatchObject({ status: 403, body: { message: words('plain') } });
    expect(unknown).toMatchObject({ status: 403, body: { message: words('nothing') } });
    expect((await calls()).calls).toEqual([]);
    const denials = await redis.xrange(`${server.prefix}run:denials`, '-', '+');
    const told = denials.map(([, fields]) => Object.fromEntries(Map.groupBy(fields, (_, at) => at >> 1).values()));
    expect(told).toEqual(
      ['plain', 'nothing'].map((model) =>
        expect.objectContaining({
          ...{ subject: `USER:${mayNot.userId}`, source: 'token', target: `bedrock:${model}`, taskId: '' },
        }),
      ),
    );
  });

  it('needs a token', async () => {
    expect((await server.client().post(path, asked())).status).toBe(401);
  });

  it.each([
    ['throttles', { name: 'ThrottlingException' }, 429, true],
    ['refuses the credentials', { name: 'AccessDeniedException' }, 424, false],
    ['is not available', { name: 'ServiceUnavailableException' }, 424, true],
    ['has no such model', { name: 'ResourceNotFoundException' }, 424, false],
    ['lets the model fail', { name: 'ModelErrorException' }, 424, true],
    ['answers with something else', { body: {} }, 424, true],
    ['refuses the request', { name: 'ValidationException' }, 400, false],
    ['lets the model take too long', { name: 'ModelTimeoutException' }, 424, true],
  ])('says so where Bedrock %s', async (_, what, status, retryable) => {
    await fault('*', what);
    const answer = await may.post(path, asked());
    expect(answer).toMatchObject({ status, body: { status, retryable } });
    expect(answer.headers.get('retry-after')).toBe(status === 429 ? '2' : null);
    expect(answer.text).not.toMatch(/arn:aws|AKIA|\d{12}/);
  });

  it("takes no longer than the model's timeoutMs", async () => {
    await fault('*', { hang: true });
    expect(await may.post(path, asked({ model: 'short' }))).toMatchObject({ status: 424 });
  });

  it('is broken off when nobody waits for it any more', async () => {
    await controlSimulator(simulator.url, 'latency', { model: '*', ms: 20_000 });
    const gone = new AbortController();
    const call = fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'x-authorization': may.token ?? '', 'content-type': 'application/json' },
      body: JSON.stringify(asked({ model: 'one' })),
      signal: gone.signal,
    });
    const inFlight = async () => (await calls()).models[HOSTED.command]?.inFlight;
    await expect.poll(inFlight).toBe(1);
    const places = () => redis.zcard(`${server.prefix}run:lane:bedrock:${HOSTED.command}:leases`);
    expect(await places()).toBe(1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(places).toBe(0);
    expect(await server.cli.stdout()).not.toContain('"level":"error"');
  });

  it('leaves nothing of itself in the log', async () => {
    await may.post(path, asked());
    await fault('*', { name: 'ThrottlingException' });
    await may.post(path, asked());
    await may.post(path, asked({ temperature: 7 }));
    await mayNot.post(path, asked());
    const log = `${await server.cli.stdout()}${await server.cli.stderr()}`;
    expect(log).toContain('A call is denied');
    for (const secret of ['Zwiebelfisch', 'Say ', INTEGRATION_CREDENTIALS.secretAccessKey, may.token ?? '?']) {
      expect(log).not.toContain(secret);
    }
  });
});

describe('limits over the whole cluster', () => {
  it('hold a template back while a task of a worker has the only place, and let it go when that has ended', async () => {
    await using stub = await startStubConductor();
    const claims = await server.somebody('claims');
    await ok(server.admin.post('/api/auth/authorization', grant(claims)));
    const workflows = ['claims_*'];
    await ok(server.admin.put(`/api/applications/${claims.applicationId}`, { name: 'claims', workflows }));
    const httpPort = await freePort();
    const worker = await startCli(['worker'], {
      ...{ ...server.env, CONDUCTOR_SERVER_URL: stub.apiUrl, HTTP_PORT: String(httpPort) },
      REGISTER_TASK_DEFINITIONS: 'none',
    });
    try {
      await waitForReady(worker, httpPort);
      await controlSimulator(simulator.url, 'latency', { model: HOSTED.command, ms: 2_000 });
      const taskId = stub.add('LLM_TEXT_COMPLETE', {
        workflowType: 'claims_intake',
        inputData: { llmProvider: 'bedrock', model: 'one', prompt: 'Hello' },
      });
      const inFlight = async () => (await calls()).models[HOSTED.command]?.inFlight;
      await expect.poll(inFlight, { timeout: 10_000 }).toBe(1);
      const waited = await may.post(path, asked({ model: 'one' }));
      expect({ status: waited.status, task: stub.tasks.get(taskId)?.status }).toEqual({
        status: 200,
        task: 'COMPLETED',
      });
      const seen = await calls();
      expect(seen.calls).toHaveLength(2);
      expect(seen.models[HOSTED.command]).toMatchObject({ maxInFlight: 1 });
      // Both are counted, each for its own.
      const today = new Date().toISOString().slice(0, 10);
      const called = (userId: string) =>
        redis.hget(
          `${server.prefix}run:usage:${today}:subjects`,
          JSON.stringify([`USER:${userId}`, 'bedrock', 'one', 'calls']),
        );
      await expect
        .poll(async () => [await called(claims.userId), await called(may.userId)], { timeout: 6_000 })
        .toEqual(['1', '1']);
    } finally {
      await worker.stop();
      await worker.remove();
    }
  });

  it('count a template: a minute that a limit has spent on one has no room for the next', async () => {
    expect(await may.post(path, asked({ model: 'minute' }))).toMatchObject({ status: 200 });
    const gone = AbortSignal.timeout(1_000);
    await expect(
      fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'x-authorization': may.token ?? '', 'content-type': 'application/json' },
        body: JSON.stringify(asked({ model: 'minute' })),
        signal: gone,
      }),
    ).rejects.toThrow();
    expect((await calls()).calls).toHaveLength(1);
  });
});

describe('a token limit', () => {
  it('holds for templates: what was used, the limit, and when it is worth trying again', async () => {
    const spender = await server.somebody('spender');
    await ok(server.admin.post('/api/auth/authorization', grant(spender)));
    await ok(
      server.admin.put(`/api/applications/${spender.applicationId}`, {
        ...{ name: 'spender', maxTokens: 1, frequency: 'daily' },
      }),
    );
    expect(await spender.post(path, asked())).toMatchObject({ status: 200 });
    for (let time = 0; time < 2; time += 1) {
      const refused = await spender.post(path, asked());
      expect(refused).toMatchObject({ status: 429, body: { retryable: false } });
      expect(refused.body.message).toMatch(/^The token limit of the application .* is used up: \d+ of 1 tokens today/);
      const seconds = Number(refused.headers.get('retry-after'));
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(86_400);
    }
    expect((await calls()).calls).toHaveLength(1);
  });
});

describe('a server that stops', () => {
  it('awaits the model for a template that it has sent, and sends no other', async () => {
    const other = await startAdminServer(inject('redisUrl'), {
      ...{ REDIS_PREFIX: 'stops:', DRAIN_TIMEOUT_MS: '10000' },
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: simulator.url,
    });
    try {
      await ok(other.admin.post('/api/integrations/provider/bedrock', INTEGRATION));
      for (const [name, model] of Object.entries({ plain: PLAIN, one: MODELS.one })) {
        await ok(other.admin.post(`/api/integrations/provider/bedrock/integration/${name}`, { configuration: model }));
      }
      await redis.set('stops:run:epoch', String(Date.now() - 3_600_000));
      await controlSimulator(simulator.url, 'latency', { model: HOSTED.commandR, ms: 2_000 });
      // Somebody has its only place.
      await redis.zadd(`stops:run:lane:bedrock:${HOSTED.command}:leases`, Date.now() + 14_000, 'somebody#1');
      const first = other.admin.post(path, asked());
      const inFlight = async () => (await calls()).models[HOSTED.commandR]?.inFlight;
      await expect.poll(inFlight, { timeout: 10_000 }).toBe(1);
      const second = other.admin.post(path, asked({ model: 'one' }));
      // It has come to the lane: it asks for a place.
      await expect.poll(() => redis.exists(`stops:run:lane:bedrock:${HOSTED.command}:askers`)).toBe(1);
      other.cli.kill('SIGTERM');
      expect(await second).toMatchObject({ status: 503, body: { retryable: true } });
      expect(await first).toMatchObject({ status: 200 });
      expect(await other.cli.exited).toMatchObject({ code: 0 });
      expect((await calls()).calls).toHaveLength(1);
    } finally {
      await other.stop();
    }
  });
});
