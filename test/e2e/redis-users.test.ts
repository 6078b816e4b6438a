/** A worker, an admin and commands on a Redis that lets each do no more than deploy/redis-users.acl says. */
import { randomBytes } from 'node:crypto';
import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';
import { redisUser, USER_ROLES, type UserRole } from '../../src/redis/users.ts';
import { type RunningAdmin, startAdminServer, tokenFor } from '../support/admin.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { encryptionKeys } from '../support/encryption-keys.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { startMany, statusesOf, whenOver } from './support/many.ts';
import { type SentCommands, watchSentCommands } from './support/sent-commands.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const LIMITED = 'amazon.nova-micro-v1:0';
const THROTTLED = 'amazon.nova-lite-v1:0';
const HELD = 'amazon.nova-pro-v1:0';
const EMBED = 'cohere.embed-v4:0';
const ENCRYPTION_KEYS = encryptionKeys('k1');
/** A database of its own, so that clients have to choose one. */
const DATABASE = 3;

/** Open to everybody, whatever an ACL says. */
const OPEN = ['auth', 'hello'];
const ONLY_POLLED = 'reads large keys where Redis does not tell of changes (a proxy, a Cluster)';
const NOT_HERE = 'reads the streams of changes and denials, which the tests of those do';
const READS = { xrange: NOT_HERE, xrevrange: NOT_HERE };
const WHOLE_KEYS = 'puts on record what a key held that goes as a whole';
const WRITES = { hlen: WHOLE_KEYS, scard: WHOLE_KEYS, type: WHOLE_KEYS, unlink: WHOLE_KEYS };
const WARNED = 'remembers that it was said of a limit of tokens that it is nearly used up';
/** What is granted and may not be seen here, each with its reason. */
const UNSEEN: Readonly<Record<UserRole, Readonly<Record<string, string>>>> = {
  worker: {
    ...{ watch: ONLY_POLLED, multi: ONLY_POLLED, exec: ONLY_POLLED, hsetnx: WARNED },
    hstrlen: 'takes answers that are too old or too many out of the cache',
  },
  admin: {
    ...READS,
    ...WRITES,
    hsetnx: WARNED,
    del: 'ends the throttling of a lane that has grown back',
    zrange: 'shares a full lane evenly with workers that ask in vain at the same moment',
  },
  operator: {
    ...READS,
    ...WRITES,
    evalsha: 'writes again, where a script is known already',
    srem: 'takes a member out of a group',
    time: 'tells which changes are old enough to go, where they are kept for a time',
  },
  viewer: READS,
};

const password = Object.fromEntries(USER_ROLES.map((role) => [role, randomBytes(16).toString('hex')]));
let folder = '';
let redis: Server;
let all: Redis;
let world: World;
let conductorProxy: TcpProxy;
let sent: SentCommands;
let api: RunningAdmin;
let embedding = '';

const as = (role: UserRole) => `redis://cohere-${role}:${password[role]}@127.0.0.1:${redis.port}/${DATABASE}`;
const environment = (role: UserRole) => ({ ...world.env, REDIS_URL: as(role), ENCRYPTION_KEYS });
const run = (role: UserRole, ...args: string[]): Promise<CliResult> =>
  sent.during(role, () => runCli(args, environment(role)));
const tryTemplate = (model: string) =>
  api.admin.post('/api/prompts/test', { llmProvider: 'main', model, prompt: 'Say hello' });
/** Whoever runs a script next has to send it whole. */
const forgetScripts = () => all.script('FLUSH');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-deploy-'));
  await cp(fileURLToPath(new URL('../../deploy', import.meta.url)), folder, { recursive: true });
  await appendFile(join(folder, 'redis-users.acl'), 'user tester on >tester ~* &* +@all\n');
  redis = await startRedis({
    program: join(folder, 'start-redis.sh'),
    env: {
      PATH: process.env['PATH'],
      ...Object.fromEntries(USER_ROLES.map((role) => [`${role.toUpperCase()}_PASSWORD`, password[role]])),
    },
  });
  const redisUrl = `redis://tester:tester@127.0.0.1:${redis.port}/${DATABASE}`;
  all = new Redis(redisUrl);
  world = await createWorld('users', { redisUrl, prefix: 'cohere:' });
  const conductor = new URL(inject('conductorUrl'));
  conductorProxy = await startTcpProxy({ host: conductor.hostname, port: Number(conductor.port) });
  sent = await watchSentCommands(all);
});

afterAll(async () => {
  sent?.stop();
  await api?.stop();
  await world?.close();
  all?.disconnect();
  await conductorProxy?.close();
  await redis?.stop();
  await rm(folder, { recursive: true, force: true });
});

const manifest = (applications: string) => `
integrations:
  main: { type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: us-east-1 } }
models:
  "main:${LIMITED}": { configuration: { maxConcurrency: 2, requestsPerMinute: 600, tokensPerMinute: 100000 } }
  "main:${THROTTLED}": { configuration: { maxConcurrency: 4 } }
  "main:${HELD}": { configuration: { maxConcurrency: 4 } }
  "main:${EMBED}": { configuration: { cache: { ttlSeconds: 60 } } }
users: { ${Array.from({ length: 700 }, (_, index) => `"user-${index}": {}`).join(', ')} }
groups: { analysts: { members: ["alice@example.com", "app:users"] } }
applications: { ${applications} }
grants:
  - { subject: "GROUP:analysts", target: "INTEGRATION_PROVIDER:main", access: [EXECUTE] }
`;

describe('an operator', () => {
  beforeAll(forgetScripts);
  it('brings manifests to an empty Redis, and takes away what they name no longer', async () => {
    const file = join(folder, 'manifest.yaml');
    await writeFile(file, manifest('users: { workflows: ["users_*"] }, other: {}'));
    expect(await run('operator', 'apply', '-f', file)).toMatchObject({ code: 0 });
    await writeFile(file, manifest('users: { workflows: ["users_*"] }'));
    const pruned = await run('operator', 'apply', '-f', file, '--prune', '--yes');
    expect(pruned, pruned.stderr).toMatchObject({ code: 0 });
    expect(await all.hkeys('cohere:applications')).toEqual(['users']);
    expect(await all.smembers('cohere:members:analysts')).toHaveLength(2);
    expect(await run('operator', 'can', 'app:users', `main:${LIMITED}`)).toMatchObject({ code: 0 });
  });

  it('makes no administrator’s key', async () => {
    const refused = await run('operator', 'bootstrap');
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('Redis refuses');
    await all.call('ACL', 'LOG', 'RESET');
  });
});

describe('a viewer', () => {
  beforeAll(forgetScripts);
  it('explains a decision, and checks everything', async () => {
    const can = await run('viewer', 'can', 'app:users', `main:${LIMITED}`);
    expect(can, can.stderr).toMatchObject({ code: 0 });
    const check = await run('viewer', 'check', '--output', 'json');
    expect(check.stderr).toBe('');
    expect(JSON.parse(check.stdout).findings).toEqual(expect.any(Array));
  });

  it('applies nothing', async () => {
    const file = join(folder, 'more.yaml');
    await writeFile(file, 'groups: { more: {} }');
    const refused = await run('viewer', 'apply', '-f', file);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('NOPERM');
    expect(await all.hkeys('cohere:groups')).toEqual(['analysts']);
    await all.call('ACL', 'LOG', 'RESET');
  });
});

describe('an admin', () => {
  beforeAll(forgetScripts);
  const ok = async (answer: Promise<{ status: number; text: string }>) => {
    const { status, text } = await answer;
    expect(status, text).toBe(200);
    return JSON.parse(text === '' ? 'null' : text);
  };

  it('starts, and changes and deletes records', async () => {
    const url = new URL(as('admin'));
    [url.username, url.password] = ['tester', 'tester'];
    api = await sent.during('admin', () =>
      startAdminServer(url.href, { ...environment('admin'), REDIS_PREFIX: 'cohere:' }),
    );
    const { admin } = api;
    await ok(
      admin.post('/api/integrations/provider/second', {
        configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
      }),
    );
    await ok(admin.post(`/api/integrations/provider/second/integration/${LIMITED}`, {}));
    await ok(admin.put('/api/groups/temporary', {}));
    await ok(admin.post('/api/groups/temporary/users/alice@example.com'));
    await ok(admin.delete('/api/groups/temporary/users/alice@example.com'));
    await ok(admin.post('/api/groups/temporary/users/bob@example.com'));
    await ok(admin.delete('/api/groups/temporary'));
    await ok(admin.delete('/api/integrations/provider/second'));
  });

  it('applies manifests, too', async () => {
    const file = join(folder, 'more.yaml');
    await writeFile(file, 'groups: { more: { members: [carol@example.com] } }');
    expect(await run('admin', 'apply', '-f', file)).toMatchObject({ code: 0 });
    expect(await all.smembers('cohere:members:more')).toEqual(['carol@example.com']);
  });

  it('gives an application a key, and its task a token', async () => {
    const key = await ok(api.admin.post('/api/applications/users/accessKeys'));
    embedding = await tokenFor(api.client(), key, { audience: 'task', once: true });
    const other = await ok(api.admin.post('/api/applications/users/accessKeys'));
    await ok(api.admin.post(`/api/applications/users/accessKeys/${other.id}/status`));
    await ok(api.admin.delete(`/api/applications/users/accessKeys/${other.id}`));
  });

  it('tries templates under the limits that workers keep, and reads what was used', async () => {
    await world.control('latency', { model: LIMITED, ms: 300 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => tryTemplate(LIMITED)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await world.control('faults', { model: THROTTLED, fault: { name: 'ThrottlingException', times: 2 } });
    await Promise.all(Array.from({ length: 6 }, () => tryTemplate(THROTTLED)));
    expect((await tryTemplate(THROTTLED)).status).toBe(200);
    const days = api.admin.get('/api/integrations/provider/main/metrics');
    expect((await days).status).toBe(200);
    const somebody = await api.somebody('somebody');
    const refused = await somebody.post('/api/prompts/test', { llmProvider: 'main', model: LIMITED, prompt: 'Hi' });
    expect(refused.status).toBe(403);
  });
});

describe('a worker', () => {
  beforeAll(forgetScripts);
  let [dying, left]: RunningWorker[] = [];
  const task = (model: string, more: object = {}, workflow = 'users_task') => ({
    workflow,
    type: 'LLM_TEXT_COMPLETE' as const,
    name: 'users_task_name',
    input: { llmProvider: 'main', model, prompt: 'Hi', maxTokens: 20, ...more },
  });
  const start = () =>
    world.startWorker({
      ...environment('worker'),
      CONDUCTOR_SERVER_URL: `http://127.0.0.1:${conductorProxy.port}`,
    });

  it('starts, runs what is granted and denies what is not', async () => {
    dying = await start();
    expect((await world.runTask(task(LIMITED))).task.status).toBe('COMPLETED');
    const { task: denied } = await world.runTask(task(LIMITED, {}, 'strange_task'));
    expect(denied.outputData['error']).toMatchObject({ code: 'SUBJECT_UNKNOWN' });
    const input = { llmProvider: 'main', model: EMBED, text: 'Roof', accessToken: embedding };
    const embed = { workflow: 'anybodys', type: 'LLM_GENERATE_EMBEDDINGS' as const, input };
    expect((await world.runTask(embed)).task.status).toBe('COMPLETED');
    expect((await world.runTask(embed)).task.outputData['error']).toMatchObject({ code: 'TOKEN_INVALID' });
    expect(await all.xlen('cohere:run:denials')).toBeGreaterThan(0);
  });

  it('shares limits with others, puts tasks off, and is throttled', async () => {
    left = await start();
    await world.control('latency', { model: LIMITED, ms: 400 });
    await world.control('faults', { model: THROTTLED, fault: { name: 'ThrottlingException', rate: 0.5, times: 6 } });
    const models = Array.from({ length: 80 }, (_, index) => ({ model: index % 4 === 0 ? THROTTLED : LIMITED }));
    const ids = await startMany(world, task(LIMITED, { maxTokens: 500 }), models);
    const tried = await Promise.all(Array.from({ length: 6 }, () => tryTemplate(LIMITED)));
    expect(tried.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    const ended = await whenOver(world, ids, 90_000);
    expect(statusesOf(ended)).toEqual({ COMPLETED: 80 });
    expect((await world.calls()).models[LIMITED]?.maxInFlight).toBe(2);
  });

  it('keeps an answer while Conductor is away, and one takes over from another that was killed', async () => {
    await world.control('latency', { model: HELD, ms: 2_000 });
    const held = await startMany(
      world,
      task(HELD),
      Array.from({ length: 4 }, () => ({})),
    );
    const inFlight = async () => (await world.calls()).models[HELD]?.inFlight;
    await expect.poll(inFlight, { timeout: 20_000 }).toBe(4);
    await conductorProxy.cut();
    const kept = async () => (await all.keys('cohere:run:answer:*')).length;
    await expect.poll(kept, { timeout: 20_000 }).toBe(4);
    dying?.cli.kill('SIGKILL');
    await conductorProxy.mend();
    expect(statusesOf(await whenOver(world, held))).toEqual({ COMPLETED: 4 });
    await expect.poll(kept, { timeout: 20_000 }).toBe(0);
  });

  it('counts what was used, and leaves in good order', async () => {
    expect((await left?.cli.stop(20_000))?.code).toBe(0);
    const [day] = new Date().toISOString().split('T');
    expect(
      Number(await all.hget(`cohere:run:usage:${day}`, JSON.stringify(['main', LIMITED, 'calls']))),
    ).toBeGreaterThan(50);
  });
});

describe('Redis', () => {
  it('has refused nobody anything that was needed', async () => {
    expect(await all.call('ACL', 'LOG')).toEqual([]);
  });

  it.each(USER_ROLES)('has granted the %s nothing that is not used, but for a reason', (role) => {
    const used = sent.of(role);
    expect(used.size).toBeGreaterThan(5);
    const granted = redisUser(role, { prefix: 'cohere:', cluster: false }).commands;
    const unused = granted.filter((command) => !used.has(command));
    expect(unused.filter((command) => UNSEEN[role][command] === undefined)).toEqual([]);
    expect([...used].filter((command) => !granted.includes(command) && !OPEN.includes(command))).toEqual([]);
    expect(granted).toEqual(expect.arrayContaining(Object.keys(UNSEEN[role])));
  });
});
