import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningAdmin, startAdminServer, tokenFor } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';

let proxy: TcpProxy;
let server: RunningAdmin;
let redis: Redis;
beforeAll(async () => {
  const { hostname, port } = new URL(inject('redisUrl'));
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  server = await startAdminServer(`redis://127.0.0.1:${proxy.port}`);
  redis = new Redis(inject('redisUrl'));
});
afterAll(async () => {
  redis?.disconnect();
  await proxy?.mend();
  await server?.stop();
  await proxy?.close();
});

const names = () => keyNames(server.prefix);
const killed = async () => {
  await proxy.cut();
  await proxy.mend();
};
const mended = async () => {
  await proxy.mend();
  await expect.poll(async () => (await server.admin.get('/readyz')).status, { timeout: 20_000 }).toBe(200);
};

describe('where the connection to Redis is killed amid writing', () => {
  it('all of a change is there or nothing, whatever the answer', async () => {
    const batch = (round: number) =>
      Array.from({ length: 50 }, (_, at) => ({ name: `p${at}`, template: `round ${round}` }));
    let answered = 0;
    for (let round = 0; round < 40; round += 1) {
      const writing = server.admin.post('/api/prompts', batch(round));
      await new Promise((resolve) => setTimeout(resolve, round % 8));
      await killed();
      const { status, body } = await writing;
      expect([200, 503]).toContain(status);
      if (status === 503) expect(body.retryable).toBe(true);
      if (status === 200) answered += 1;
      const texts = Object.values(await redis.hgetall(names().hash('prompts')));
      expect([0, 50]).toContain(texts.length);
      const rounds = new Set(texts.map((text) => JSON.parse(text).template));
      expect(rounds.size).toBeLessThanOrEqual(1);
      if (status === 200) expect([...rounds]).toEqual([`round ${round}`]);
    }
    expect(answered).toBeGreaterThan(0);
    await mended();
  }, 120_000);

  it('a key that is switched off is not switched on again', async () => {
    const { applicationId, key } = await server.somebody('switched');
    const status = `/api/applications/${applicationId}/accessKeys/${key.id}/status`;
    const isEnabled = async () =>
      JSON.parse((await redis.hget(names().hash('access-keys'), key.id)) ?? '').enabled as boolean;
    for (let round = 0; round < 30; round += 1) {
      const switching = server.admin.post(status);
      await new Promise((resolve) => setTimeout(resolve, round % 6));
      await killed();
      const answer = await switching;
      // What an earlier round was not told may have been written after its answer, so that only this answer counts.
      if (answer.status === 200) expect(await isEnabled()).toBe(answer.body.status === 'ACTIVE');
      expect([200, 503]).toContain(answer.status);
    }
    await mended();
  }, 120_000);
});

describe('where Redis is away', () => {
  it('every answer is 503 that may be tried again, and tells nothing of what was to be written', async () => {
    const secret = 'the-very-secret';
    const configuration = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'A', api_key: secret };
    const { id } = (await server.admin.post('/api/applications', { name: 'a' })).body;
    await proxy.cut();
    const answers = await Promise.all([
      server.admin.post('/api/integrations/provider/lost', { configuration }),
      server.admin.put('/api/groups/lost', {}),
      server.admin.delete(`/api/applications/${id}`),
      server.admin.post(`/api/applications/${id}/accessKeys`),
      tokenFor(server.client(), server.adminKey).catch((error: Error) => error.message),
    ]);
    for (const answer of answers) {
      if (typeof answer === 'string') expect(answer).toContain('"status":503');
      else {
        expect(answer).toMatchObject({ status: 503, body: { retryable: true } });
        expect(answer.text).not.toContain(secret);
      }
    }
    expect(await server.cli.stdout()).not.toContain(secret);
    await mended();
    expect(await server.admin.put('/api/groups/found', {})).toMatchObject({ status: 200 });
  }, 60_000);
});
