import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer, tokenFor } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
});
afterAll(async () => await server?.stop());

const WHO = '/api/token/userInfo';

describe('rule 6: a token', () => {
  it('for tasks is no administrator’s, whatever its application may', async () => {
    const { key } = await server.somebody('tasks', ['ADMIN']);
    const token = await tokenFor(server.client(), key, { audience: 'task' });
    const answer = await server.client(token).get(WHO);
    expect(answer).toMatchObject({ status: 401, body: { error: 'INVALID_TOKEN' } });
    expect(answer.text).not.toContain(token);
  });

  it('whose time is over is said to be, so that clients fetch another', async () => {
    const { key } = await server.somebody('short');
    const token = await tokenFor(server.client(), key, { expiresInSeconds: 1 });
    expect(await server.client(token).get(WHO)).toMatchObject({ status: 200 });
    await expect
      .poll(() => server.client(token).get(WHO), { timeout: 5_000 })
      .toMatchObject({ status: 401, body: { error: 'EXPIRED_TOKEN' } });
  });

  it.each([
    ['missing', undefined],
    ['no JWT', 'nonsense'],
    ['unsigned', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhcHA6YWRtaW4ifQ.'],
    ['signed by another', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhcHA6YWRtaW4ifQ.c2lnbmF0dXJl'],
  ])('that is %s is invalid', async (_, token) => {
    const answer = await server.client(token).get(WHO);
    expect(answer).toMatchObject({ status: 401, body: { status: 401, error: 'INVALID_TOKEN', retryable: false } });
  });

  it('of which one character was changed is invalid', async () => {
    const { token = '' } = await server.somebody('changed');
    const at = token.indexOf('.') + 20;
    const other = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    expect(await server.client(other).get(WHO)).toMatchObject({ status: 401 });
  });

  it.each([
    { audience: 'api', expiresInSeconds: 3_601 },
    { audience: 'task', expiresInSeconds: 604_801 },
    { audience: 'api', workflow: 'w' },
    { audience: 'api', once: true },
    { audience: 'everything' },
  ])('is not made with %j', async (more) => {
    const { id, secret } = server.adminKey;
    const answer = await server.client().post('/api/token', { keyId: id, keySecret: secret, ...more });
    expect(answer).toMatchObject({ status: 400 });
  });
});

describe('rule 7: what a token may is in the records of now', () => {
  const integration = { configuration: { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'A', api_key: 's' } };

  it('so that a role that is taken is gone at once', async () => {
    const caller = await server.somebody('demoted', ['USER']);
    expect(await caller.post('/api/integrations/provider/before', integration)).toMatchObject({ status: 200 });
    await server.admin.delete(`/api/applications/${caller.applicationId}/roles/USER`);
    expect(await caller.post('/api/integrations/provider/after', integration)).toMatchObject({ status: 403 });
  });

  it('so that a key that is switched off, or deleted, or whose application is, works nowhere any more', async () => {
    for (const end of ['switched off', 'deleted', 'without application'] as const) {
      const caller = await server.somebody(end);
      const application = `/api/applications/${caller.applicationId}`;
      const key = `${application}/accessKeys/${caller.key.id}`;
      expect(await caller.get(WHO)).toMatchObject({ status: 200 });
      if (end === 'switched off') {
        expect(await server.admin.post(`${key}/status`)).toMatchObject({ body: { status: 'INACTIVE' } });
      } else {
        expect(await server.admin.delete(end === 'deleted' ? key : application)).toMatchObject({ status: 200 });
      }
      expect(await caller.get(WHO)).toMatchObject({ status: 401, body: { error: 'INVALID_TOKEN' } });
      const { id: keyId, secret: keySecret } = caller.key;
      expect(await server.client().post('/api/token', { keyId, keySecret })).toMatchObject({ status: 401 });
    }
  });

  it('nor for a request that was begun before and whose body is drawn out', async () => {
    const caller = await server.somebody('slow', ['ADMIN']);
    const body = JSON.stringify({ name: 'made-too-late' });
    const { port, host } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1');
    const head = [
      'POST /api/applications HTTP/1.1',
      `Host: ${host}`,
      `X-Authorization: ${caller.token}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      'Connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body.slice(0, 5)}`);
    // Long enough for the head to be judged.
    await sleep(300);
    await server.admin.post(`/api/applications/${caller.applicationId}/accessKeys/${caller.key.id}/status`);
    socket.write(body.slice(5));
    const answer = Buffer.concat(await socket.toArray()).toString();
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
    const { body: applications } = await server.admin.get('/api/applications');
    expect(applications.map(({ name }: { name: string }) => name)).not.toContain('made-too-late');
  });
});
