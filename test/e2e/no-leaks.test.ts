/**
 * One full run on real servers, with every connection type and way to write a secret; then everything that anybody can see of it
 * is searched for every secret, token and account id: Redis' whole dump, logs at trace, answers, pages, tasks, commands.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';
import { loadSigningKey } from '../../src/identity/signing.ts';
import { keyNames } from '../../src/redis/keys.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';
import { type RunningAdmin, startAdminServer, tokenFor } from '../support/admin.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { encryptionKeys } from '../support/encryption-keys.ts';
import { findLeaks } from '../support/leaks.ts';
import { everythingIn } from '../support/mortal-redis.ts';
import { testTrail } from '../support/trail.ts';
import {
  accounts,
  asKey,
  asRole,
  CHAT,
  chat,
  cleaned,
  EMBED,
  keyOf,
  MANIFEST,
  PROVIDERS,
  prepareAws,
  REFUSED,
  references,
  roleOf,
  task,
  WAYS,
  writeByHand,
  writeGrants,
} from './support/leaky-world.ts';
import { createWorld, type RunningWorker, type TaskToRun, type World } from './support/world.ts';

const OLD_KEYS = encryptionKeys('old');
const NEW_KEYS = encryptionKeys('new', 'old');
let redisServer: Server;
let world: World;
let admin: RunningAdmin;
let worker: RunningWorker;
let folder: string;

/** What is searched for. */
const secrets: Record<string, string> = {
  'key that the API is refused with': 'key/refused+nightin"gale\\5',
};
/** What is searched. */
const surfaces: Record<string, string> = {};
const answers: string[] = [];
let bareDump = '';

/** A call of the API whose answer is searched. */
async function ask(method: string, path: string, body?: unknown, token?: string) {
  const answer = await admin.client(token ?? admin.admin.token).call(method, path, body === undefined ? {} : { body });
  answers.push(`${method} ${path} ${answer.status} ${JSON.stringify([...answer.headers])} ${answer.text}`);
  return answer;
}

async function runCommand(args: readonly string[], keys: string): Promise<CliResult> {
  const env = { ...world.env, LOG_LEVEL: 'trace', ENCRYPTION_KEYS: keys, SECRET_FILES_DIR: folder, ...references() };
  const ran = await runCli(args, env);
  surfaces[`command ${Object.keys(surfaces).length}: ${args.join(' ')}`] = ran.stdout + ran.stderr;
  return ran;
}

async function dump(): Promise<string> {
  return JSON.stringify(await everythingIn(world.redis));
}

/** Runs a task; all that Conductor knows of it is searched, but the inputs: there its author put the token. */
async function runTask(what: TaskToRun): Promise<{ status: string; code: unknown }> {
  const { workflow } = await world.runTask(what);
  const seen = {
    ...workflow,
    input: undefined,
    tasks: workflow.tasks.map((one) => ({ ...one, inputData: undefined, workflowTask: undefined })),
  };
  surfaces[`task ${Object.keys(surfaces).length}: ${what.workflow}`] = JSON.stringify(seen);
  const last = workflow.tasks.at(-1);
  return { status: last?.status ?? '', code: (last?.outputData['error'] as { code?: string } | undefined)?.code };
}

beforeAll(async () => {
  redisServer = await startRedis();
  world = await createWorld('leaks', { redisUrl: redisServer.url });
  folder = await mkdtemp(join(tmpdir(), 'leaks-'));
  Object.assign(secrets, await prepareAws(world, folder));
  Object.assign(secrets, {
    'old encryption key': OLD_KEYS.slice(4),
    'new encryption key': encryptionKeys('new').slice(4),
  });

  await writeByHand(world);
  await writeFile(join(folder, 'manifest.yaml'), MANIFEST);
  expect((await runCommand(['apply', '-f', join(folder, 'manifest.yaml')], OLD_KEYS)).code).toBe(0);

  const env = {
    ...world.env,
    ENCRYPTION_KEYS: OLD_KEYS,
    LOG_LEVEL: 'trace',
    SECRET_FILES_DIR: folder,
    ...references(),
  };
  admin = await startAdminServer(redisServer.url, env);
  worker = await world.startWorker(env);
  secrets['key of the first administrator'] = admin.adminKey.secret;
  secrets['token of the first administrator'] = admin.admin.token ?? '';
}, 120_000);

afterAll(async () => {
  await admin?.stop();
  await world?.close();
  await redisServer?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('a full run', () => {
  it('writes secrets through the API, and is refused what may not be written there', async () => {
    const put = (name: string, configuration: object) =>
      ask('POST', `/api/integrations/provider/${name}`, { configuration });
    expect((await put('key-api', asKey(keyOf('api').accessKeyId, keyOf('api').secretAccessKey))).status).toBe(200);
    expect((await put('role-api', asRole(roleOf('api').arn, roleOf('api').externalId))).status).toBe(200);
    const refused = secrets['key that the API is refused with'];
    const refusals = [
      { ...asKey('AKIA', refused ?? ''), region: 7 },
      { ...asKey('AKIA', refused ?? ''), awsAccountId: refused },
      { ...asRole(roleOf('api').arn, `${refused} !`) },
      { ...asKey('AKIA', `env:${refused}`) },
      { ...asKey('AKIA', `enc:v1:${refused}`) },
    ];
    for (const configuration of refusals) expect((await put('refused', configuration)).status).toBe(400);
    // Twice the same, with a mask.
    expect((await put('key-api', asKey(keyOf('api').accessKeyId, '********'))).status).toBe(200);
  });

  it('adds models and grants, which a new integration would not inherit', async () => {
    await writeGrants(world);
  });

  it('makes access keys and tokens, which are shown to whom they are for alone', async () => {
    const { body: application } = await ask('POST', '/api/applications', { name: 'leaks-token' });
    const { body: key } = await admin.admin.post(`/api/applications/${application.id}/accessKeys`);
    secrets['access key'] = key.secret;
    secrets['token of a task'] = await tokenFor(admin.client(), key, { audience: 'task' });
    secrets['token of the API'] = await tokenFor(admin.client(), key);
    const refusedToken = await ask('POST', '/api/token', { keyId: key.id, keySecret: `${key.secret}x` }, '');
    expect(refusedToken.status).toBe(401);
    await ask('POST', '/api/auth/authorization', {
      subject: { type: 'USER', id: `app:${application.id}` },
      target: { type: 'INTEGRATION_PROVIDER', id: 'own' },
      access: ['READ', 'EXECUTE'],
    });
    // A token that the API refuses: of another audience, and of nobody.
    for (const token of [secrets['token of a task'], `${secrets['token of the API']}x`]) {
      expect((await ask('GET', '/api/token/userInfo', undefined, token)).status).toBe(401);
    }
    const signing = await loadSigningKey({
      redis: world.redis,
      names: keyNames(world.prefix),
      keyring: parseKeyring(OLD_KEYS),
      trail: testTrail(keyNames(world.prefix)),
    });
    const { d } = signing.privateKey.export({ format: 'jwk' });
    secrets['private key of tokens'] =
      signing.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().split('\n')[1] ?? '';
    secrets['private key of tokens, as JWK'] = d ?? '';
  });

  it('runs tasks: successes by every way to a credential, denials, refusals of AWS', async () => {
    const good = ['own', ...WAYS.flatMap((way) => [`key-${way}`, `role-${way}`])];
    const ended = await Promise.all(good.map((provider) => runTask(task(provider))));
    expect(ended.map(({ status }) => status)).toEqual(good.map(() => 'COMPLETED'));
    const token = secrets['token of a task'];
    const others = await Promise.all([
      runTask(task('own', { accessToken: token }, 'token_good')),
      runTask(task('own', { accessToken: `${token}x` }, 'token_bad')),
      runTask(task('own', { accessToken: secrets['token of the API'] }, 'token_of_the_api')),
      runTask(task('key-bare', {}, 'denied_embed')),
      runTask(task('key-wrong')),
      runTask(task('role-wrong')),
      runTask(chat(CHAT)),
      runTask(chat(REFUSED)),
    ]);
    expect(others.map(({ status, code }) => code ?? status)).toEqual([
      'COMPLETED',
      'TOKEN_INVALID',
      'TOKEN_INVALID',
      'PERMISSION_DENIED',
      'CREDENTIALS_FAILED',
      'CREDENTIALS_FAILED',
      'COMPLETED',
      'CREDENTIALS_FAILED',
    ]);
  });

  it('tries prompts, and reads everything that the API shows', async () => {
    const asked = (llmProvider: string, model: string) => ({
      llmProvider,
      model,
      prompt: 'Say ${word}',
      promptVariables: { word: 'Hi' },
    });
    expect((await ask('POST', '/api/prompts/test', asked('own', CHAT))).status).toBe(200);
    expect((await ask('POST', '/api/prompts/test', asked('own', REFUSED))).status).toBe(424);
    await world.redis.hset(world.key('models'), `key-wrong:${CHAT}`, '{}', `role-wrong:${CHAT}`, '{}');
    for (const provider of ['key-wrong', 'role-wrong']) {
      await expect.poll(async () => (await ask('POST', '/api/prompts/test', asked(provider, CHAT))).status).toBe(424);
    }
    const { body: description } = await ask('GET', '/openapi.json');
    const { body: applications } = await ask('GET', '/api/applications');
    const ids: Readonly<Record<string, readonly string[]>> = {
      name: [...PROVIDERS, 'ADMIN'],
      provider: PROVIDERS,
      model: [EMBED],
      id: ['leaks', ...applications.map(({ id }: { id: string }) => id)],
    };
    let read = 0;
    for (const [path, methods] of Object.entries(description.paths as Record<string, object>)) {
      if (!('get' in methods)) continue;
      const parameters = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => name);
      const [first = '', second = ''] = parameters;
      for (const one of parameters.length === 0 ? [''] : (ids[first] ?? PROVIDERS)) {
        const filled = path
          .replace(`{${first}}`, encodeURIComponent(one))
          .replace(`{${second}}`, encodeURIComponent(ids[second]?.[0] ?? EMBED));
        if ((await ask('GET', filled.replaceAll(/\{\w+\}/g, 'x'))).status === 200) read += 1;
      }
    }
    expect(read).toBeGreaterThan(60);
  });

  it('ends with a look by every command, before and after the keys are rotated', async () => {
    bareDump = await dump();
    const looks = [
      ['check', '--output', 'json'],
      ['check'],
      ['apply', '-f', join(folder, 'manifest.yaml'), '--dry-run', '--output', 'json'],
      ['apply', '-f', join(folder, 'manifest.yaml'), '--prune', '--dry-run'],
      ['can', 'app:leaks', 'key-bare', '--output', 'json'],
      ['export'],
      ['audit', '--output', 'json'],
      ['secrets', 'rotate', '--dry-run'],
    ];
    for (const args of looks) await runCommand(args, OLD_KEYS);
    const rotated = await runCommand(['secrets', 'rotate', '--output', 'json'], NEW_KEYS);
    expect([rotated.code, JSON.parse(rotated.stdout).counts]).toMatchObject([0, { sealed: 2, failed: 0 }]);
    for (const args of looks) await runCommand(args, NEW_KEYS);
    surfaces['command again: secrets rotate'] = (await runCommand(['secrets', 'rotate'], NEW_KEYS)).stdout;

    for (const path of ['/metrics', '/readyz', '/healthz'])
      surfaces[`worker's ${path}`] = (await worker.get(path)).body;
    for (const path of ['/metrics', '/readyz', '/healthz', '/docs', '/docs/json']) await ask('GET', path);
    await worker.cli.stop(20_000);
    await admin.cli.stop();
    surfaces['log of the worker'] = (await worker.cli.stdout()) + (await worker.cli.stderr());
    surfaces['log of the admin'] = (await admin.cli.stdout()) + (await admin.cli.stderr());
    surfaces['answers of the API'] = answers.join('\n');
    surfaces['dump of Redis'] = await dump();
    expect(surfaces['log of the worker']).toContain('"level":"debug"');
    expect(surfaces['dump of Redis']).toContain('run:denials');
  }, 240_000);
});

describe('everything that can be seen of it', () => {
  it('holds no secret and no token, in no form', () => {
    expect(Object.keys(secrets).length).toBeGreaterThan(20);
    expect(findLeaks(surfaces, secrets)).toEqual([]);
  });

  it('holds no account id but in the records of administrators', () => {
    // What an administrator wrote is where administrators look: nowhere else.
    const isTheirs = (name: string) => /^(dump of Redis|answers of the API|command )/.test(name);
    const all = Object.fromEntries(
      Object.entries(surfaces).map(([name, text]) => [name, isTheirs(name) ? cleaned(text) : text]),
    );
    expect(findLeaks(all, accounts)).toEqual([]);
  });

  it('held bare secrets in Redis until the rotation, which this search finds', () => {
    const found = findLeaks({ dump: bareDump }, secrets).map(({ secret }) => secret);
    expect(found.sort()).toEqual(['access key, bare', 'external id, bare']);
  });
});
