/** The API on a real server: what it changes is on record, and who asks for the record is told. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ChangeRecord, DenialRecord } from '../../../src/audit/records.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

const [SECRET, ACCOUNT] = ['SEKRET-of-the-integration', '111122223333'];

let server: RunningAdmin;
let redis: Redis;
let subject: string;

beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  subject = `USER:${(await server.admin.get('/api/token/userInfo')).body.id}`;
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** What a call changes, the oldest first. */
async function changesOf(call: () => Promise<{ readonly status: number }>): Promise<ChangeRecord[]> {
  const { audit } = keyNames(server.prefix);
  const [last] = await redis.xrevrange(audit, '+', '-', 'COUNT', 1);
  expect((await call()).status).toBe(200);
  const { body } = await server.admin.get(
    `/api/audit?order=oldest&limit=500${last === undefined ? '' : `&cursor=${last[0]}`}`,
  );
  return body.records;
}

const plain = ({ action, kind, name }: ChangeRecord) => `${action} ${kind} ${name}`;

describe('what the API changes', () => {
  const integration = {
    type: 'aws_bedrock_cohere',
    configuration: {
      connectionType: 'ACCESS_KEY',
      region: 'us-east-1',
      user: 'AKIA1',
      api_key: SECRET,
      awsAccountId: ACCOUNT,
    },
  };
  const model = '/api/integrations/provider/main/integration/cohere.embed-v4:0';
  const grant = {
    subject: { type: 'GROUP', id: 'analysts' },
    target: { type: 'INTEGRATION', id: 'main:cohere.embed-v4:0' },
    access: ['EXECUTE'],
  };

  it.each<[string, string[], () => Promise<{ readonly status: number }>]>([
    [
      'a new integration',
      ['create integrations main'],
      () => server.admin.post('/api/integrations/provider/main', integration),
    ],
    ['a model', ['create models main:cohere.embed-v4:0'], () => server.admin.post(model, {})],
    ['a prompt', ['create prompts greet'], () => server.admin.post('/api/prompts/greet', 'Hello')],
    ['a group', ['create groups analysts'], () => server.admin.put('/api/groups/analysts', { description: 'old' })],
    [
      'a group again',
      ['update groups analysts'],
      () => server.admin.put('/api/groups/analysts', { description: 'new' }),
    ],
    ['a user', ['create users alice'], () => server.admin.put('/api/users/alice', { name: 'Alice' })],
    ['a member', ['update members analysts'], () => server.admin.post('/api/groups/analysts/users/alice')],
    ['a member who is one', [], () => server.admin.post('/api/groups/analysts/users/alice')],
    [
      'a grant',
      ['create grants GROUP:analysts → INTEGRATION:main:cohere.embed-v4:0'],
      () => server.admin.post('/api/auth/authorization', grant),
    ],
    ['a role', ['create roles reader'], () => server.admin.post('/api/roles', { name: 'reader' })],
    [
      'tags',
      ['update models main:cohere.embed-v4:0'],
      () => server.admin.put(`${model}/tags`, [{ key: 'tier', value: 'gold' }]),
    ],
    [
      'a group deleted, with its grants and members',
      ['delete groups analysts', 'delete grants GROUP:analysts', 'delete members analysts'],
      () => server.admin.delete('/api/groups/analysts'),
    ],
    [
      'an integration deleted, with its models',
      ['delete integrations main', 'delete models main:cohere.embed-v4:0'],
      () => server.admin.delete('/api/integrations/provider/main'),
    ],
  ])('%s is on record once, by one id, with who and how', async (_, expected, call) => {
    const records = await changesOf(call);
    expect(records.map(plain).sort()).toEqual([...expected].sort());
    expect(new Set(records.map(({ change }) => change)).size).toBe(expected.length === 0 ? 0 : 1);
    for (const record of records) {
      expect(record).toMatchObject({
        subject,
        accessKey: server.adminKey.id,
        via: expect.stringMatching(/^[A-Z]+ \/api\/[\w/{}]+$/),
      });
      expect(record).not.toHaveProperty('label');
    }
  });

  it('is there with what was before and after, and no secret, hash or account', async () => {
    await server.admin.post('/api/integrations/provider/masked', integration);
    const written = { ...integration, configuration: { ...integration.configuration, api_key: `${SECRET}-2` } };
    const [update] = await changesOf(() => server.admin.post('/api/integrations/provider/masked', written));
    const masked = { region: 'us-east-1', user: 'AKIA1', api_key: '********', awsAccountId: '********' };
    expect(update).toMatchObject({
      action: 'update',
      before: { configuration: masked },
      after: { configuration: masked },
      rewritten: ['configuration.api_key'],
      via: 'POST /api/integrations/provider/{name}',
    });
    const { text } = await server.admin.get('/api/audit?limit=500');
    const stored = JSON.stringify(await redis.xrange(keyNames(server.prefix).audit, '-', '+'));
    const held = [
      ...(await redis.hvals(keyNames(server.prefix).admin.keyHashes)),
      ...(await redis.hvals(keyNames(server.prefix).admin.signing)),
    ];
    expect(held.length).toBeGreaterThan(1);
    for (const hidden of [SECRET, ACCOUNT, server.adminKey.secret, 'enc:v1', 'scrypt', ...held]) {
      expect(text).not.toContain(hidden);
      expect(stored).not.toContain(hidden);
    }
  });

  it('of access keys: made, switched off, deleted', async () => {
    const { body: application } = await server.admin.post('/api/applications', { name: 'robot' });
    const keys = `/api/applications/${application.id}/accessKeys`;
    let id = '';
    const made = await changesOf(async () => {
      const answer = await server.admin.post(keys);
      id = answer.body.id;
      return answer;
    });
    expect(made.map(plain)).toEqual([`create access-keys ${id}`]);
    const off = await changesOf(() => server.admin.post(`${keys}/${id}/status`));
    expect(off).toMatchObject([{ action: 'update', before: { enabled: true }, after: { enabled: false } }]);
    expect((await changesOf(() => server.admin.delete(`${keys}/${id}`))).map(plain)).toEqual([
      `delete access-keys ${id}`,
    ]);
  });

  it('of what makes an installation: the key that signs, and the first administrator’s', async () => {
    const { body } = await server.admin.get('/api/audit?order=oldest&limit=4');
    const [signing, bootstrap, application, key] = body.records as ChangeRecord[];
    expect(signing).toMatchObject({ action: 'create', kind: 'token-keys', via: 'bedrock-cohere bootstrap' });
    expect([bootstrap, application, key].map((record) => `${record?.action} ${record?.kind}`)).toEqual([
      'create bootstrap',
      'create applications',
      'create access-keys',
    ]);
    expect(key).toMatchObject({ name: server.adminKey.id, label: expect.stringContaining('@') });
    expect(key).not.toHaveProperty('subject');
  });

  it('that is refused is not on record', async () => {
    const { audit } = keyNames(server.prefix);
    const nobody = await server.somebody('nobody');
    const before = await redis.xlen(audit);
    const bad = { ...integration, configuration: {} };
    expect((await server.admin.post('/api/integrations/provider/worse', bad)).status).toBe(400);
    const stale = { body: {}, headers: { 'if-match': '"stale"' } };
    expect((await server.admin.call('PUT', '/api/users/alice', stale)).status).toBe(412);
    expect((await nobody.put('/api/users/alice', {})).status).toBe(403);
    expect(await redis.xlen(audit)).toBe(before);
  });

  it('by requests at once is each under the id of its own', async () => {
    const records = await changesOf(async () => {
      const names = Array.from({ length: 20 }, (_, n) => `at-once-${n}`);
      const answers = await Promise.all(names.map((name) => server.admin.put(`/api/users/${name}`, {})));
      return { status: Math.max(...answers.map(({ status }) => status)) };
    });
    expect(records).toHaveLength(20);
    expect(new Set(records.map(({ change }) => change)).size).toBe(20);
  });
});

describe('GET /api/audit', () => {
  const ask = async (query: string) => (await server.admin.get(`/api/audit?${query}`)).body;
  const all = async () => (await ask('limit=500')).records as ChangeRecord[];

  it('answers page by page, from the newest on or from the oldest, each record once', async () => {
    const whole = await all();
    expect(whole.length).toBeGreaterThan(20);
    for (const order of ['newest', 'oldest'] as const) {
      const seen: ChangeRecord[] = [];
      let cursor: string | null = '';
      for (let pages = 0; cursor !== null && pages < 100; pages += 1) {
        const page = await ask(`limit=7&order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`);
        seen.push(...page.records);
        cursor = page.next;
      }
      expect(seen).toEqual(order === 'newest' ? whole : whole.toReversed());
    }
  });

  it.each<[string, (record: ChangeRecord) => boolean]>([
    ['kind=users', ({ kind }) => kind === 'users'],
    ['action=delete', ({ action }) => action === 'delete'],
    ['name=alice', ({ name }) => name === 'alice'],
    ['name=GROUP:analysts', ({ name }) => name.startsWith('GROUP:analysts')],
    ['subject=@', ({ subject: who }) => who !== undefined],
    ['kind=users&action=create', ({ kind, action }) => kind === 'users' && action === 'create'],
  ])('takes %s for a filter', async (query, wanted) => {
    const expected = (await all()).filter(wanted);
    expect(expected.length).toBeGreaterThan(0);
    expect((await ask(`limit=500&${query.replace('@', subject)}`)).records).toEqual(expected);
    if (query.includes('@')) {
      expect((await ask(`limit=500&subject=${subject.slice('USER:'.length)}`)).records).toEqual(expected);
      expect((await ask(`limit=500&subject=${server.adminKey.id}`)).records).toEqual(expected);
    }
  });

  it('takes times, as ISO 8601 and as milliseconds', async () => {
    const whole = await all();
    const middle = whole[Math.floor(whole.length / 2)]?.at ?? '';
    const later = whole.filter(({ at }) => at >= middle);
    expect((await ask(`limit=500&from=${middle}`)).records).toEqual(later);
    expect((await ask(`limit=500&from=${Date.parse(middle)}`)).records).toEqual(later);
    expect((await ask(`limit=500&to=${middle}`)).records).toEqual(whole.filter(({ at }) => at <= middle));
  });

  it.each([
    'limit=0',
    'limit=501',
    'cursor=x',
    'from=soon',
    'kind=integration',
    'stream=else',
    'stream=denials&kind=users',
  ])('refuses %s', async (query) => {
    expect((await server.admin.get(`/api/audit?${query}`)).status).toBe(400);
  });

  it('looks at a bounded part of the stream for one page, and says where it got to', async () => {
    const { audit } = keyNames(server.prefix);
    const filler = redis.pipeline();
    for (let n = 0; n < 12_000; n += 1)
      filler.xadd(audit, '*', 'action', 'create', 'kind', 'roles', 'name', `filler-${n}`);
    await filler.exec();
    const first = await ask('kind=users&limit=10');
    expect(first.records).toEqual([]);
    expect(first.next).toMatch(/^\d+-\d+$/);
    let page = first;
    let pages = 1;
    while (page.records.length === 0 && page.next !== null) {
      page = await ask(`kind=users&limit=10&cursor=${page.next}`);
      pages += 1;
    }
    expect(pages).toBeGreaterThan(2);
    expect(page.records).toHaveLength(10);
  });
});

describe('a cursor', () => {
  it('is the id of a record that there can be; anything else is a 400', async () => {
    const get = (cursor: string) => server.admin.get(`/api/audit?cursor=${cursor}`);
    for (const cursor of ['18446744073709551615-18446744073709551615', '0-0', '00-0']) {
      expect(await get(cursor), cursor).toMatchObject({ status: 200 });
      expect(await get(`${cursor}&order=oldest`), cursor).toMatchObject({ status: 200 });
    }
    for (const cursor of [
      '18446744073709551616-0',
      '0-18446744073709551616',
      '99999999999999999999-1',
      '1',
      '-',
      'x-1',
    ])
      expect(await get(cursor), cursor).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining('cursor') },
      });
  });
});

describe('denials of the API', () => {
  const denials = async (query = '') =>
    (await server.admin.get(`/api/audit?stream=denials&limit=500${query}`)).body.records as DenialRecord[];

  it('are on record, the first of a kind by itself: who, which route, what was missing', async () => {
    const somebody = await server.somebody('curious');
    for (let n = 0; n < 3; n += 1) expect((await somebody.delete(`/api/groups/g${n}`)).status).toBe(403);
    await expect.poll(async () => (await denials(`&subject=${somebody.userId}`)).length).toBe(1);
    expect((await denials(`&subject=${somebody.userId}`))[0]).toMatchObject({
      subject: `USER:${somebody.userId}`,
      source: 'api',
      target: 'DELETE /api/groups/{id}',
      missing: expect.stringContaining('does not have the role ADMIN'),
      count: 1,
    });
  });

  it('of a secret that is not its key’s are counted by key; what is no key’s id is not repeated', async () => {
    const { key, userId } = await server.somebody('guessed');
    const guess = (keyId: string) => server.client().post('/api/token', { keyId, keySecret: 'guess' });
    for (let n = 0; n < 2; n += 1) expect((await guess(key.id)).status).toBe(401);
    expect((await guess('SEKRET-in-the-wrong-place')).status).toBe(401);
    const target = '&name=POST%20/api/token';
    await expect.poll(async () => (await denials(target)).length).toBe(2);
    const records = await denials(target);
    expect(records.map(({ subject: who, missing }) => [who, missing])).toEqual(
      expect.arrayContaining([
        [`USER:${userId}`, expect.stringContaining(key.id)],
        ['', expect.stringContaining('an access key that is not known')],
      ]),
    );
    expect(JSON.stringify(records)).not.toContain('SEKRET');
  });

  it('of forged tokens are one kind, whatever they ask for; of none at all or of one that has expired there are none', async () => {
    const target = '&name=the%20admin%20API';
    await server.client().get('/api/roles/none');
    const forged = server.client('forged');
    for (const path of ['roles/none', 'groups', 'users/x', 'audit'])
      expect(await forged.get(`/api/${path}`)).toMatchObject({ status: 401 });
    await expect.poll(async () => (await denials(target)).length).toBe(1);
    expect((await denials(target))[0]).toMatchObject({ subject: '', missing: expect.stringContaining('not valid') });
    const nobody = (await denials()).filter(({ subject: who, target: of }) => who === '' && of !== 'POST /api/token');
    expect(nobody.map(({ target: of }) => of)).toEqual(['the admin API']);
  });
});
