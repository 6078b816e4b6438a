import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
});
afterAll(async () => await server?.stop());

const attempt = (keyId: string, headers = {}) =>
  server.client().call('POST', '/api/token', { body: { keyId, keySecret: 'wrong' }, headers });

// In this order: what is counted by address stays counted for a minute.
describe('rule 15: the token endpoint under attack', () => {
  it('proves two at once, lets 32 wait, refuses the rest with 429 and Retry-After; other routes go on', async () => {
    const flood = Promise.all(Array.from({ length: 80 }, (_, at) => attempt(`unknown-${at}`)));
    let answeredMeanwhile = 0;
    let isOver = false;
    const others = (async () => {
      while (!isOver) {
        expect(await server.admin.get('/api/applications')).toMatchObject({ status: 200 });
        if (!isOver) answeredMeanwhile += 1;
      }
    })();
    const answers = await flood;
    isOver = true;
    await others;
    const refused = answers.filter(({ status }) => status === 429);
    for (const { headers, body } of refused) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(body.retryable).toBe(true);
    }
    // A place that frees while they still arrive is taken by another.
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(34);
    expect(refused.length).toBeGreaterThan(20);
    expect(answers.every(({ status }) => status === 429 || status === 401)).toBe(true);
    expect(answeredMeanwhile).toBeGreaterThan(5);
  });

  it('counts what fails by key and by address, which X-Forwarded-For does not change', async () => {
    const statuses: number[] = [];
    for (let at = 0; at < 60; at += 1) {
      const from = `10.0.0.${at}`;
      const headers = { 'x-forwarded-for': from, 'x-real-ip': from, forwarded: `for=${from}` };
      statuses.push((await attempt(`guessed-${at}`, headers)).status);
    }
    expect(statuses.at(-1)).toBe(429);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
  });

  it('counts by the address that a proxy tells which is to be believed, and no other', async () => {
    const behind = await server.replica({ ADMIN_TRUSTED_PROXIES: '10.9.9.9,127.0.0.0/8' });
    const guess = async (keyId: string, forwardedFor: string) => {
      const body = JSON.stringify({ keyId, keySecret: 'wrong' });
      const headers = { 'content-type': 'application/json', 'x-forwarded-for': forwardedFor };
      return (await fetch(`${behind.url}/api/token`, { method: 'POST', body, headers })).status;
    };
    try {
      const statuses: number[] = [];
      // What the guesser writes itself stands before what the proxies add.
      for (let at = 0; at < 52; at += 1)
        statuses.push(await guess(`behind-${at}`, `203.0.113.${at}, 198.51.100.1, 10.9.9.9`));
      expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
      expect(await guess('another', '198.51.100.2, 10.9.9.9')).toBe(401);
      expect(await guess('another', '198.51.100.1')).toBe(429);
    } finally {
      await behind.stop();
    }
  });

  it('and whose secret was right from there before still gets in', async () => {
    const { id, secret } = server.adminKey;
    const answer = await server.client().post('/api/token', { keyId: id, keySecret: secret });
    expect(answer).toMatchObject({ status: 200 });
    // Nobody else does.
    expect(await attempt('one-more')).toMatchObject({ status: 429 });
  });

  it('many keys made at once hold up nobody who proves one', async () => {
    const { id } = (await server.admin.post('/api/applications', { name: 'many' })).body;
    let made = 0;
    const making = Array.from({ length: 12 }, async () => {
      expect(await server.admin.post(`/api/applications/${id}/accessKeys`)).toMatchObject({ status: 200 });
      made += 1;
    });
    await Promise.race(making);
    const { id: keyId, secret: keySecret } = server.adminKey;
    expect(await server.client().post('/api/token', { keyId, keySecret })).toMatchObject({ status: 200 });
    // Were they all begun at once, this one would have come after them.
    expect(made).toBeLessThan(8);
    await Promise.all(making);
  });
});
