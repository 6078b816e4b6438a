import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type Replica, type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

/** Two servers over the same records. */
let server: RunningAdmin;
let second: Replica;
let redis: Redis;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  second = await server.replica();
  redis = new Redis(inject('redisUrl'));
});
afterAll(async () => {
  redis?.disconnect();
  await second?.stop();
  await server?.stop();
});

const CONFIGURATION = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };
const either = (at: number) => (at % 2 === 0 ? server.admin : second.admin);

/** Each record that is read by itself: how it is written, with a text that tells who did. */
const RECORDS = [
  [
    'an integration',
    '/api/integrations/provider/i',
    'POST',
    (text: string) => ({ configuration: CONFIGURATION, description: text }),
  ],
  ['a model', '/api/integrations/provider/i/integration/m', 'POST', (text: string) => ({ description: text })],
  ['a prompt', '/api/prompts/p', 'POST', (text: string) => `Hi ${text}`],
  ['a group', '/api/groups/g', 'PUT', (text: string) => ({ description: text })],
  ['a user', '/api/users/u', 'PUT', (text: string) => ({ name: text })],
  ['an application', '/api/applications/a', 'PUT', (text: string) => ({ name: text })],
  ['a role', '/api/roles/r', 'PUT', (text: string) => ({ description: text })],
] as const;

async function create(path: string, method: string, body: unknown): Promise<void> {
  if (path.startsWith('/api/roles')) await server.admin.post('/api/roles', { name: 'r' });
  if (path.startsWith('/api/applications'))
    await server.admin.post('/api/manifests/apply', { manifest: { applications: { a: {} } } });
  expect(await server.admin.call(method, path, { body })).toMatchObject({ status: 200 });
  await expect.poll(async () => (await second.admin.get(path)).status).toBe(200);
}

describe.each(RECORDS)('%s', (_, path, method, bodyOf) => {
  const write = (at: number, text: string, version?: string) =>
    either(at).call(method, path, {
      body: bodyOf(text),
      headers: version === undefined ? {} : { 'if-match': version },
    });

  it('is read with its version, and written on that alone', async () => {
    await create(path, method, bodyOf('first'));
    const version = (await server.admin.get(path)).headers.get('etag') ?? '';
    expect(version).toMatch(/^"[\w-]+"$/);
    expect(await write(0, 'second', version)).toMatchObject({ status: 200 });
    const next = (await server.admin.get(path)).headers.get('etag') ?? '';
    expect(next).not.toBe(version);
    expect(await write(0, 'third', version)).toMatchObject({ status: 412, body: { retryable: false } });
    expect(await write(0, 'third', `W/${next}`)).toMatchObject({ status: 412 });
    expect(await write(0, 'third', `"nothing", ${next}`)).toMatchObject({ status: 200 });
    expect(await write(0, 'fourth', '*')).toMatchObject({ status: 200 });
  });

  it('of many who write on the same version at once, at two servers, exactly one wins', async () => {
    for (let round = 0; round < 5; round += 1) {
      const version = (await server.admin.get(path)).headers.get('etag') ?? '';
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, at) => write(at, `round ${round}, writer ${at}`, version)),
      );
      const won = answers.flatMap(({ status }, at) => (status === 200 ? [at] : []));
      expect(won).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(15);
      const { text, headers } = await either(won[0] ?? 0).get(path);
      // Orkes' Role shows no description.
      if (!path.startsWith('/api/roles')) expect(text).toContain(`round ${round}, writer ${won[0]}`);
      // What a write says is the version that it made, not what stands there by then.
      const said = answers[won[0] ?? 0]?.headers.get('etag');
      if (said !== null) expect(said).toBe(headers.get('etag'));
      await expect.poll(async () => (await server.admin.get(path)).headers.get('etag')).toBe(headers.get('etag'));
    }
  });

  it('is not deleted on an old version, nor made on any', async () => {
    const version = (await server.admin.get(path)).headers.get('etag') ?? '';
    await write(0, 'newer');
    const remove = (ifMatch: string) => server.admin.call('DELETE', path, { headers: { 'if-match': ifMatch } });
    expect(await remove(version)).toMatchObject({ status: 412 });
    expect(await remove((await server.admin.get(path)).headers.get('etag') ?? '')).toMatchObject({ status: 200 });
    expect(await remove(version)).toMatchObject({ status: 412 });
    if (!path.startsWith('/api/roles')) expect(await write(0, 'anew', version)).toMatchObject({ status: 412 });
    await create(path, method, bodyOf('again'));
  });
});

describe('without If-Match nothing that is added is lost', () => {
  it('of many tags that are put on one record at once, at two servers, all are there', async () => {
    const each = Array.from({ length: 40 }, (_, at) => ({ key: `key-${at}`, value: 'x' }));
    for (const path of ['/api/integrations/provider/i', '/api/prompts/p', '/api/applications/a']) {
      const answers = await Promise.all(each.map((tag, at) => either(at).put(`${path}/tags`, [tag])));
      expect(answers.map(({ status }) => status)).toEqual(each.map(() => 200));
      await expect.poll(async () => (await server.admin.get(`${path}/tags`)).body.length).toBe(each.length);
    }
  });

  it('nor of roles, members and grants', async () => {
    const all = Array.from({ length: 20 }, (_, at) => `n${at}`);
    await Promise.all(all.map((name, at) => either(at).post('/api/roles', { name })));
    await expect.poll(async () => (await second.admin.get('/api/roles/custom')).body.length).toBe(all.length + 1);
    await expect.poll(async () => (await server.admin.get('/api/roles/custom')).body.length).toBe(all.length + 1);
    const grant = (access: string) => ({
      subject: { type: 'USER', id: 'u' },
      target: { type: 'PROMPT', id: 'p' },
      access: [access],
    });
    const accesses = ['READ', 'EXECUTE', 'UPDATE', 'DELETE', 'CREATE'];
    const answers = await Promise.all([
      ...all.map((role, at) => either(at).post(`/api/applications/a/roles/${role}`)),
      ...all.map((member, at) => either(at).post(`/api/groups/g/users/${member}`)),
      ...accesses.map((access, at) => either(at).post('/api/auth/authorization', grant(access))),
    ]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const names = keyNames(server.prefix);
    const record = JSON.parse((await redis.hget(names.hash('applications'), 'a')) ?? '');
    expect([...record.roles].sort()).toEqual([...all].sort());
    expect((await redis.smembers(names.members('g'))).sort()).toEqual([...all].sort());
    expect(await redis.hget(names.grants('USER:u'), 'PROMPT:p')).toBe('CREATE,READ,EXECUTE,UPDATE,DELETE');
  });
});
