import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type Answer, type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
let redis: Redis;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  await ok(
    server.admin.post('/api/integrations/provider/p', {
      configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
    }),
  );
  for (const [name, configuration] of Object.entries({ open: {}, vetted: { rawPrompts: false } })) {
    await ok(server.admin.post(`/api/integrations/provider/p/integration/${name}`, { configuration }));
  }
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});

async function ok(answer: Promise<Answer>): Promise<Answer> {
  const done = await answer;
  if (done.status !== 200) throw new Error(`${done.status}: ${done.text}`);
  return done;
}

/** As it stands in Redis, without who wrote it and when. */
async function stored(name: string): Promise<Record<string, unknown>> {
  const record = JSON.parse((await redis.hget(keyNames(server.prefix).hash('prompts'), name)) ?? '{}');
  for (const field of ['createdBy', 'createTime', 'updatedBy', 'updateTime']) delete record[field];
  return record;
}

describe('the versions of a prompt', () => {
  it('are written, listed and deleted as Orkes’ clients do', async () => {
    const { admin } = server;
    const path = '/api/prompts/versioned';
    const now = async () =>
      ((await ok(admin.get(`${path}/versions`))).body as Record<string, unknown>[]).map(
        ({ version, template, variables }) => [version, template, variables],
      );
    await ok(admin.post(path, 'One ${a}'));
    await ok(admin.post(`${path}?version=5`, 'Five ${b}'));
    await ok(admin.post(`${path}?autoIncrement=true`, 'Six ${c} ${a}'));
    await ok(admin.post(path, 'One again'));
    await ok(admin.put(path, 'Six again ${c}'));
    await ok(admin.put(`${path}?version=5`, 'Five again'));
    expect(await now()).toEqual([
      [1, 'One again', []],
      [5, 'Five again', []],
      [6, 'Six again ${c}', ['c']],
    ]);
    expect((await admin.get(path)).body).toMatchObject({ version: 6, variables: ['c'] });
    expect((await admin.get(`${path}?version=1`)).body).toMatchObject({ version: 1, template: 'One again' });
    expect(await admin.get(`${path}?version=2`)).toMatchObject({ status: 404 });
    await ok(admin.delete(`${path}/versions/6`));
    expect((await admin.get(path)).body).toMatchObject({ version: 5, template: 'Five again' });
    expect(await admin.delete(`${path}/versions/6`)).toMatchObject({ status: 404 });
    expect(await admin.delete(`${path}/versions/1`)).toMatchObject({
      status: 400,
      body: { message: 'Version 1 is the prompt itself: delete the prompt' },
    });
    for (const version of ['0', '01', 'latest', '1234567890', '__proto__']) {
      expect(await admin.delete(`${path}/versions/${version}`)).toMatchObject({ status: 400 });
      expect(await admin.post(`${path}?version=${version}`, 'x')).toMatchObject({ status: 400 });
    }
    expect(await now()).toHaveLength(2);
  });

  it('begin with 1', async () => {
    for (const version of [2, 5]) {
      expect(await server.admin.post(`/api/prompts/unbegun?version=${version}`, 'x')).toMatchObject({ status: 400 });
    }
    expect((await ok(server.admin.put('/api/prompts/begun', 'x'))).status).toBe(200);
    expect((await server.admin.get('/api/prompts/begun')).body).toMatchObject({ version: 1 });
  });
});

describe('what a save does not speak of', () => {
  it('stays: descriptions, models, tags and defaults, of the prompt and of each version', async () => {
    const { admin } = server;
    const path = '/api/prompts/kept';
    const query = (rest: Record<string, string>) => `${path}?${new URLSearchParams(rest)}`;
    const saved = {
      models: 'p:open',
      description: 'First',
      defaults: '{"temperature":"0.5","stopWords":"END","topP":null}',
    };
    await ok(admin.post(query(saved), 'One'));
    await ok(admin.put(`${path}/tags`, [{ key: 'a', value: 'b' }]));
    await ok(admin.post(query({ version: '2', description: 'Second', defaults: '{"temperature":0}' }), 'Two'));
    await ok(admin.post(path, 'One more'));
    await ok(admin.put(path, 'Two more'));
    await ok(admin.post('/api/prompts', [{ name: 'kept', template: 'Two, in a list', version: 2, defaults: null }]));
    expect(await stored('kept')).toEqual({
      template: 'One more',
      description: 'First',
      defaults: { temperature: 0.5, stopWords: ['END'] },
      integrations: ['p:open'],
      tags: [{ key: 'a', value: 'b' }],
      versions: { 2: { template: 'Two, in a list', description: 'Second', defaults: { temperature: 0 } } },
    });
    const versions = (await admin.get(`${path}/versions`)).body;
    expect(versions).toMatchObject([
      { version: 1, defaults: { temperature: 0.5, stopWords: ['END'] } },
      { version: 2, defaults: { temperature: 0, stopWords: ['END'] } },
    ]);
    // What was read can be written back.
    for (const version of versions) await ok(admin.post('/api/prompts', [version]));
    expect((await admin.get(`${path}/versions`)).body).toMatchObject(
      versions.map(({ updateTime, ...rest }: Record<string, unknown>) => rest),
    );
  });

  it('is taken away where an empty object says so, in the version that is written', async () => {
    const { admin } = server;
    const path = '/api/prompts/emptied';
    await ok(admin.post('/api/prompts', [{ name: 'emptied', template: 'x', defaults: { seed: 1, topK: 2 } }]));
    await ok(admin.post('/api/prompts', [{ name: 'emptied', template: 'x', version: 2, defaults: { seed: 2 } }]));
    await ok(admin.put(`${path}?defaults={}`, 'y'));
    expect((await admin.get(path)).body).toMatchObject({ version: 2, defaults: { seed: 1, topK: 2 } });
    await ok(admin.post('/api/prompts', [{ name: 'emptied', template: 'x', defaults: {} }]));
    expect((await admin.get(path)).body).not.toHaveProperty('defaults');
    expect(await stored('emptied')).not.toHaveProperty('defaults');
  });
});

describe('a new version', () => {
  it('is run as the one before it, unless the save says how: Orkes’ clients know of no defaults', async () => {
    const { admin } = server;
    const path = '/api/prompts/grows';
    await ok(admin.post(path, 'One'));
    await ok(admin.post(`${path}?${new URLSearchParams({ version: '2', defaults: '{"temperature":0}' })}`, 'Two'));
    await ok(admin.post(`${path}?autoIncrement=true`, 'Three'));
    expect((await admin.get(path)).body).toMatchObject({ version: 3, template: 'Three', defaults: { temperature: 0 } });
    await ok(admin.post('/api/prompts', [{ name: 'grows', template: 'Five', version: 5 }]));
    expect((await admin.get(path)).body).toMatchObject({ version: 5, template: 'Five', defaults: { temperature: 0 } });
    const other = new URLSearchParams({ autoIncrement: 'true', defaults: '{}' });
    await ok(admin.post(`${path}?${other}`, 'Six'));
    expect((await admin.get(path)).body).not.toHaveProperty('defaults');
    // One between others follows none.
    await ok(admin.post(`${path}?version=4`, 'Four'));
    expect((await admin.get(`${path}?version=4`)).body).not.toHaveProperty('defaults');
  });
});

describe('defaults that are none', () => {
  it.each([
    ['{"temprature":1}', 'defaults.temprature: unknown key. Did you mean "temperature"?'],
    ['{"temperature":"SEKRET"}', 'defaults.temperature: must be a number'],
    ['{"dimensions":256}', 'defaults.dimensions: unknown key.'],
    ['SEKRET', 'defaults: not JSON'],
    ['[]', /^defaults: /],
    ['null', /^defaults: /],
  ])('are refused where they are written (%s), and nothing is', async (defaults, message) => {
    const answer = await server.admin.post(`/api/prompts/refused?${new URLSearchParams({ defaults })}`, 'x');
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringMatching(message) } });
    expect(answer.text).not.toContain('SEKRET');
    expect(await server.admin.get('/api/prompts/refused')).toMatchObject({ status: 404 });
  });

  it('are refused in a list, too', async () => {
    const answer = await server.admin.post('/api/prompts', [
      { name: 'refused', template: 'x', defaults: { topK: [] } },
    ]);
    expect(answer).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/defaults\.topK: must be a number/) },
    });
  });
});

describe('the name of a prompt', () => {
  it.each(['a/b', 'a:b', '..', 'Ä \u{1F600}', 'x'.repeat(255), '__proto__', 'constructor'])(
    'may be %j, and is found as it is written',
    async (name) => {
      const path = `/api/prompts/${encodeURIComponent(name).replaceAll('.', '%2E')}`;
      // Written in a list: no client of HTTP asks for "..".
      await ok(server.admin.post('/api/prompts', [{ name, template: 'Hi' }]));
      if (name !== '..') expect((await ok(server.admin.get(path))).body).toMatchObject({ name, template: 'Hi' });
      expect((await server.admin.get('/api/prompts')).body).toContainEqual(expect.objectContaining({ name }));
    },
  );

  it.each(['', 'x'.repeat(256), 'a\nb', '\u007f'])('may not be %j', async (name) => {
    expect(await server.admin.post('/api/prompts', [{ name, template: 'Hi' }])).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/^name: the name is/) },
    });
  });

  it('is another one in other letters or in Unicode’s other form', async () => {
    await ok(server.admin.post('/api/prompts/%C3%84rger', 'composed'));
    for (const other of ['%C3%A4rger', 'A%CC%88rger']) {
      expect(await server.admin.get(`/api/prompts/${other}`)).toMatchObject({ status: 404 });
    }
  });
});

describe('letting a model run a prompt', () => {
  const routes = [
    [
      'POST …/integration/{model}/prompt/{prompt}',
      (somebody: Somebody, prompt: string, model: string) =>
        somebody.post(`/api/integrations/provider/p/integration/${model}/prompt/${prompt}`),
    ],
    [
      'POST /prompts/{name}?models=',
      (somebody: Somebody, prompt: string, model: string) =>
        somebody.post(`/api/prompts/${prompt}?models=p:${model}`, 'Mine'),
    ],
    [
      'POST /prompts',
      (somebody: Somebody, name: string, model: string) =>
        somebody.post('/api/prompts', [{ name, template: 'Mine', integrations: [`p:${model}`] }]),
    ],
  ] as const;

  it.each(routes)(
    'needs READ on the model, and UPDATE on one that takes only named prompts: %s',
    async (route, link) => {
      const { admin } = server;
      const at = routes.findIndex(([each]) => each === route);
      const somebody = await server.somebody(`linker-${at}`, ['USER']);
      const prompt = `mine-${at}`;
      await ok(somebody.post(`/api/prompts/${prompt}`, 'Mine'));
      const may = (id: string, access: readonly string[]) =>
        ok(
          admin.post('/api/auth/authorization', {
            ...{ subject: { type: 'USER', id: somebody.userId }, target: { type: 'INTEGRATION', id }, access },
          }),
        );
      const links = async () => (await admin.get(`/api/prompts/${prompt}`)).body.integrations;
      for (const model of ['open', 'vetted', 'nothing']) {
        expect(await link(somebody, prompt, model)).toMatchObject({ status: 403 });
      }
      for (const model of ['open', 'vetted']) await may(`p:${model}`, ['READ', 'EXECUTE']);
      expect(await link(somebody, prompt, 'vetted')).toMatchObject({
        status: 403,
        body: { message: expect.stringContaining('UPDATE') },
      });
      expect(await links()).toEqual([]);
      await ok(link(somebody, prompt, 'open'));
      expect(await links()).toEqual(['p:open']);
      await may('p:vetted', ['UPDATE']);
      await ok(link(somebody, prompt, 'vetted'));
      expect((await links()).includes('p:vetted')).toBe(true);
    },
  );

  it('stays possible to write a prompt that a keeper of such a model has let in', async () => {
    const somebody = await server.somebody('author', ['USER']);
    await ok(somebody.post('/api/prompts/let-in', 'Mine'));
    await ok(server.admin.post('/api/integrations/provider/p/integration/vetted/prompt/let-in'));
    await ok(somebody.post('/api/prompts/let-in?models=p:vetted', 'Changed'));
    expect((await server.admin.get('/api/prompts/let-in')).body).toMatchObject({
      template: 'Changed',
      integrations: ['p:vetted'],
    });
  });

  it('is refused for a model that is not there, and for what names none', async () => {
    const { admin } = server;
    await ok(admin.post('/api/prompts/unlinked', 'Hi'));
    expect(await admin.post('/api/integrations/provider/p/integration/nothing/prompt/unlinked')).toMatchObject({
      status: 404,
    });
    expect(await admin.post('/api/integrations/provider/p/integration/open/prompt/nothing')).toMatchObject({
      status: 404,
    });
    for (const [models, status] of [
      ['p', 400],
      ['p:nothing', 404],
    ] as const) {
      expect(await admin.post(`/api/prompts/unlinked?models=${models}`, 'Hi')).toMatchObject({ status });
    }
    expect((await admin.get('/api/prompts/unlinked')).body).toMatchObject({ integrations: [] });
  });
});
