import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
});
afterAll(async () => await server?.stop());

const accessKey = (secret = 'the-secret') => ({
  type: 'aws_bedrock_cohere',
  category: 'AI_MODEL',
  description: 'Test',
  enabled: true,
  configuration: { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIAEXAMPLE', api_key: secret },
});

describe('an integration', () => {
  it('is created, read with its secret masked, replaced and deleted', async () => {
    const { admin } = server;
    expect(await admin.post('/api/integrations/provider/first', accessKey())).toMatchObject({ status: 200, text: '' });
    const read = await admin.get('/api/integrations/provider/first');
    expect(read.status).toBe(200);
    expect(read.body).toMatchObject({
      name: 'first',
      type: 'aws_bedrock_cohere',
      category: 'AI_MODEL',
      enabled: true,
      configuration: { connectionType: 'ACCESS_KEY', user: 'AKIAEXAMPLE', api_key: '********' },
      modelsCount: 0,
    });
    expect(await admin.delete('/api/integrations/provider/first')).toMatchObject({ status: 200 });
    expect(await admin.get('/api/integrations/provider/first')).toMatchObject({ status: 404 });
  });
});

describe('a model', () => {
  const path = (model: string) => `/api/integrations/provider/lives/integration/${encodeURIComponent(model)}`;
  const warningOf = ({ headers }: { readonly headers: Headers }) => headers.get('warning');

  it('is listed with its family and its life, and warned of when it is written at its end, or as an alias of one', async () => {
    const { admin } = server;
    await admin.post('/api/integrations/provider/lives', accessKey());
    const warning =
      '299 bedrock-cohere "the model reached its end of life on 2026-08-19; a living alternative is global.amazon.nova-2-lite-v1:0"';
    expect(warningOf(await admin.post(path('cohere.command-r-v1:0'), {}))).toBe(warning);
    const alias = { configuration: { modelId: 'cohere.command-r-v1:0' } };
    expect(warningOf(await admin.post(path('alias'), alias))).toBe(warning);
    const hosted = { modelId: 'arn:aws:bedrock:us-east-1:111122223333:imported-model/r', family: 'command' };
    for (const [model, configuration] of [
      ['cohere.embed-v4:0', {}],
      ['hosted', hosted],
      ['amazon.nova-lite-v1:0', {}],
    ] as const) {
      const written = await admin.post(path(model), { configuration });
      expect([written.status, warningOf(written)]).toEqual([200, null]);
    }

    const listed = await admin.get('/api/integrations/provider/lives/integration');
    const shown = (listed.body as { api: string; family: string; life: unknown }[]).map((model) => [
      model.api,
      [model.family, model.life],
    ]);
    const ended = {
      state: 'ended',
      endedOn: '2026-08-19',
      alternative: 'global.amazon.nova-2-lite-v1:0',
    };
    expect(Object.fromEntries(shown)).toEqual({
      alias: ['command-r', ended],
      'amazon.nova-lite-v1:0': ['converse', { state: 'unknown' }],
      'cohere.command-r-v1:0': ['command-r', ended],
      'cohere.embed-v4:0': ['embed-v4', { state: 'active' }],
      hosted: ['command', { state: 'unknown' }],
    });
    expect((await admin.get(path('alias'))).body).toMatchObject({ family: 'command-r', life: ended });
    const all = await admin.get('/api/integrations/?category=AI_MODEL');
    expect(JSON.stringify(all.body)).toContain('"endedOn":"2026-08-19"');
  });

  it('can be written back as it was read: its life and family are not part of its record', async () => {
    const { admin } = server;
    const read = (await admin.get(path('alias'))).body as Record<string, unknown>;
    expect((await admin.post(path('alias'), { ...read, family: 'rerank', description: 'again' })).status).toBe(200);
    expect((await admin.get(path('alias'))).body).toMatchObject({ family: 'command-r', description: 'again' });
  });
});
