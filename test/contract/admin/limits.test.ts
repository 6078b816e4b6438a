import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { periodAt } from '../../../src/limits/periods.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

const CONNECTION = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
const LIMIT = { maxTokens: 100, frequency: 'daily' };
const model = '/api/integrations/provider/prod/integration/m';
const integration = '/api/integrations/provider/prod';
const tokenLimit = '/api/integrations/llm/prod/token';

let server: RunningAdmin;
let redis: Redis;
let owner: Somebody;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  const { admin } = server;
  await admin.post(integration, { type: 'aws_bedrock_cohere', configuration: CONNECTION });
  await admin.post(model, { configuration: { family: 'embed-v4' } });
  owner = await server.somebody('owner');
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

const grant = (userId: string, type: string, id: string, ...access: string[]) =>
  server.admin.post('/api/auth/authorization', { subject: { type: 'USER', id: userId }, target: { type, id }, access });
async function ok(answer: Promise<{ readonly status: number; readonly text: string }>) {
  const { status, text } = await answer;
  expect(status, text).toBe(200);
}
const limitIn = async (path: string) => {
  const { maxTokens, frequency } = (await server.admin.get(path)).body;
  return { maxTokens, frequency };
};

describe('a limit is written and read', () => {
  const group = '/api/groups/writers';
  const user = '/api/users/wendy';
  const writes = [
    ['a model', model, 'post', {}],
    ['an integration', integration, 'post', { configuration: CONNECTION }],
    ['a group', group, 'put', {}],
    ['a user', user, 'put', { name: 'Wendy' }],
  ] as const;

  it.each(writes)(
    'with %s, stays where a body leaves it out or null, and is taken away by "none"',
    async (_, path, method, body) => {
      const { admin } = server;
      await ok(admin[method](path, { ...body, ...LIMIT }));
      expect(await limitIn(path)).toEqual(LIMIT);
      await ok(admin[method](path, body));
      await ok(admin[method](path, { ...body, maxTokens: null, frequency: null }));
      expect(await limitIn(path)).toEqual(LIMIT);
      await ok(admin[method](path, { ...body, maxTokens: 7 }));
      expect(await limitIn(path)).toEqual({ ...LIMIT, maxTokens: 7 });
      await ok(admin[method](path, { ...body, ...(await admin.get(path)).body, frequency: 'weekly' }));
      expect(await limitIn(path)).toEqual({ maxTokens: 7, frequency: 'weekly' });
      await ok(admin[method](path, { ...body, frequency: 'none' }));
      expect(await limitIn(path)).toEqual({});
    },
  );

  it('with an application, by ADMIN alone', async () => {
    const path = `/api/applications/${owner.applicationId}`;
    await ok(grant(owner.userId, 'APPLICATION', owner.applicationId, 'READ', 'UPDATE'));
    await ok(server.admin.put(path, { name: 'owner', ...LIMIT }));
    expect(await limitIn(path)).toEqual(LIMIT);
    expect(await limitIn(`/api/users/${owner.userId}`)).toEqual(LIMIT);
    for (const change of [{ maxTokens: 1_000 }, { frequency: 'weekly' }, { frequency: 'none' }])
      expect(await owner.put(path, { name: 'owner', ...change })).toMatchObject({ status: 403 });
    await ok(owner.put(path, { name: 'renamed' }));
    await ok(owner.put(path, (await owner.get(path)).body));
    expect(await limitIn(path)).toEqual(LIMIT);
    const { body } = await server.admin.post('/api/applications', { name: 'made', ...LIMIT });
    expect(await limitIn(`/api/applications/${body.id}`)).toEqual(LIMIT);
  });

  it.each([{ maxTokens: -1 }, { maxTokens: 1.5 }, { maxTokens: '5' }, { frequency: 'hourly' }])(
    'only in its form: %o is refused',
    async (wrong) => {
      for (const [, path, method, body] of writes)
        expect(await server.admin[method](path, { ...body, ...wrong })).toMatchObject({ status: 400 });
    },
  );

  it('with a model by who holds UPDATE on it, which is not UPDATE on its integration', async () => {
    const changer = await server.somebody('changer');
    await ok(grant(changer.userId, 'INTEGRATION', 'prod:m', 'READ', 'UPDATE'));
    expect(await changer.post(tokenLimit, { api: '*', maxTokens: 5, tokenLimitPeriod: 'DAY' })).toMatchObject({
      status: 403,
    });
    await ok(changer.post(model, LIMIT));
    expect(await limitIn(model)).toEqual(LIMIT);
    expect(await changer.post(integration, { configuration: CONNECTION, ...LIMIT })).toMatchObject({ status: 403 });
    await ok(server.admin.post(model, { frequency: 'none' }));
  });

  it('as Orkes’ TokenLimit, of a model and with * of the integration', async () => {
    const { admin } = server;
    await ok(admin.post(tokenLimit, { api: 'm', maxTokens: 10, tokenLimitPeriod: 'MONTH' }));
    await ok(admin.post(tokenLimit, { integrationName: 'prod', api: '*', maxTokens: 20, tokenLimitPeriod: 'DAY' }));
    expect((await admin.get(tokenLimit)).body).toEqual([
      { integrationName: 'prod', api: '*', maxTokens: 20, tokenLimitPeriod: 'DAY' },
      { integrationName: 'prod', api: 'm', maxTokens: 10, tokenLimitPeriod: 'MONTH' },
    ]);
    expect(await limitIn(integration)).toEqual({ maxTokens: 20, frequency: 'daily' });
    expect(await limitIn(model)).toEqual({ maxTokens: 10, frequency: 'monthly' });
    for (const [path, body] of [
      [model, {}],
      [integration, { configuration: CONNECTION }],
    ] as const)
      await ok(admin.post(path, { ...body, frequency: 'none' }));
  });
});

describe('GET /api/limits', () => {
  it('shows what is used of every limit, when it resets, and when it was warned of; to others than ADMIN what is theirs', async () => {
    const { admin } = server;
    const member = await server.somebody('member');
    await ok(admin.post(model, { ...LIMIT, frequency: 'monthly' }));
    await ok(admin.post(integration, { configuration: CONNECTION, ...LIMIT, frequency: 'weekly' }));
    for (const group of ['g1', 'g2']) await ok(admin.put(`/api/groups/${group}`, LIMIT));
    await ok(admin.post(`/api/groups/g1/users/${member.userId}`));
    await ok(admin.put('/api/users/ulla', LIMIT));
    await ok(admin.put(`/api/applications/${member.applicationId}`, { name: 'member', ...LIMIT }));
    await ok(grant(member.userId, 'INTEGRATION', 'prod:m', 'READ'));
    const { usage } = keyNames(server.prefix);
    const [day, month] = [periodAt('daily', Date.now()), periodAt('monthly', Date.now())];
    await redis.hset(usage.spent(day.name), 'GROUP:g1', 90, `USER:${member.userId}`, 3);
    await redis.hset(usage.spent(month.name), 'MODEL:prod:m', 1_000);
    await redis.hset(usage.warnings(day.name), '["GROUP:g1",100]', '{"at":17}');

    const { body } = await admin.get('/api/limits');
    const shown = body.map(({ kind, name, used }: Record<string, unknown>) => [kind, name, used]);
    const mine = [
      ['model', 'prod:m', 1_000],
      ['group', 'g1', 90],
      ['application', member.applicationId, 3],
    ];
    expect(shown).toEqual(
      expect.arrayContaining([...mine, ['integration', 'prod', 0], ['group', 'g2', 0], ['user', 'ulla', 0]]),
    );
    const group = { kind: 'group', name: 'g1', ...LIMIT, used: 90, periodStart: day.startsAt, resetsAt: day.endsAt };
    expect((await admin.get('/api/limits?kind=group')).body).toEqual([
      { ...group, warnedAt: 17 },
      { ...group, name: 'g2', used: 0 },
    ]);
    const { body: own } = await member.get('/api/limits');
    expect(own.map(({ kind, name, used }: Record<string, unknown>) => [kind, name, used])).toEqual(mine);
    expect(await admin.get('/api/limits?kind=role')).toMatchObject({ status: 400 });
  });
});
