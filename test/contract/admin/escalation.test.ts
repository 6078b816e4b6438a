import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
let redis: Redis;
let maker: Somebody;
let other: Somebody;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  maker = await server.somebody('maker', ['USER']);
  other = await server.somebody('other', ['USER']);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

const ACCESS_KEY = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };
const integration = (name: string) => `/api/integrations/provider/${name}`;
const provider = (id: string) => ({ type: 'INTEGRATION_PROVIDER', id });
const stored = async (kind: 'integrations' | 'prompts' | 'applications', name: string) =>
  JSON.parse((await redis.hget(keyNames(server.prefix).hash(kind), name)) ?? 'null');

async function grant(who: Somebody, target: object, access: readonly string[]): Promise<void> {
  const subject = { type: 'USER', id: who.userId };
  expect(await server.admin.post('/api/auth/authorization', { subject, target, access })).toMatchObject({
    status: 200,
  });
}

async function make(name: string, who: Somebody = maker): Promise<void> {
  expect(await who.post(integration(name), { configuration: ACCESS_KEY })).toMatchObject({ status: 200 });
}

describe('rule 3: what a body says of who made a record is ignored', () => {
  const lies = { createdBy: 'app:other', updatedBy: 'x', ownerApp: 'x', createTime: 1, updateTime: 1 };

  it('of an integration, a prompt and an application, when they are made and when they are changed', async () => {
    for (let round = 0; round < 2; round += 1) {
      await maker.post(integration('honest'), { configuration: ACCESS_KEY, ...lies });
      await maker.post('/api/prompts', [{ name: 'honest', template: 'x', ...lies }]);
      for (const record of [await stored('integrations', 'honest'), await stored('prompts', 'honest')]) {
        expect(record).toMatchObject({ createdBy: maker.userId, updatedBy: maker.userId });
        expect(record).not.toHaveProperty('ownerApp');
        for (const time of [record.createTime, record.updateTime]) expect(time).toBeGreaterThan(Date.now() - 60_000);
      }
    }
    const { id } = (await server.admin.post('/api/applications', { name: 'honest', ...lies })).body;
    expect((await stored('applications', id)).createdBy).not.toBe('app:other');
  });

  it('and whoever changes a record does not become its creator', async () => {
    await make('changed');
    await grant(other, provider('changed'), ['UPDATE']);
    await other.post(integration('changed'), { configuration: ACCESS_KEY, createdBy: other.userId });
    expect((await stored('integrations', 'changed')).createdBy).toBe(maker.userId);
    expect(await other.put(`${integration('changed')}/tags`, [{ key: 'a', value: 'b' }])).toMatchObject({
      status: 403,
    });
  });

  it('nor whoever writes over one that cannot be read', async () => {
    await redis.hset(keyNames(server.prefix).hash('prompts'), 'broken', '{"templat":1}');
    const target = { type: 'PROMPT', id: 'broken' };
    await expect.poll(async () => (await server.admin.get('/api/prompts/broken')).status).toBe(409);
    await grant(other, target, ['UPDATE']);
    expect(await other.post('/api/prompts/broken', 'mended')).toMatchObject({ status: 200 });
    expect(await stored('prompts', 'broken')).not.toHaveProperty('createdBy');
    expect(await other.put('/api/prompts/broken/tags', [{ key: 'a', value: 'b' }])).toMatchObject({ status: 403 });
  });
});

describe('rule 3: the names of system roles are reserved', () => {
  it.each(['ADMIN', 'USER', 'METADATA_MANAGER', 'WORKER'])(
    '%s is made, changed and deleted by nobody',
    async (name) => {
      const permissions = ['INTEGRATION_CREATE'];
      expect(await server.admin.post('/api/roles', { name, permissions })).toMatchObject({ status: 400 });
      expect(await server.admin.put(`/api/roles/${name}`, { permissions })).toMatchObject({ status: 400 });
      expect(await server.admin.delete(`/api/roles/${name}`)).toMatchObject({ status: 400 });
    },
  );
});

describe('rule 3: a grant confers only what its maker holds', () => {
  const toOther = (target: object, access: readonly string[]) => ({
    subject: { type: 'USER', id: other.userId },
    target,
    access,
  });

  it('which a creator from whom something was taken does no longer', async () => {
    await make('lessened');
    expect(await maker.post('/api/auth/authorization', toOther(provider('lessened'), ['READ']))).toMatchObject({
      status: 200,
    });
    const mine = { subject: { type: 'USER', id: maker.userId }, target: provider('lessened'), access: ['EXECUTE'] };
    await server.admin.delete('/api/auth/authorization', mine);
    for (const access of [['EXECUTE'], ['READ', 'EXECUTE']]) {
      expect(await maker.post('/api/auth/authorization', toOther(provider('lessened'), access))).toMatchObject({
        status: 403,
      });
      expect(await maker.post('/api/auth/authorization', { ...mine, access })).toMatchObject({ status: 403 });
    }
  });

  it.each([
    ['another’s integration', () => provider('of-other')],
    ['one that does not exist', () => provider('of-nobody')],
    ['a tag', () => ({ type: 'TAG', id: 'tier:gold' })],
    ['a type that is not interpreted', () => ({ type: 'WORKFLOW_DEF', id: 'w' })],
    ['its own application', () => ({ type: 'APPLICATION', id: maker.applicationId })],
  ])('and none on %s', async (_, target) => {
    await make('of-other', other);
    const subject = { type: 'USER', id: maker.userId };
    const answer = await maker.post('/api/auth/authorization', { subject, target: target(), access: ['EXECUTE'] });
    expect(answer).toMatchObject({ status: 403 });
  });

  it('and nothing that only looks like a subject or a target is taken', async () => {
    const good = toOther({ type: 'PROMPT', id: 'p' }, ['READ']);
    for (const bad of [
      { ...good, subject: { type: 'USER', id: 'a\nb' } },
      { ...good, subject: { type: 'USER', id: 'x'.repeat(3_000) } },
      { ...good, subject: { type: 'NOBODY', id: 'x' } },
      { ...good, target: { type: 'PROMPT', id: 'a\u0000b' } },
      { ...good, target: { type: 'PROMPT', id: 'x'.repeat(3_000) } },
      { ...good, target: { type: 'INTEGRATION', id: 'no-model' } },
      { ...good, access: ['EVERYTHING'] },
    ]) {
      expect(await server.admin.post('/api/auth/authorization', bad)).toMatchObject({ status: 400 });
    }
  });
});

describe('rule 3: a key for an application that may more than its caller is ADMIN’s', () => {
  async function application(name: string): Promise<string> {
    const { id } = (await server.admin.post('/api/applications', { name })).body;
    await grant(maker, { type: 'APPLICATION', id }, ['UPDATE']);
    return id;
  }
  const makeKey = (id: string) => maker.post(`/api/applications/${id}/accessKeys`);

  it('be it by a role, by a grant, by a group, or by what it created', async () => {
    const equal = await application('equal');
    expect(await makeKey(equal)).toMatchObject({ status: 200 });

    const byRole = await application('by-role');
    await server.admin.post(`/api/applications/${byRole}/roles/ADMIN`);
    const byGrant = await application('by-grant');
    await make('beyond', other);
    const subject = { type: 'USER', id: `app:${byGrant}` };
    await server.admin.post('/api/auth/authorization', { subject, target: provider('beyond'), access: ['EXECUTE'] });
    const byGroup = await application('by-group');
    await server.admin.put('/api/groups/strong', { roles: ['ADMIN'] });
    await server.admin.post(`/api/groups/strong/users/app:${byGroup}`);
    for (const id of [byRole, byGrant, byGroup]) expect(await makeKey(id)).toMatchObject({ status: 403 });

    // Who created something grants on it, whatever became of its own grants.
    const creator = await server.somebody('creator', ['USER']);
    await make('created', creator);
    await grant(maker, provider('created'), ['CREATE', 'READ', 'EXECUTE', 'UPDATE', 'DELETE']);
    await grant(maker, { type: 'APPLICATION', id: creator.applicationId }, ['UPDATE']);
    const mine = { subject: { type: 'USER', id: creator.userId }, target: provider('created') };
    await server.admin.delete('/api/auth/authorization', { ...mine, access: ['READ', 'EXECUTE'] });
    expect(await makeKey(creator.applicationId)).toMatchObject({ status: 403 });
  });
});

describe('rule 5: tags are grants', () => {
  const gold = [{ key: 'tier', value: 'gold' }];

  it('so that only who may grant writes one, by its own route or inside a record', async () => {
    await make('tagged');
    await grant(other, provider('tagged'), ['READ', 'UPDATE', 'DELETE', 'EXECUTE']);
    expect(await other.put(`${integration('tagged')}/tags`, gold)).toMatchObject({ status: 403 });
    const whole = { configuration: ACCESS_KEY, tags: gold };
    expect(await other.post(integration('tagged'), whole)).toMatchObject({ status: 403 });
    expect(await other.post('/api/integrations', [{ name: 'tagged', ...whole }])).toMatchObject({ status: 403 });
    expect(await maker.put(`${integration('tagged')}/tags`, gold)).toMatchObject({ status: 200 });
    // What is there may come back, and stays where it is left out.
    expect(await other.post(integration('tagged'), whole)).toMatchObject({ status: 200 });
    expect(await other.post(integration('tagged'), { configuration: ACCESS_KEY })).toMatchObject({ status: 200 });
    expect(await other.post(integration('tagged'), { ...whole, tags: [] })).toMatchObject({ status: 403 });
    expect((await stored('integrations', 'tagged')).tags).toEqual(gold);
  });

  it('and confers no more than its writer holds', async () => {
    const group = { type: 'GROUP', id: 'silver' };
    await server.admin.put('/api/groups/silver', {});
    const target = { type: 'TAG', id: 'tier:silver' };
    await server.admin.post('/api/auth/authorization', { subject: group, target, access: ['EXECUTE'] });
    await make('weaker');
    const mine = { subject: { type: 'USER', id: maker.userId }, target: provider('weaker'), access: ['EXECUTE'] };
    await server.admin.delete('/api/auth/authorization', mine);
    const silver = [{ key: 'tier', value: 'silver' }];
    expect(await maker.put(`${integration('weaker')}/tags`, silver)).toMatchObject({ status: 403 });
    const whole = { configuration: ACCESS_KEY, tags: silver };
    expect(await maker.post(integration('weaker'), whole)).toMatchObject({ status: 403 });
  });

  it('and has no colon in its key', async () => {
    await make('colon');
    for (const key of ['a:b', ':', '']) {
      const answer = await server.admin.put(`${integration('colon')}/tags`, [{ key, value: 'x' }]);
      expect(answer).toMatchObject({ status: 400 });
    }
  });
});

describe('rule 9: what a model’s name stands for is its integration’s affair', () => {
  it('so that another modelId, or none, needs UPDATE on the integration', async () => {
    await make('alias');
    const path = `${integration('alias')}/integration/m`;
    await maker.post(path, { configuration: { modelId: 'cohere.embed-v4:0' } });
    await grant(other, { type: 'INTEGRATION', id: 'alias:m' }, ['READ', 'UPDATE']);
    for (const configuration of [{ modelId: 'anthropic.other' }, {}, { maxConcurrency: 1 }]) {
      expect(await other.post(path, { configuration })).toMatchObject({ status: 403 });
    }
    const same = { modelId: 'cohere.embed-v4:0', maxConcurrency: 1 };
    expect(await other.post(path, { configuration: same })).toMatchObject({ status: 200 });
    expect(await other.post(`${integration('alias')}/integration/new`, {})).toMatchObject({ status: 403 });
    await grant(other, provider('alias'), ['UPDATE']);
    expect(await other.post(path, { configuration: { modelId: 'x' } })).toMatchObject({ status: 200 });
  });

  it('and UPDATE on it makes models, which are their maker’s, and gives nothing on those that are there', async () => {
    await make('shared');
    await maker.post(`${integration('shared')}/integration/m`, {});
    await grant(other, provider('shared'), ['UPDATE']);
    expect(await other.post(`${integration('shared')}/integration/own`, {})).toMatchObject({ status: 200 });
    const held = async (model: string) => {
      const query = `type=INTEGRATION&id=${encodeURIComponent(`shared:${model}`)}`;
      const { body } = await server.admin.get(`/api/users/${other.userId}/checkPermissions?${query}`);
      return Object.keys(body).filter((access) => body[access]);
    };
    expect((await held('own')).sort()).toEqual(['CREATE', 'DELETE', 'EXECUTE', 'READ', 'UPDATE']);
    expect(await held('m')).toEqual(['UPDATE']);
  });
});
