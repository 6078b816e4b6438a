import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames, type ManifestKind } from '../../../src/redis/keys.ts';
import { type RunningAdmin, type Somebody, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';
import { type Installation, install, resultOf } from './installation.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const withKey = (apiKey: string, more: object = {}) => ({
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: apiKey, ...more },
});
const ROLE = { type: 'aws_bedrock_cohere', configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' } };

let server: RunningAdmin;
let redis: Redis;
let files: Installation;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  redis = new Redis(inject('redisUrl'));
  files = await install();
});
afterAll(async () => {
  redis?.disconnect();
  await files?.[Symbol.asyncDispose]();
  await server?.stop();
});

const names = () => keyNames(server.prefix);
const stored = async (kind: ManifestKind, name: string) =>
  JSON.parse((await redis.hget(names().hash(kind), name)) ?? 'null');
const post = (body: object, who: Pick<Somebody, 'post'> = server.admin) => who.post('/api/manifests/apply', body);
async function everything(): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const key of (await redis.keys(`${server.prefix}*`)).filter((each) => !each.includes(':run:')).sort())
    all[key] = (await redis.type(key)) === 'set' ? (await redis.smembers(key)).sort() : await redis.dump(key);
  return all;
}

/** `apply --server`, with a REDIS_URL that leads nowhere: what it does, it does through the API. */
async function apply(text: string, flags: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const file = await files.manifest('m.yaml', text);
  return await files.run(['apply', '-f', file, '--server', server.url, '--key-id', server.adminKey.id, ...flags], {
    ...{ REDIS_URL: 'redis://127.0.0.1:1', BEDROCK_COHERE_KEY_SECRET: server.adminKey.secret, ...env },
  });
}

describe('apply --server', () => {
  it('brings records, members and grants to what manifests say, and a second time changes nothing', async () => {
    const manifest = `integrations: { one: ${JSON.stringify(withKey(SECRET))} }
models: { "one:m": { configuration: { maxConcurrency: 8 } } }
groups: { g: { description: x, members: [alice] } }
grants: [{ subject: "GROUP:g", target: "INTEGRATION:one:m", access: [READ, EXECUTE] }]`;
    const shown = await apply(manifest, ['--dry-run', '--output', 'json']);
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    const { changes } = resultOf<{ changes: { action: string; kind: string; name: string }[] }>(shown);
    expect(changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`)).toEqual([
      'create integrations one',
      'create models one:m',
      'create groups g',
      'create members g',
      'create grants GROUP:g → INTEGRATION:one:m',
    ]);
    expect(Object.keys(changes[0] ?? {})).toEqual(['action', 'kind', 'name', 'before', 'after']);
    expect(await stored('integrations', 'one')).toBeNull();

    const done = await apply(manifest);
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(done.stdout).toContain('+ integrations one');
    expect(done.stdout).toContain('5 changes written.');
    for (const text of [shown.stdout, done.stdout]) expect(text).not.toMatch(new RegExp(`${SECRET}|enc:v1`));
    expect((await stored('integrations', 'one')).configuration.api_key).toMatch(/^enc:v1:k1:/);
    expect(await redis.smembers(names().members('g'))).toEqual(['alice']);
    expect(await redis.hgetall(names().grants('GROUP:g'))).toEqual({ 'INTEGRATION:one:m': 'READ,EXECUTE' });
    const again = await apply(manifest, ['--output', 'json']);
    expect([again.code, again.stdout]).toEqual([0, '{"changes":[]}\n']);
  });

  it('is all or nothing: every fault is listed with file, line and column, also those that only the server sees', async () => {
    const before = await everything();
    const manifest = `users: { fine: {} }
models: { "nowhere:m": {} }
integrations: { two: ${JSON.stringify(withKey('env:ENCRYPTION_KEYS'))} }
roles: { ADMIN: {} }
groups: { g: { members: ["app:nobody"] } }`;
    const ran = await apply(manifest);
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    for (const words of [
      'm.yaml:2:11: models.nowhere:m: the integration nowhere does not exist.',
      'm.yaml:3:17: integrations.two.configuration.api_key: env:, file: and enc: are for redis-cli and manifests alone',
      'm.yaml:4:10: roles.ADMIN: a role of the system',
      'm.yaml:5:11: groups.g: the application nobody does not exist.',
      '4 faults in the manifests; nothing was changed',
    ])
      expect(ran.stderr).toContain(words);
    expect(ran.stderr).not.toContain('ENCRYPTION_KEYS"');
    expect(await everything()).toEqual(before);
  });

  it('lists what only the server sees beside what is wrong in the files themselves, and blames no record for another', async () => {
    const before = await everything();
    const ran = await apply(`users: { fine: {}, u: { nam: x } }
integrations: { bad: { typ: x } }
models: { "bad:m": {}, "nowhere:m": {} }`);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('m.yaml:1:25: users.u.nam: unknown key. Did you mean "name"?');
    expect(ran.stderr).toContain('m.yaml:3:24: models.nowhere:m: the integration nowhere does not exist.');
    expect(ran.stderr).not.toContain('the integration bad');
    expect(await everything()).toEqual(before);
    const alone = await apply('users: { u: { nam: x } }', [], { BEDROCK_COHERE_KEY_SECRET: 'another' });
    expect([alone.code, alone.stderr]).toEqual([1, expect.stringContaining('1 fault in the manifests')]);
  });

  it('warns of a role that gives nothing, and writes it', async () => {
    const ran = await apply('users: { r: { roles: [USR] } }');
    expect([ran.code, ran.stderr]).toEqual([
      0,
      expect.stringMatching(/m.yaml:1:10: users.r: the role USR gives nothing.* Did you mean "USER"\?/),
    ]);
    expect(await stored('users', 'r')).toMatchObject({ roles: ['USR'] });
  });

  it('asks before it prunes, and keeps the last ADMIN', async () => {
    await redis.hset(names().hash('users'), 'old', '{}');
    const unasked = await apply('users: {}', ['--prune']);
    expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining('add --yes')]);
    expect(await stored('users', 'old')).toEqual({});
    expect((await apply('users: {}', ['--prune', '--yes'])).code).toBe(0);
    expect(await stored('users', 'old')).toBeNull();
    const admins = await apply('applications: {}', ['--prune', '--yes']);
    expect(admins.stderr).toMatch(/stays: without it nobody would get in with the role ADMIN/);
    expect((await server.admin.get('/api/token/userInfo')).status).toBe(200);
  });

  it('takes its key from flag and environment; without one, or with a server that is none, it is wrong usage', async () => {
    const file = await files.manifest('m.yaml', 'users: {}');
    const key = { BEDROCK_COHERE_KEY_ID: server.adminKey.id, BEDROCK_COHERE_KEY_SECRET: server.adminKey.secret };
    const args = ['apply', '-f', file, '--server'];
    expect((await files.run([...args, `${server.url}/api/`], { REDIS_URL: 'redis://127.0.0.1:1', ...key })).code).toBe(
      0,
    );
    const noKey = await files.run([...args, server.url]);
    expect([noKey.code, noKey.stderr]).toEqual([2, expect.stringContaining('BEDROCK_COHERE_KEY_ID')]);
    const noSecret = await files.run([...args, server.url, '--key-id', 'x']);
    expect([noSecret.code, noSecret.stderr]).toEqual([2, expect.stringContaining('BEDROCK_COHERE_KEY_SECRET')]);
    expect((await files.run([...args, 'localhost:8090'], key)).code).toBe(2);
    const alone = await files.run(['apply', '-f', file, '--key-id', 'x']);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('--server')]);
    // Set for all commands, the key alone does not send this one elsewhere.
    expect((await files.run(['apply', '-f', file], key)).code).toBe(0);
  });

  it('is exit code 1 with a key that is none, 3 where nothing answers, and names no secret', async () => {
    const wrong = await apply('users: {}', [], { BEDROCK_COHERE_KEY_SECRET: 'wr0ngSecret' });
    expect([wrong.code, wrong.stdout]).toEqual([1, '']);
    expect(wrong.stderr).toContain('401');
    expect(wrong.stderr).not.toContain('wr0ngSecret');
    const file = await files.manifest('m.yaml', 'users: {}');
    const key = { BEDROCK_COHERE_KEY_ID: 'x', BEDROCK_COHERE_KEY_SECRET: 's3cret' };
    const away = await files.run(['apply', '-f', file, '--server', 'http://127.0.0.1:1'], key);
    expect([away.code, away.stderr]).toEqual([3, expect.stringContaining('127.0.0.1:1 cannot be reached')]);
    expect(away.stderr).not.toContain('s3cret');
  });

  it('refuses whoever is not ADMIN, with 403: exit code 1, nothing written', async () => {
    const maker = await server.somebody('maker', ['USER', 'METADATA_MANAGER']);
    const before = await everything();
    const ran = await apply('users: { mallory: { roles: [ADMIN] } }', ['--key-id', maker.key.id], {
      BEDROCK_COHERE_KEY_SECRET: maker.key.secret,
    });
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('does not have the role ADMIN')]);
    expect(await everything()).toEqual(before);
  });
});

describe('POST /api/manifests/apply', () => {
  it.each(['env:X', 'file:x', 'enc:v1:k1:AAAA'])(
    'rule 1: refuses the reference %s, also from ADMIN, and repeats it not',
    async (reference) => {
      for (const [name, record] of [
        ['ref', withKey(reference)],
        [
          'ref',
          {
            ...ROLE,
            configuration: {
              ...ROLE.configuration,
              connectionType: 'EXTERNAL_ROLE',
              roleArn: 'arn:aws:iam::111122223333:role/x',
              externalId: reference,
            },
          },
        ],
      ] as const) {
        const answer = await post({ manifest: { integrations: { [name]: record } } });
        expect(answer.status).toBe(400);
        expect(answer.body.faults).toMatchObject([{ record: 'integrations.ref' }]);
        expect(answer.text).not.toContain(reference);
      }
      expect(await stored('integrations', 'ref')).toBeNull();
    },
  );

  it('rules 2, 3, 5, 8: lets nobody but ADMIN write a role integration, a tag, a grant, a user, a member or a modelId', async () => {
    const creator = await server.somebody('creator', ['USER', 'METADATA_MANAGER']);
    expect(
      (await creator.post('/api/integrations/provider/mine', { configuration: withKey(SECRET).configuration })).status,
    ).toBe(200);
    const before = await everything();
    for (const manifest of [
      { integrations: { deputy: ROLE } },
      { integrations: { mine: { ...withKey(SECRET), tags: [{ key: 'tier', value: 'gold' }] } } },
      { models: { 'mine:x': { configuration: { modelId: 'arn:aws:bedrock:us-east-1:1:x' } } } },
      { grants: [{ subject: `USER:${creator.userId}`, target: 'INTEGRATION_PROVIDER:one', access: ['EXECUTE'] }] },
      { users: { [creator.userId]: { roles: ['ADMIN'] } } },
      { groups: { admins: { roles: ['ADMIN'], members: [creator.userId] } } },
      { applications: { other: { workflows: ['*'] } } },
      {},
    ]) {
      for (const dryRun of [true, false]) {
        const answer = await post({ manifest, dryRun }, creator);
        expect([answer.status, answer.body.faults]).toEqual([403, undefined]);
      }
      expect((await post({ manifest }, server.client())).status).toBe(401);
    }
    expect(await everything()).toEqual(before);
  });

  it('rule 3: who made a record, and when, is not for a manifest to say; nor is the uid of an application', async () => {
    const lies = { createdBy: 'app:other', updatedBy: 'x', ownerApp: 'x', createTime: 1, updateTime: 1, createdOn: 1 };
    const manifest = {
      prompts: { honest: { template: 't', ...lies } },
      applications: { honest: { uid: 'chosen', ...lies } },
    };
    expect((await post({ manifest })).status).toBe(200);
    const me = (await server.admin.get('/api/token/userInfo')).body.id;
    for (const kind of ['prompts', 'applications'] as const) {
      const record = await stored(kind, 'honest');
      expect(record).toMatchObject({ createdBy: me, updatedBy: me });
      expect(record.createTime).toBeGreaterThan(Date.now() - 60_000);
      for (const field of ['ownerApp', 'createdOn', 'uid']) expect(record).not.toHaveProperty(field);
    }
    const key = (await server.admin.post('/api/applications/honest/accessKeys')).body;
    const { uid } = await stored('applications', 'honest');
    expect(uid).toBeTypeOf('string');
    await post({ manifest: { applications: { honest: { description: 'changed', uid: 'chosen' } } } });
    expect(await stored('applications', 'honest')).toMatchObject({ uid, description: 'changed', createdBy: me });
    expect((await server.client().post('/api/token', { keyId: key.id, keySecret: key.secret })).status).toBe(200);
  });

  it('rule 8: a record made anew inherits nothing of an earlier one of its name', async () => {
    await redis.hset(names().grants('USER:mallory'), 'PROMPT:again', 'EXECUTE');
    await redis.sadd(names().members('again'), 'mallory');
    const answer = await post({ manifest: { prompts: { again: { template: 't' } }, groups: { again: {} } } });
    expect(answer.status).toBe(200);
    expect(answer.body.changes.filter(({ leftBehind }: { leftBehind: boolean }) => leftBehind)).toHaveLength(2);
    expect(await redis.exists(names().grants('USER:mallory'), names().members('again'))).toBe(0);
  });

  it('rule 11: a mask, or a secret left out, keeps the stored one, and only for whom it was written', async () => {
    await post({ manifest: { integrations: { kept: withKey(SECRET) } } });
    const before = (await stored('integrations', 'kept')).configuration.api_key;
    expect(
      (await post({ manifest: { integrations: { kept: withKey('********', { region: 'eu-west-1' }) } } })).status,
    ).toBe(200);
    expect((await stored('integrations', 'kept')).configuration).toMatchObject({
      region: 'eu-west-1',
      api_key: before,
    });
    const moved = await post({ manifest: { integrations: { kept: withKey('********', { user: 'OTHER' }) } } });
    expect([moved.status, moved.body.message]).toEqual([
      400,
      expect.stringContaining('is the mask, but user would change'),
    ]);
    const none = await post({ manifest: { integrations: { fresh: withKey('********') } } });
    expect([none.status, none.body.message]).toEqual([400, expect.stringContaining('no value is stored')]);
  });

  it('refuses what would lock everybody out, and knows no keys', async () => {
    const application = (await server.admin.get('/api/token/userInfo')).body.id.slice('app:'.length);
    const locked = await post({ manifest: { applications: { [application]: {} } } });
    expect(locked.status).toBe(409);
    for (const kind of ['access-keys', 'token-keys', 'admin']) {
      expect((await post({ manifest: { [kind]: {} } })).body.message).toContain(`"${kind.slice(0, 5)}`);
    }
  });

  it('takes with a deleted record what names it: roles that are held, and that it made something', async () => {
    const hash = (kind: ManifestKind) => names().hash(kind);
    await redis.hset(hash('roles'), 'passing', '{"permissions":[]}');
    await redis.hset(hash('applications'), 'maker', '{}');
    await redis.hset(hash('groups'), 'made', '{"roles":["passing","USER"],"createdBy":"app:maker","createTime":1}');
    const applications = Object.fromEntries(
      (await redis.hkeys(hash('applications'))).filter((name) => name !== 'maker').map((name) => [name, {}]),
    );
    for (const [name, kept] of Object.entries(applications))
      Object.assign(kept, { roles: (await stored('applications', name)).roles ?? [] });
    const answer = await post({ manifest: { roles: {}, applications }, prune: true });
    expect([answer.status, answer.body.written]).toEqual([200, true]);
    const made = await stored('groups', 'made');
    expect([made.roles, made.createdBy, made.createTime]).toEqual([['USER'], undefined, 1]);
  });

  it('writes with a digest what was shown, or nothing', async () => {
    const manifest = { users: { shown: { name: 'one' } } };
    const { digest } = (await post({ manifest, dryRun: true })).body;
    await redis.hset(names().hash('users'), 'shown', '{"name":"other"}');
    expect((await post({ manifest, digest })).status).toBe(409);
    expect(await stored('users', 'shown')).toEqual({ name: 'other' });
    const fresh = (await post({ manifest, dryRun: true })).body;
    expect((await post({ manifest, digest: fresh.digest })).body).toMatchObject({
      written: true,
      digest: fresh.digest,
    });
    expect(await stored('users', 'shown')).toMatchObject({ name: 'one' });
  });

  it('many at once on one record leave one of them, whole', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        post({
          manifest: {
            groups: { race: { description: `${n}`, members: [`u${n}`] } },
            users: { [`u${n}`]: { name: `${n}` } },
          },
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const members = await redis.smembers(names().members('race'));
    expect(members).toEqual([`u${(await stored('groups', 'race')).description}`]);
  });
});
