import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
});
afterAll(async () => await server?.stop());

// Orkes' JavaScript SDK would wait for itself, and the Python one call itself without end.
it('a refused access key is no refused token: nothing tells a client to get a token with it', async () => {
  const { id } = server.adminKey;
  for (const body of [
    { keyId: id, keySecret: 'another' },
    { keyId: 'unknown', keySecret: 'another' },
  ]) {
    const answer = await server.client().post('/api/token', body);
    expect(answer.body).toEqual({
      status: 401,
      message: 'The access key is unknown, switched off, or its secret is another',
      instance: expect.any(String),
      retryable: false,
    });
  }
  expect((await server.client('no-token').get('/api/groups')).body).toMatchObject({
    status: 401,
    error: 'INVALID_TOKEN',
  });
});
