import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningAdmin, startAdminServer, tokenFor } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
let redis: Redis;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

const ACCESS_KEY = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };
const EVERYTHING = ['CREATE', 'READ', 'EXECUTE', 'UPDATE', 'DELETE'];
const names = () => keyNames(server.prefix);

async function application(id: string, roles: readonly string[] = []) {
  await server.admin.post('/api/manifests/apply', { manifest: { applications: { [id]: {} } } });
  for (const role of roles) await server.admin.post(`/api/applications/${id}/roles/${role}`);
  const { body: key } = await server.admin.post(`/api/applications/${id}/accessKeys`);
  return { key, client: server.client(await tokenFor(server.client(), key)) };
}

describe('rule 8: an application made anew under the id of a deleted one', () => {
  it('is not made by a PUT of its id: that is a 404 that names what makes one, and POST chooses the id itself', async () => {
    const absent = await server.admin.put('/api/applications/chosen', { name: 'chosen' });
    expect(absent).toMatchObject({ status: 404, body: { message: expect.stringContaining('POST /api/applications') } });
    expect(await redis.hexists(names().hash('applications'), 'chosen')).toBe(0);
    const made = await server.admin.post('/api/applications', { id: 'chosen', name: 'chosen' });
    expect(made.body.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('may not grant on what the old one created', async () => {
    const old = await application('maker', ['USER']);
    await old.client.post('/api/integrations/provider/made', { configuration: ACCESS_KEY });
    await old.client.post('/api/integrations/provider/made/integration/m', {});
    await old.client.post('/api/prompts/made', 'Hi');
    await server.admin.delete('/api/applications/maker');

    const { client } = await application('maker', ['USER']);
    const tags = [{ key: 'tier', value: 'gold' }];
    const things = ['/api/integrations/provider/made', '/api/integrations/provider/made/integration/m'];
    for (const thing of [...things, '/api/prompts/made']) {
      expect(await client.put(`${thing}/tags`, tags)).toMatchObject({ status: 403 });
      expect(await client.get(thing)).toMatchObject({ status: 403 });
      expect((await server.admin.get(thing)).body).not.toHaveProperty('createdBy');
    }
  });

  it('is in none of its groups, and its keys and tokens are worth nothing', async () => {
    const old = await application('member');
    await server.admin.put('/api/groups/strong', { roles: ['ADMIN'] });
    await server.admin.post('/api/groups/strong/users/app:member');
    expect(await old.client.get('/api/groups/strong')).toMatchObject({ status: 200 });
    await server.admin.delete('/api/applications/member');
    const fresh = await application('member');
    expect(await fresh.client.get('/api/groups/strong')).toMatchObject({ status: 403 });
    expect(await old.client.get('/api/token/userInfo')).toMatchObject({ status: 401 });
    const answer = await server.client().post('/api/token', { keyId: old.key.id, keySecret: old.key.secret });
    expect(answer).toMatchObject({ status: 401 });
    expect(await redis.hexists(names().admin.keyHashes, old.key.id)).toBe(0);
    expect((await server.admin.get('/api/applications/member/accessKeys')).body).toHaveLength(1);
  });
});

describe('rule 8: of a deleted record nothing is left in others', () => {
  it('a role is held by nobody', async () => {
    await server.admin.post('/api/roles', { name: 'maker-role', permissions: ['PROMPT_CREATE'] });
    const { client } = await application('holder', ['maker-role']);
    await server.admin.put('/api/users/holder', { roles: ['maker-role', 'USER'] });
    await server.admin.put('/api/groups/holders', { roles: ['maker-role'] });
    expect(await client.post('/api/prompts/allowed', 'Hi')).toMatchObject({ status: 200 });
    await server.admin.delete('/api/roles/maker-role');
    await server.admin.post('/api/roles', { name: 'maker-role', permissions: ['PROMPT_CREATE'] });
    expect(await client.post('/api/prompts/refused', 'Hi')).toMatchObject({ status: 403 });
    expect((await server.admin.get('/api/groups/holders')).body.roles).toEqual([]);
    const { roles } = (await server.admin.get('/api/users/holder')).body;
    expect(roles.map(({ name }: { name: string }) => name)).toEqual(['USER']);
  });

  it('a group has no members', async () => {
    await server.admin.put('/api/groups/old', { roles: ['USER'] });
    await server.admin.post('/api/groups/old/users', ['alice', 'bob']);
    await server.admin.delete('/api/groups/old');
    await server.admin.put('/api/groups/old', { roles: ['ADMIN'] });
    expect((await server.admin.get('/api/groups/old/users')).body).toEqual([]);
  });

  it('a user has no groups and no grants', async () => {
    await server.admin.put('/api/groups/club', {});
    await server.admin.put('/api/users/carol', { groups: ['club'] });
    const grant = { subject: { type: 'USER', id: 'carol' }, target: { type: 'PROMPT', id: 'p' }, access: EVERYTHING };
    await server.admin.post('/api/prompts/p', 'Hi');
    await server.admin.post('/api/auth/authorization', grant);
    await server.admin.delete('/api/users/carol');
    await server.admin.put('/api/users/carol', {});
    expect((await server.admin.get('/api/users/carol')).body.groups).toEqual([]);
    expect((await server.admin.get('/api/users/carol/permissions')).body).toEqual({ grantedAccess: [] });
  });

  it('a model is linked to no prompt, also where it goes with its integration', async () => {
    for (const end of ['/api/integrations/provider/home/integration/m', '/api/integrations/provider/home']) {
      await server.admin.post('/api/integrations/provider/home', { configuration: ACCESS_KEY });
      await server.admin.post('/api/integrations/provider/home/integration/m', {});
      await server.admin.post('/api/prompts/linked?models=home:m', 'Hi');
      expect((await server.admin.get('/api/prompts/linked')).body.integrations).toEqual(['home:m']);
      await server.admin.delete(end);
      expect((await server.admin.get('/api/prompts/linked')).body.integrations).toEqual([]);
    }
  });

  it('an integration made anew has none of the models that the old one left behind, nor their grants', async () => {
    await server.admin.post('/api/integrations/provider/left', { configuration: ACCESS_KEY });
    await server.admin.post('/api/integrations/provider/left/integration/m', {});
    const target = { type: 'INTEGRATION', id: 'left:m' };
    const subject = { type: 'USER', id: 'dave' };
    await server.admin.post('/api/auth/authorization', { subject, target, access: ['EXECUTE'] });
    // As `apply --prune` does, which deletes only kinds that its manifests name.
    await redis.hdel(names().hash('integrations'), 'left');
    await expect.poll(async () => (await server.admin.get('/api/integrations/provider/left')).status).toBe(404);
    await server.admin.post('/api/integrations/provider/left', { configuration: ACCESS_KEY });
    expect((await server.admin.get('/api/integrations/provider/left/integration')).body).toEqual([]);
    expect((await server.admin.get('/api/auth/authorization/INTEGRATION/left%3Am')).body).toEqual({});
  });
});

describe('rule 8: a user is no application', () => {
  it.each(['app:x', 'app:'])('and none of the id %s is made', async (id) => {
    expect(await server.admin.put(`/api/users/${id}`, {})).toMatchObject({ status: 400 });
  });

  it('and an application that is not there is granted nothing, and member of nothing', async () => {
    await server.admin.put('/api/groups/real', {});
    await server.admin.post('/api/prompts/real', 'Hi');
    const subject = { type: 'USER', id: 'app:ghost' };
    const grant = { subject, target: { type: 'PROMPT', id: 'real' }, access: ['READ'] };
    expect(await server.admin.post('/api/auth/authorization', grant)).toMatchObject({ status: 404 });
    expect(await server.admin.post('/api/groups/real/users', ['app:ghost'])).toMatchObject({ status: 404 });
    expect(await server.admin.post('/api/groups/real/users/app:ghost')).toMatchObject({ status: 404 });
  });
});
