import { request } from 'node:http';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
let redis: Redis;
let stranger: Somebody;
beforeAll(async () => {
  const more = { ADMIN_ALLOWED_HOSTS: 'admin.example.com', ANONYMOUS_SUBJECT: 'GROUP:ui' };
  server = await startAdminServer(inject('redisUrl'), more);
  redis = new Redis(inject('redisUrl'));
  stranger = await server.somebody('stranger');
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

const ACCESS_KEY = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };

/** `fetch` lets nobody choose the Host. */
async function statusAt(host: string, path: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    const headers = { host, 'x-authorization': server.admin.token ?? '' };
    const sent = request(`${server.url}${path}`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('rule 12: a request to another host name', () => {
  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:80', 'localhost:x'])(
    '"%s" is misdirected, whatever it asks',
    async (host) => {
      for (const path of ['/api/integrations', '/api/nothing', '/openapi.json', '/docs']) {
        expect(await statusAt(host, path)).toBe(421);
      }
      // Probes come by address and tell nothing.
      if (host === 'evil.example') expect(await statusAt(host, '/healthz')).toBe(200);
    },
  );

  it.each(['localhost', 'LOCALHOST:9', '127.0.0.1', '127.0.0.1:80', 'admin.example.com', 'Admin.Example.COM:443'])(
    'and to %s it is ours',
    async (host) => expect(await statusAt(host, '/api/integrations')).toBe(200),
  );
});

describe('rule 12: who sends no token', () => {
  it('reads with the grants of ANONYMOUS_SUBJECT, four routes and no other', async () => {
    const nobody = server.client();
    const at = '/api/integrations/provider/shown';
    for (const name of ['shown', 'hidden']) {
      await server.admin.post(`/api/integrations/provider/${name}`, { configuration: ACCESS_KEY });
    }
    await server.admin.put('/api/groups/ui', { roles: ['ADMIN'] });
    const subject = { type: 'GROUP', id: 'ui' };
    const target = { type: 'INTEGRATION_PROVIDER', id: 'shown' };
    await server.admin.post('/api/auth/authorization', { subject, target, access: ['READ', 'UPDATE'] });
    const listed = await nobody.get('/api/integrations/provider?category=AI_MODEL&activeOnly=true');
    // Not ADMIN, though its group is.
    expect(listed.body.map(({ name }: { name: string }) => name)).toEqual(['shown']);
    for (const path of [`${at}/integration`, `${at}/integration/m/prompt`, '/api/prompts']) {
      expect(await nobody.get(path)).toMatchObject({ status: 200 });
    }
    for (const path of [at, '/api/integrations', '/api/integrations/all', '/api/groups', '/api/token/userInfo']) {
      expect(await nobody.get(path)).toMatchObject({ status: 401, body: { error: 'INVALID_TOKEN' } });
    }
    expect(await nobody.post(at, { configuration: ACCESS_KEY })).toMatchObject({ status: 401 });
  });

  it('is not who sends a bad one', async () => {
    const answer = await server.client('nonsense').get('/api/prompts');
    expect(answer).toMatchObject({ status: 401, body: { error: 'INVALID_TOKEN' } });
  });
});

describe('rule 12: a body', () => {
  const post = (body: string, headers = {}) =>
    server.admin.call('POST', '/api/roles', { body, headers: { 'content-type': 'application/json', ...headers } });

  it.each([
    ['of more than 1 MiB', JSON.stringify({ name: 'big', description: 'x'.repeat(1_100_000) }), 413],
    ['with __proto__', '{"name":"p","__proto__":{"permissions":["x"]}}', 400],
    ['with __proto__ deep down', '{"name":"p","permissions":[{"name":"x","__proto__":{}}]}', 400],
    ['with __proto__ in another spelling', '{"name":"p","\\u005f_proto__":{}}', 400],
    ['with constructor', '{"name":"p","constructor":{"prototype":{}}}', 400],
    ['of many levels', `{"name":"deep","createdBy":${'['.repeat(50)}${']'.repeat(50)}}`, 400],
    ['of levels without end', '['.repeat(1_000_000), 400],
    ['with a text that is not Unicode', '{"name":"\\ud800"}', 400],
    ['with a key that is not known', '{"name":"x","permission":[]}', 400],
    ['that is no JSON', '{"name":', 400],
    ['that is no object', '[]', 400],
    ['of nothing', '', 400],
  ])('%s is refused', async (_, body, status) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ status, retryable: false });
    expect((await server.admin.get('/api/roles/custom')).body).toEqual([]);
  });

  it('with brackets inside its texts is as deep as it is', async () => {
    const description = `${'['.repeat(100)}\\"${'{'.repeat(100)}`;
    const answer = await server.admin.put('/api/users/brackets', { name: description });
    expect(answer).toMatchObject({ status: 200, body: { name: description } });
  });

  it('of another kind is refused', async () => {
    expect(await post('name=x', { 'content-type': 'application/x-www-form-urlencoded' })).toMatchObject({
      status: 415,
    });
    expect(await post('{"name":"x"}', { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
  });

  it('with the name of a record that reaches a prototype does nothing else than any name', async () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(await server.admin.get(`/api/roles/${name}`)).toMatchObject({ status: 404 });
      expect(await server.admin.put(`/api/groups/${name}`, { description: 'd' })).toMatchObject({ status: 200 });
      expect((await server.admin.get(`/api/groups/${name}`)).body).toMatchObject({ id: name, description: 'd' });
      expect(await server.admin.delete(`/api/groups/${name}`)).toMatchObject({ status: 200 });
    }
  });
});

describe('rule 13: whoever may not, reads the same whether the thing exists or not', () => {
  it('by every route that names one', async () => {
    await server.admin.post('/api/integrations/provider/known-one', { configuration: ACCESS_KEY });
    await server.admin.post('/api/integrations/provider/known-one/integration/m', {});
    await server.admin.post('/api/prompts/known-one', 'Hi');
    await server.admin.post('/api/manifests/apply', { manifest: { applications: { 'known-one': {} } } });
    await server.admin.put('/api/groups/known-one', {});
    await server.admin.put('/api/users/known-one', {});
    const key = { application: 'known-one', applicationUid: 'u', enabled: true, createdAt: 0 };
    await redis.hset(keyNames(server.prefix).hash('access-keys'), 'known-one', JSON.stringify(key));
    await expect.poll(async () => (await server.admin.get('/api/applications/key/known-one')).status).toBe(200);

    const { paths } = (await server.admin.get('/openapi.json')).body;
    const asked = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
      path.includes('{') && !path.includes('/roles/{name}') && !path.includes('/def/')
        ? Object.keys(methods).map((method) => [method.toUpperCase(), path] as const)
        : [],
    );
    expect(asked.length).toBeGreaterThan(40);
    for (const [method, path] of asked) {
      const answers = [];
      for (const name of ['known-one', 'other-one']) {
        const filled = path
          .replaceAll('{model}', 'm')
          .replaceAll('{version}', '1')
          .replaceAll('{role}', 'USER')
          .replaceAll('{type}', 'PROMPT')
          .replaceAll(/\{\w+\}/g, name);
        const query = path.endsWith('checkPermissions') ? '?type=PROMPT&id=p' : '';
        const { status, text } = await stranger.call(method, `${filled}${query}`, { body: bodyOf(method, path) });
        answers.push({ status, text: text.replaceAll(name, 'NAME') });
      }
      expect({ method, path, ...answers[1] }).toEqual({ method, path, ...answers[0] });
    }
  });

  it('also where it might have created the thing, did it not exist', async () => {
    const maker = await server.somebody('maker', ['USER']);
    await server.admin.post('/api/prompts/of-another', 'Hi');
    const refused = await maker.post('/api/prompts/of-another', 'Mine');
    const reader = await stranger.post('/api/prompts/of-nobody', 'Mine');
    expect([refused.status, reader.status]).toEqual([403, 403]);
    const words = ({ body }: { body: { message: string } }) =>
      body.message.replace(/app:[\w-]+/, 'WHO').replace(/of-\w+/, 'NAME');
    expect(words(refused)).toBe(words(reader));
  });
});

function bodyOf(method: string, path: string): unknown {
  if (method === 'GET' || (method === 'DELETE' && !/(tags|users)$/.test(path))) return undefined;
  if (/(tags|users)$/.test(path)) return [];
  if (path.startsWith('/api/prompts')) return 'Hello';
  if (path.endsWith('/llm/{name}/token')) return { api: 'm', maxTokens: 1, tokenLimitPeriod: 'DAY' };
  if (path.endsWith('/provider/{name}')) return { configuration: ACCESS_KEY };
  if (path.endsWith('/applications/{id}')) return { name: 'x' };
  return {};
}
