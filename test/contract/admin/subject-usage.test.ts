import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { createUsageRecorder } from '../../../src/telemetry/usage.ts';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';
import { capturedLog } from '../support/live-catalog.ts';

const DAY_MS = 86_400_000;
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;
const USES = [
  { subject: 'USER:app:claims', model: 'a', prompt: 10 },
  { subject: 'USER:app:claims', model: 'b', prompt: 1 },
  { subject: 'USER:al*ce', model: 'a', prompt: 7 },
  { subject: 'USER:al*ce, and "more"', model: 'a', prompt: 7 },
  { subject: '', model: 'a', prompt: 1_000 },
];

let server: RunningAdmin;
let redis: Redis;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  for (const daysAgo of [0, 1, 31]) {
    const clock = { now: () => NOON - daysAgo * DAY_MS, learn: () => undefined };
    const recorder = createUsageRecorder({
      ...{ redis, keys: keyNames(server.prefix).usage, log: capturedLog().log, clock },
      instance: `worker/${daysAgo}`,
    });
    for (const { subject, model, prompt } of USES)
      recorder.record({
        ...{ integration: 'prod', model, subject, tokens: { prompt, completion: 1 } },
        spent: { accounts: [], tokens: 0 },
      });
    recorder.recordHits({ integration: 'prod', model: 'b', subject: 'USER:app:claims', hits: 3 });
    await recorder.flush();
  }
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

const path = '/api/usage/subjects';
const line = (subject: string, api: string, promptTokens: number) => ({
  ...{ subject, integrationName: 'prod', api, calls: 2, promptTokens, completionTokens: 2 },
  ...{ totalTokens: promptTokens + 2, cacheHits: 0 },
});

it('says who used what over 31 days, the most tokens first', async () => {
  expect(await server.admin.get(path)).toMatchObject({
    status: 200,
    body: [
      line('USER:app:claims', 'a', 20),
      line('USER:al*ce', 'a', 14),
      line('USER:al*ce, and "more"', 'a', 14),
      { ...line('USER:app:claims', 'b', 2), cacheHits: 6 },
    ],
  });
});

it('is of one subject, integration or model, and no longer than asked for', async () => {
  const shown = async (query: string) =>
    (await server.admin.get(`${path}?${query}`)).body.map((one: Record<string, string>) => [
      one['subject'],
      one['api'],
    ]);
  expect(await shown('subject=app:claims')).toEqual([
    ['USER:app:claims', 'a'],
    ['USER:app:claims', 'b'],
  ]);
  // A name is no pattern.
  expect(await shown(`subject=${encodeURIComponent('USER:al*ce')}`)).toEqual([['USER:al*ce', 'a']]);
  expect(await shown(`subject=${encodeURIComponent('USER:al*')}`)).toEqual([]);
  expect(await shown('model=b')).toEqual([['USER:app:claims', 'b']]);
  expect(await shown('integration=other')).toEqual([]);
  expect(await shown('limit=1')).toEqual([['USER:app:claims', 'a']]);
});

it('looks back as far as it is asked to', async () => {
  const calls = async (days: string) =>
    (await server.admin.get(`${path}?lookUpWindow=${days}&model=b`)).body.map(
      (one: Record<string, number>) => one['calls'],
    );
  expect([await calls('1'), await calls('2'), await calls('400')]).toEqual([[1], [2], [3]]);
  for (const days of ['0', '401', 'x'])
    expect((await server.admin.get(`${path}?lookUpWindow=${days}`)).status).toBe(400);
});

it('looks at all of a day with many subjects', async () => {
  const key = keyNames(server.prefix).usage.subjects(new Date(NOON).toISOString().slice(0, 10));
  const fields = Array.from({ length: 5_000 }, (_, index) =>
    JSON.stringify([`USER:${index}`, 'many', 'm', 'promptTokens']),
  );
  await redis.hset(key, ...fields.flatMap((field, index) => [field, index]));
  const { body } = await server.admin.get(`${path}?integration=many&limit=1000`);
  const most = Array.from({ length: 1_000 }, (_, index) => 4_999 - index);
  expect(body.map((one: Record<string, number>) => one['totalTokens'])).toEqual(most);
  await redis.hdel(key, ...fields);
});

it('is of a subject, and of nothing else', async () => {
  expect(await server.admin.get(`${path}?subject=USER:`)).toMatchObject({ status: 400 });
});

it('is for ADMIN alone', async () => {
  const somebody = await server.somebody('curious');
  expect(await somebody.get(path)).toMatchObject({ status: 403 });
});
