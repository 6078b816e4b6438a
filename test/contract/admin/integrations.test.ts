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
