import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
let redis: Redis;
let user: Somebody;
let manager: Somebody;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  user = await server.somebody('user', ['USER']);
  manager = await server.somebody('manager', ['METADATA_MANAGER']);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

const path = (name: string) => `/api/integrations/provider/${name}`;
const ACCESS_KEY = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIAEXAMPLE', api_key: 'the-secret' };
const EXTERNAL_ROLE = {
  connectionType: 'EXTERNAL_ROLE',
  region: 'us-east-1',
  roleArn: 'arn:aws:iam::111122223333:role/bedrock',
  externalId: 'the-external-id',
};
const CONDUCTOR_ROLE = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
const MASK = '********';

const stored = async (name: string) =>
  JSON.parse((await redis.hget(keyNames(server.prefix).hash('integrations'), name)) ?? 'null');

describe('rule 1: a reference to a secret is refused over HTTP, and its value repeated nowhere', () => {
  it.each([
    ['api_key', 'env:ENCRYPTION_KEYS', ACCESS_KEY],
    ['api_key', 'file:../etc/passwd', ACCESS_KEY],
    ['api_key', 'enc:v1:k1:AAAA', ACCESS_KEY],
    ['externalId', 'env:ENCRYPTION_KEYS', EXTERNAL_ROLE],
    ['externalId', 'file:token', EXTERNAL_ROLE],
    ['externalId', 'enc:v1:k1:AAAA', EXTERNAL_ROLE],
    ['awsAccountId', 'env:ENCRYPTION_KEYS', ACCESS_KEY],
  ] as const)('%s %s, even by ADMIN, alone and among several', async (field, value, base) => {
    const configuration = { ...base, [field]: value };
    const alone = await server.admin.post(path('reference'), { configuration });
    const several = await server.admin.post('/api/integrations', [
      { name: 'good', configuration: CONDUCTOR_ROLE },
      { name: 'reference', configuration },
    ]);
    for (const answer of [alone, several]) {
      expect(answer.status).toBe(400);
      expect(answer.body.message).toContain(`configuration.${field}`);
      expect(answer.text).not.toContain(value);
    }
    expect(await stored('reference')).toBeNull();
    expect(await stored('good')).toBeNull();
  });

  it('and no reading of one that redis-cli wrote tells where the secret lies', async () => {
    const record = { type: 'aws_bedrock_cohere', configuration: { ...ACCESS_KEY, api_key: 'env:MY_SECRET' } };
    await redis.hset(keyNames(server.prefix).hash('integrations'), 'by-hand', JSON.stringify(record));
    await expect.poll(async () => (await server.admin.get(path('by-hand'))).status).toBe(200);
    const shown = await Promise.all(['/api/integrations', path('by-hand')].map((each) => server.admin.get(each)));
    for (const { text } of shown) expect(text).not.toContain('MY_SECRET');
  });

  it('what is written is sealed, and in no answer', async () => {
    expect((await server.admin.post(path('sealed'), { configuration: ACCESS_KEY })).status).toBe(200);
    expect((await stored('sealed')).configuration.api_key).toMatch(/^enc:v1:k1:/);
    const shown = await server.admin.get(path('sealed'));
    expect(shown.body.configuration.api_key).toBe(MASK);
    expect(shown.text).not.toMatch(/the-secret|enc:v1/);
  });
});

describe('rule 2: an integration that acts with a role is ADMIN’s', () => {
  it.each([
    ['CONDUCTOR_ROLE', CONDUCTOR_ROLE],
    ['EXTERNAL_ROLE', EXTERNAL_ROLE],
  ])('%s is made by nobody else', async (type, configuration) => {
    for (const caller of [user, manager]) {
      expect(await caller.post(path(`mine-${type}`), { configuration })).toMatchObject({ status: 403 });
      const several = [{ name: `mine-${type}`, configuration }];
      expect(await caller.post('/api/integrations', several)).toMatchObject({ status: 403 });
    }
    expect(await stored(`mine-${type}`)).toBeNull();
    expect(await server.admin.post(path(`of-admin-${type}`), { configuration })).toMatchObject({ status: 200 });
  });

  it('and nobody else turns an ACCESS_KEY one into it, or changes its role', async () => {
    expect(await user.post(path('turned'), { configuration: ACCESS_KEY })).toMatchObject({ status: 200 });
    for (const configuration of [
      CONDUCTOR_ROLE,
      EXTERNAL_ROLE,
      { ...ACCESS_KEY, roleArn: EXTERNAL_ROLE.roleArn },
      { ...ACCESS_KEY, connectionType: 'CONDUCTOR_ROLE' },
    ]) {
      expect(await user.post(path('turned'), { configuration })).toMatchObject({ status: 403 });
    }
    expect((await stored('turned')).configuration.connectionType).toBe('ACCESS_KEY');
  });

  it('not even who holds UPDATE on one that has a role', async () => {
    await server.admin.post(path('roled'), { configuration: EXTERNAL_ROLE });
    const target = { type: 'INTEGRATION_PROVIDER', id: 'roled' };
    const subject = { type: 'USER', id: user.userId };
    await server.admin.post('/api/auth/authorization', { subject, target, access: ['READ', 'UPDATE'] });
    for (const configuration of [
      { ...EXTERNAL_ROLE, roleArn: 'arn:aws:iam::999999999999:role/mine' },
      { ...EXTERNAL_ROLE, externalId: MASK },
      ACCESS_KEY,
    ]) {
      expect(await user.post(path('roled'), { configuration })).toMatchObject({ status: 403 });
    }
  });
});

describe('rule 11: a mask written back keeps the stored secret only where it was written for', () => {
  it('as long as connection type, user and role stay', async () => {
    await server.admin.post(path('kept'), { configuration: ACCESS_KEY });
    const before = (await stored('kept')).configuration.api_key;
    const { api_key: _, ...leftOut } = ACCESS_KEY;
    for (const configuration of [{ ...ACCESS_KEY, api_key: MASK, region: 'eu-west-1' }, leftOut]) {
      expect(await server.admin.post(path('kept'), { configuration })).toMatchObject({ status: 200 });
      expect((await stored('kept')).configuration.api_key).toBe(before);
    }
  });

  it.each([
    ['another user', { ...ACCESS_KEY, user: 'AKIAOTHER', api_key: MASK }],
    ['another role', { ...ACCESS_KEY, roleArn: EXTERNAL_ROLE.roleArn, api_key: MASK }],
    ['another connection type', { ...CONDUCTOR_ROLE, api_key: MASK }],
    ['nothing stored in that field', { ...ACCESS_KEY, externalId: MASK }],
  ])('and is refused with %s', async (_, configuration) => {
    await server.admin.post(path('moved'), { configuration: ACCESS_KEY });
    const before = await stored('moved');
    expect(await server.admin.post(path('moved'), { configuration })).toMatchObject({ status: 400 });
    expect(await stored('moved')).toEqual(before);
  });

  it('and of a new one, or one that was deleted, there is none', async () => {
    const configuration = { ...ACCESS_KEY, api_key: MASK };
    expect(await server.admin.post(path('unheard-of'), { configuration })).toMatchObject({ status: 400 });
    await server.admin.post(path('gone'), { configuration: ACCESS_KEY });
    await server.admin.delete(path('gone'));
    expect(await server.admin.post(path('gone'), { configuration })).toMatchObject({ status: 400 });
  });
});
