import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { createUsageRecorder } from '../../../src/telemetry/usage.ts';
import { type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';
import { capturedLog } from '../support/live-catalog.ts';

const DAY_MS = 86_400_000;
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;
const MODEL = 'cohere.embed-v4:0';

let server: RunningAdmin;
let redis: Redis;
let reader: Somebody;
let stranger: Somebody;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  const { admin } = server;
  const configuration = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
  await admin.post('/api/integrations/provider/prod', { type: 'aws_bedrock_cohere', configuration });
  for (const model of [MODEL, 'hidden'])
    await admin.post(`/api/integrations/provider/prod/integration/${encodeURIComponent(model)}`, {
      configuration: { family: 'embed-v4' },
    });
  [reader, stranger] = [await server.somebody('reader'), await server.somebody('stranger')];
  await admin.post('/api/auth/authorization', {
    subject: { type: 'USER', id: reader.userId },
    target: { type: 'INTEGRATION', id: `prod:${MODEL}` },
    access: ['READ'],
  });
  const keys = keyNames(server.prefix).usage;
  for (const daysAgo of [0, 1, 30, 31]) {
    const recorder = createUsageRecorder({
      ...{
        redis,
        keys,
        instance: `worker/${daysAgo}`,
        log: capturedLog().log,
        clock: { now: () => NOON - daysAgo * DAY_MS, learn: () => undefined },
      },
    });
    const tokens = { prompt: 10, completion: daysAgo };
    for (const model of [MODEL, 'hidden'])
      recorder.record({ integration: 'prod', model, subject: 'USER:x', tokens, spent: { accounts: [], tokens: 0 } });
    await recorder.flush();
  }
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

const history = '/api/integrations/llm/prod/token/history';
const metrics = `/api/integrations/provider/prod/integration/${encodeURIComponent(MODEL)}/metrics`;

describe('token history', () => {
  it('has a line for each model and day of the window', async () => {
    const { status, body } = await server.admin.get(`${history}?model=${encodeURIComponent(MODEL)}&lookUpWindow=2`);
    expect(status).toBe(200);
    const today = Math.floor(NOON / DAY_MS) * DAY_MS;
    const line = (periodStart: number, completionTokens: number) => ({
      ...{ integrationName: 'prod', api: MODEL, periodStart, promptTokens: 10 },
      ...{ completionTokens, totalTokens: 10 + completionTokens },
    });
    expect(body).toEqual([line(today - DAY_MS, 1), line(today, 0)]);
  });

  it('is of every model over 31 days where nothing is said, or as Orkes’ clients say it', async () => {
    for (const query of ['', '?model=*&lookUpWindow=31']) {
      const { body } = await server.admin.get(`${history}${query}`);
      expect(body.map(({ api, completionTokens }: Record<string, unknown>) => [api, completionTokens])).toEqual(
        [30, 1, 0].flatMap((daysAgo) => [
          [MODEL, daysAgo],
          ['hidden', daysAgo],
        ]),
      );
    }
  });

  it.each(['0', '401', 'x', '-1'])('looks back 1 to 400 days, and not %s', async (days) => {
    expect(await server.admin.get(`${history}?lookUpWindow=${days}`)).toMatchObject({ status: 400 });
  });
});

describe('metrics', () => {
  it('are the tokens of one model over 31 days, as a number', async () => {
    expect(await server.admin.get(metrics)).toMatchObject({ status: 200, body: 61 });
  });

  it('are those of each model of an integration', async () => {
    const { body } = await server.admin.get('/api/integrations/provider/prod/metrics');
    expect(body).toEqual({ [MODEL]: 61, hidden: 61 });
  });
});

describe('who may READ', () => {
  it('one model sees that one alone', async () => {
    expect(await reader.get(metrics)).toMatchObject({ status: 200, body: 61 });
    expect(await reader.get(metrics.replace(encodeURIComponent(MODEL), 'hidden'))).toMatchObject({ status: 403 });
    expect(await reader.get('/api/integrations/provider/prod/metrics')).toMatchObject({
      status: 200,
      body: { [MODEL]: 61 },
    });
    const { body } = await reader.get(history);
    expect(body.map(({ api }: { readonly api: string }) => api)).toEqual([MODEL, MODEL, MODEL]);
  });

  it('nothing sees nothing, whether it exists or not', async () => {
    for (const name of ['prod', 'none']) {
      expect(await stranger.get(history.replace('prod', name))).toMatchObject({ status: 200, body: [] });
      expect(await stranger.get(`/api/integrations/provider/${name}/metrics`)).toMatchObject({ status: 200, body: {} });
      expect(await stranger.get(metrics.replace('prod', name))).toMatchObject({ status: 403 });
    }
    expect(await server.admin.get(metrics.replace('prod', 'none'))).toMatchObject({ status: 404 });
  });
});

describe('what Redis is asked for', () => {
  /** The fields of usage that are asked for meanwhile; `*` for a whole day. */
  async function asked(run: () => Promise<unknown>): Promise<string[]> {
    const monitor = await redis.duplicate().monitor();
    const fields: string[] = [];
    const fence = `${server.prefix}fence`;
    const heard = new Promise<void>((resolve) => {
      monitor.on('monitor', (_time: string, [command = '', key = '', ...args]: string[]) => {
        if (key === fence) resolve();
        if (!key.startsWith(`${server.prefix}run:usage:`)) return;
        fields.push(...(/^(hgetall|hscan)$/i.test(command) ? ['*'] : args));
      });
    });
    try {
      await run();
      await redis.echo(fence);
      await heard;
    } finally {
      monitor.disconnect();
    }
    return fields;
  }
  const models = (fields: readonly string[]) => [
    ...new Set(fields.map((field) => (field === '*' ? '*' : (JSON.parse(field) as string[])[1]))),
  ];

  it('is nothing for whoever may READ nothing', async () => {
    const all = await asked(async () => {
      expect(await stranger.get(`${history}?lookUpWindow=400`)).toMatchObject({ status: 200, body: [] });
      expect(await stranger.get(`${history}?model=hidden`)).toMatchObject({ status: 200, body: [] });
      expect(await reader.get(`${history}?model=hidden`)).toMatchObject({ status: 200, body: [] });
      await stranger.get('/api/integrations/provider/prod/metrics');
    });
    expect(all).toEqual([]);
  });

  it('is the models that a caller may READ', async () => {
    expect(models(await asked(() => reader.get(`${history}?lookUpWindow=400`)))).toEqual([MODEL]);
    expect(models(await asked(() => server.admin.get(history)))).toEqual(['*']);
  });

  it('is the one that is named', async () => {
    const named = `${history}?model=${encodeURIComponent(MODEL)}`;
    expect(models(await asked(() => server.admin.get(named)))).toEqual([MODEL]);
    expect(models(await asked(() => server.admin.get(metrics)))).toEqual([MODEL]);
  });

  it('is all that was used for whoever may READ the integration: what is gone was used, too', async () => {
    const field = JSON.stringify(['prod', 'gone', 'promptTokens']);
    const key = keyNames(server.prefix).usage.totals(new Date().toISOString().slice(0, 10));
    await redis.hset(key, field, 3);
    const { body } = await server.admin.get(`${history}?lookUpWindow=1`);
    expect(body.map(({ api }: { readonly api: string }) => api)).toEqual([MODEL, 'gone', 'hidden']);
    await redis.hdel(key, field);
  });
});

it('the description says what is text and what is a number', async () => {
  const { body } = await server.client().get('/openapi.json');
  const answer = (path: string, method: string) => body.paths[path][method].responses['200'].content;
  expect(answer('/api/prompts/test', 'post')).toMatchObject({ 'text/plain': { schema: { type: 'string' } } });
  expect(Object.keys(answer('/api/prompts/test', 'post'))).toEqual(['text/plain']);
  expect(answer('/api/integrations/provider/{name}/integration/{model}/metrics', 'get')).toMatchObject({
    'application/json': { schema: { type: 'integer' } },
  });
  expect(Object.keys(body.paths['/api/prompts/test'].post.responses)).toEqual(
    expect.arrayContaining(['400', '403', '404', '409', '424', '429', '503']),
  );
});
