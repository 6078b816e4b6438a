/** The calls that the UI of open-source Conductor makes for its pickers, as it makes them: without encoding a model's name. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Client, type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

const EMBED = 'cohere.embed-v4:0';
const CHAT = 'amazon.nova-lite-v1:0';

const PROVIDERS = '/api/integrations/provider?category=AI_MODEL&activeOnly=true';
const VECTOR_STORES = '/api/integrations/provider?category=VECTOR_DB&activeOnly=true';
const modelsOf = (provider: string) => `/api/integrations/provider/${provider}/integration?activeOnly=true`;
const promptsOf = (provider: string, model: string) =>
  `/api/integrations/provider/${provider}/integration/${model}/prompt`;
const PROMPTS = '/api/prompts';

let server: RunningAdmin;
/** One without ANONYMOUS_SUBJECT. */
let closed: RunningAdmin;

beforeAll(async () => {
  const redisUrl = inject('redisUrl');
  [server, closed] = await Promise.all([
    startAdminServer(redisUrl, { ANONYMOUS_SUBJECT: 'GROUP:visitors' }),
    startAdminServer(redisUrl),
  ]);
  await fill(server.admin);
});
afterAll(async () => {
  await server?.stop();
  await closed?.stop();
});

/** `seen` and what belongs to it is what visitors may READ; `unseen` they may only use. They are ADMIN by their role, which must not count. */
async function fill(admin: Client): Promise<void> {
  const done = async (answer: Promise<{ status: number; text: string }>) =>
    expect(await answer).toMatchObject({ status: 200 });
  const configuration = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIAEXAMPLE', api_key: 'secret' };
  for (const [name, enabled] of [
    ['seen', true],
    ['unseen', true],
    ['off', false],
  ] as const) {
    await done(admin.post(`/api/integrations/provider/${name}`, { configuration, enabled, description: 'Its words' }));
    await done(admin.post(`/api/integrations/provider/${name}/integration/${EMBED}`, { enabled: true }));
    await done(admin.post(`/api/integrations/provider/${name}/integration/${CHAT}`, { enabled: false }));
  }
  for (const [prompt, integration] of [
    ['summarize', 'seen'],
    ['secret', 'seen'],
    ['other', 'unseen'],
  ]) {
    await done(admin.post(`/api/prompts/${prompt}?models=${integration}:${EMBED}&description=Sums`, 'About ${text}'));
  }
  await done(admin.put('/api/groups/visitors', { roles: ['ADMIN'] }));
  for (const [type, id, access] of [
    ['INTEGRATION_PROVIDER', 'seen', 'READ'],
    ['INTEGRATION_PROVIDER', 'off', 'READ'],
    ['INTEGRATION_PROVIDER', 'unseen', 'EXECUTE'],
    ['PROMPT', 'summarize', 'READ'],
    ['PROMPT', 'other', 'EXECUTE'],
  ]) {
    const subject = { type: 'GROUP', id: 'visitors' };
    await done(admin.post('/api/auth/authorization', { subject, target: { type, id }, access: [access] }));
  }
}

const names = (answer: { body: { name?: string; api?: string }[] }) => answer.body.map(({ name, api }) => api ?? name);

describe.each([
  ['with a token', () => server.admin, ['seen', 'unseen'], ['other', 'secret', 'summarize'], ['secret', 'summarize']],
  ['without one, as ANONYMOUS_SUBJECT', () => server.client(), ['seen'], ['summarize'], ['summarize']],
])('%s', (_, client, providers, prompts, promptsOfModel) => {
  it('gets the active integrations, no secret among them, and none of another category', async () => {
    const answer = await client().get(PROVIDERS);
    expect([answer.status, names(answer)]).toEqual([200, providers]);
    expect(answer.body[0]).toMatchObject({
      name: 'seen',
      type: 'aws_bedrock_cohere',
      category: 'AI_MODEL',
      description: 'Its words',
      enabled: true,
      modelsCount: 1,
      configuration: { api_key: '********' },
    });
    expect(await client().get(VECTOR_STORES)).toMatchObject({ status: 200, body: [] });
  });

  it('gets the active models of an integration', async () => {
    const answer = await client().get(modelsOf('seen'));
    expect([answer.status, names(answer)]).toEqual([200, [EMBED]]);
    expect(answer.body[0]).toMatchObject({ integrationName: 'seen', api: EMBED, enabled: true });
  });

  it('gets the prompts of a model, and all', async () => {
    const [ofModel, all] = [await client().get(promptsOf('seen', EMBED)), await client().get(PROMPTS)];
    expect([ofModel.status, names(ofModel)]).toEqual([200, promptsOfModel]);
    expect([all.status, names(all)]).toEqual([200, prompts]);
    expect(all.body.at(-1)).toMatchObject({
      name: 'summarize',
      template: 'About ${text}',
      description: 'Sums',
      variables: ['text'],
      integrations: [`seen:${EMBED}`],
      version: 1,
    });
  });

  it('gets an empty list for what does not exist', async () => {
    expect(await client().get(modelsOf('nowhere'))).toMatchObject({ status: 200, body: [] });
    expect(await client().get(promptsOf('nowhere', EMBED))).toMatchObject({ status: 200, body: [] });
  });
});

describe('ANONYMOUS_SUBJECT', () => {
  it('sees nothing of what it may only use', async () => {
    const anybody = server.client();
    expect(await anybody.get(modelsOf('unseen'))).toMatchObject({ status: 200, body: [] });
    expect(await anybody.get(promptsOf('unseen', EMBED))).toMatchObject({ status: 200, body: [] });
  });

  it('does not speak for whoever sends a token that is no good', async () => {
    expect(await server.client('not-a-token').get(PROMPTS)).toMatchObject({ status: 401 });
  });
});

const PICKERS = [
  'GET /api/integrations/provider',
  'GET /api/integrations/provider/{name}/integration',
  'GET /api/integrations/provider/{name}/integration/{model}/prompt',
  'GET /api/prompts',
];

describe('no token', () => {
  it.each([
    ['where ANONYMOUS_SUBJECT is set, opens the four calls of the pickers alone', () => server, PICKERS],
    ['where it is not, opens nothing', () => closed, []],
  ])('%s', async (_, where, open) => {
    const anybody = where().client();
    const answered: string[] = [];
    let count = 0;
    for (const { method, path } of await securedOperations(anybody)) {
      const { status, body } = await anybody.call(method, path.replaceAll(/\{\w+\}/g, 'seen'));
      count += 1;
      if (status !== 401) answered.push(`${method} ${path}`);
      else expect(body).toMatchObject({ status: 401, error: 'INVALID_TOKEN', retryable: false });
    }
    expect(answered.sort()).toEqual(open);
    expect(count).toBeGreaterThan(60);
  });
});

/** Every operation of the API's own description but the public ones. */
async function securedOperations(anybody: Client): Promise<{ method: string; path: string }[]> {
  const { paths } = (await anybody.get('/openapi.json')).body as {
    paths: Record<string, Record<string, { security?: object[] }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security?.length !== 0)
      .map(([method]) => ({ method: method.toUpperCase(), path })),
  );
}
