import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
});
afterAll(async () => await server?.stop());

interface Schema {
  readonly type?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
}

/** A body with a key that nobody knows, of the kind that a route takes; undefined for one that takes no objects. */
function withUnknownKey(schema: Schema): unknown {
  const forms = schema.anyOf ?? [schema];
  if (forms.some(({ type }) => type === 'object')) return { bogus: 1 };
  const list = forms.find(({ type }) => type === 'array');
  return list?.items?.type === 'object' ? [{ bogus: 1 }] : undefined;
}

describe('an unknown key', () => {
  it('is a 400 that names it, in the body of every route', async () => {
    const { paths } = (await server.client().get('/openapi.json')).body;
    const asked: string[] = [];
    for (const [path, methods] of Object.entries<Record<string, never>>(paths)) {
      for (const [method, operation] of Object.entries<{
        requestBody?: { content: Record<string, { schema: Schema }> };
      }>(methods)) {
        const schema = operation.requestBody?.content['application/json']?.schema;
        const body = schema === undefined ? undefined : withUnknownKey(schema);
        if (body === undefined) continue;
        const url = path.replaceAll(/\{\w+\}/g, 'x');
        const answer = await server.admin.call(method.toUpperCase(), url, { body });
        const route = `${method.toUpperCase()} ${path}`;
        expect([route, answer.status, answer.body?.message], route).toEqual([
          route,
          400,
          expect.stringMatching(/bogus: unknown key/),
        ]);
        asked.push(route);
      }
    }
    expect(asked.length).toBeGreaterThan(25);
  });

  it.each([
    ['PUT', '/api/groups/g', { roles: [{ name: 'USER', bogus: 1 }] }],
    ['PUT', '/api/users/u', { groups: [{ id: 'g', bogus: 1 }] }],
    ['POST', '/api/roles', { name: 'r', permissions: [{ name: 'PROMPT_CREATE', bogus: 1 }] }],
    ['PUT', '/api/integrations/provider/x/tags', [{ key: 'a', value: 'b', bogus: 1 }]],
    [
      'POST',
      '/api/integrations/provider/x',
      { configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1', bogus: 1 } },
    ],
    [
      'POST',
      '/api/integrations',
      [{ name: 'x', configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' }, bogus: 1 }],
    ],
  ])('is one deeper in a body, too: %s %s', async (method, path, body) => {
    await server.admin.post('/api/integrations/provider/x', {
      configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
    });
    const answer = await server.admin.call(method, path, { body });
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('bogus: unknown key') } });
  });
});

describe('If-Match', () => {
  it.each([
    ['POST', '/api/prompts', []],
    ['POST', '/api/integrations', []],
    ['POST', '/api/applications', { name: 'x' }],
    [
      'POST',
      '/api/auth/authorization',
      { subject: { type: 'USER', id: 'u' }, target: { type: 'TAG', id: 'a:b' }, access: ['READ'] },
    ],
  ])('is refused where nothing can be compared with it: %s %s', async (method, path, body) => {
    const answer = await server.admin.call(method, path, { body, headers: { 'if-match': '"old"' } });
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('If-Match') } });
    expect((await server.admin.call(method, path, { body })).status).toBe(200);
  });

  it('of a user covers its groups, which a write says all together', async () => {
    const { admin } = server;
    await admin.put('/api/groups/one', { description: '1' });
    await admin.put('/api/groups/two', { description: '2' });
    await admin.put('/api/users/u', { name: 'U', groups: ['one'] });
    const version = (await admin.get('/api/users/u')).headers.get('etag') ?? '';
    await admin.post('/api/groups/two/users/u');
    const write = { body: { groups: ['one'] }, headers: { 'if-match': version } };
    expect(await admin.call('PUT', '/api/users/u', write)).toMatchObject({ status: 412 });
    const groups = (await admin.get('/api/users/u')).body.groups.map(({ id }: { id: string }) => id);
    expect(groups).toEqual(['one', 'two']);
  });
});

describe('the models that a prompt names', () => {
  it('are shown to those who may READ them, and stay when others write the prompt back', async () => {
    const { admin } = server;
    await admin.post('/api/integrations/provider/p', {
      configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
    });
    for (const model of ['seen', 'hidden']) await admin.post(`/api/integrations/provider/p/integration/${model}`, {});
    await admin.post('/api/prompts/greet?models=p:seen,p:hidden', 'Hi');
    const somebody = await server.somebody('reader');
    for (const [type, id, access] of [
      ['PROMPT', 'greet', ['READ', 'UPDATE']],
      ['INTEGRATION', 'p:seen', ['READ']],
    ] as const) {
      const grant = { subject: { type: 'USER', id: somebody.userId }, target: { type, id }, access };
      expect((await admin.post('/api/auth/authorization', grant)).status).toBe(200);
    }
    expect((await somebody.get('/api/prompts/greet')).body.integrations).toEqual(['p:seen']);
    expect((await somebody.get('/api/prompts')).body[0].integrations).toEqual(['p:seen']);
    expect((await somebody.post('/api/prompts/greet?models=p:seen', 'Hello')).status).toBe(200);
    expect((await admin.get('/api/prompts/greet')).body).toMatchObject({
      template: 'Hello',
      integrations: ['p:seen', 'p:hidden'],
    });
  });
});
