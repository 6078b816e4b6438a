import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROLE } from '../../simulator/known.ts';
import { type SecretField, secretPlace } from '../../src/integrations/secrets/secret-fields.ts';
import { seal } from '../../src/secrets/envelope.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';
import { encryptionKeys } from '../support/encryption-keys.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';
const FIRST = { accessKeyId: 'AKIAROTATION00000001', secretAccessKey: 'the-first-secret-of-the-rotation' };
const SECOND = { accessKeyId: 'AKIAROTATION00000002', secretAccessKey: 'the-second-secret-of-the-rotation' };
const SEALED = { accessKeyId: 'AKIASEALED0000000001', secretAccessKey: 'a-nightingale-that-may-sing-nowhere' };
const SEALED_ROLE = { arn: 'arn:aws:iam::111122223333:role/sealed', externalId: 'an-external-nightingale' };
const PROVIDERS = ['role', 'chain', 'key', 'sealed', 'sealed-role', 'sealed-wrong', 'moved', 'lost'];

let world: World;
let worker: RunningWorker;
let folder: string;

beforeAll(async () => {
  world = await createWorld('credentials');
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  await writeFile(join(folder, 'aws-credentials'), profile(FIRST));
  await writeFile(join(folder, 'api-key'), FIRST.secretAccessKey);
  await world.control('credentials', FIRST);
  await world.control('credentials', SEALED);
  await world.control('roles', SEALED_ROLE);
  const integration = (configuration: object) =>
    JSON.stringify({ type: 'aws_bedrock_cohere', configuration: { region: 'us-east-1', ...configuration } });
  await world.redis.hset(world.key('integrations'), {
    role: integration({ connectionType: 'EXTERNAL_ROLE', roleArn: ROLE.arn, externalId: ROLE.externalId }),
    chain: integration({ connectionType: 'CONDUCTOR_ROLE' }),
    key: integration({ connectionType: 'ACCESS_KEY', user: FIRST.accessKeyId, api_key: 'file:api-key' }),
    sealed: integration({ ...ACCESS_KEY, api_key: sealed('sealed', 'api_key', SEALED.secretAccessKey) }),
    lost: integration({ ...ACCESS_KEY, api_key: sealed('lost', 'api_key', SEALED.secretAccessKey, 'gone') }),
    moved: integration({ ...ACCESS_KEY, api_key: sealed('sealed', 'api_key', SEALED.secretAccessKey) }),
    'sealed-role': integration({
      connectionType: 'EXTERNAL_ROLE',
      roleArn: SEALED_ROLE.arn,
      externalId: sealed('sealed-role', 'externalId', SEALED_ROLE.externalId),
    }),
    'sealed-wrong': integration({ ...ACCESS_KEY, api_key: sealed('sealed-wrong', 'api_key', 'a-wrong-nightingale') }),
  });
  await world.redis.hset(world.key('models'), Object.fromEntries(PROVIDERS.map((name) => [`${name}:${EMBED}`, '{}'])));
  await world.redis.hset(world.key('applications'), 'credentials', '{"workflows":["credentials_*"]}');
  await world.redis.hset(
    world.key('grants:USER:app:credentials'),
    Object.fromEntries(PROVIDERS.map((name) => [`INTEGRATION_PROVIDER:${name}`, 'EXECUTE'])),
  );
  // No keys in the environment: the default chain finds the file.
  worker = await world.startWorker({
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'aws-credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    SECRET_FILES_DIR: folder,
    ENCRYPTION_KEYS: encryptionKeys('new', 'old'),
  });
});

afterAll(async () => {
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

const ACCESS_KEY = { connectionType: 'ACCESS_KEY', user: SEALED.accessKeyId };

function sealed(integration: string, field: SecretField, secret: string, keyId = 'old'): string {
  return seal(secret, secretPlace(integration, field), parseKeyring(encryptionKeys(keyId)));
}

function profile({ accessKeyId, secretAccessKey }: typeof FIRST): string {
  return `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
}

const embed = (provider: string) => ({
  workflow: `credentials_${provider.replace('-', '_')}`,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: provider, model: EMBED, text: 'Hi' },
});

it('credentials of a role that expire every ten seconds are refreshed ahead: no call is ever refused', async () => {
  // A fifth of it is the time that a call may take on a busy machine from its signature to its answer.
  await world.control('sts', { lifetimeMs: 10_000 });
  await world.control('calls', undefined, 'DELETE');
  const invocations = async () => (await world.calls()).calls.filter(({ operation }) => operation === 'InvokeModel');
  while (new Set((await invocations()).map(({ accessKeyId }) => accessKeyId)).size < 3) {
    expect((await world.runTask(embed('role'))).task.status).toBe('COMPLETED');
    await sleep(100);
  }
  expect((await invocations()).filter(({ status }) => status !== 200)).toEqual([]);
  await world.control('sts', {});
});

it('keys that were replaced take effect with no restart', async () => {
  for (const provider of ['chain', 'key']) expect((await world.runTask(embed(provider))).task.status).toBe('COMPLETED');
  // Longer than the time in which a refusal is not worth another look at the source.
  await sleep(5_100);
  await world.control('credentials', SECOND);
  await world.control('credentials', { revoke: FIRST.accessKeyId });
  await writeFile(join(folder, 'aws-credentials'), profile(SECOND));
  await writeFile(join(folder, 'api-key'), SECOND.secretAccessKey);
  await world.redis.hset(
    world.key('integrations'),
    'key',
    JSON.stringify({
      type: 'aws_bedrock_cohere',
      configuration: {
        region: 'us-east-1',
        connectionType: 'ACCESS_KEY',
        user: SECOND.accessKeyId,
        api_key: 'file:api-key',
      },
    }),
  );
  for (const provider of ['chain', 'key', 'role']) {
    expect((await world.runTask(embed(provider))).task.status, provider).toBe('COMPLETED');
  }
});

it('a secret that does not open refuses the tasks of its own integration, and no others', async () => {
  for (const provider of ['sealed', 'sealed-role']) {
    const { task } = await world.runTask(embed(provider));
    expect(task.status, JSON.stringify(task.outputData)).toBe('COMPLETED');
  }
  for (const [provider, reason] of [
    ['lost', /integration lost, configuration\.api_key: .*the key "gone", which ENCRYPTION_KEYS does not have; give/],
    ['moved', /integration moved, configuration\.api_key: .*sealed for another record or field; write the secret anew/],
  ] as const) {
    const { task } = await world.runTask(embed(provider));
    expect(task.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    expect(task.outputData['error']).toMatchObject({ code: 'SECRET_UNAVAILABLE', field: 'configuration.api_key' });
    expect(task.reasonForIncompletion).toMatch(reason);
  }
  expect((await world.runTask(embed('sealed'))).task.status).toBe('COMPLETED');
});

it('a sealed secret is nowhere in clear: not in the log, the workflow or Redis, not even where AWS refuses it', async () => {
  const { calls } = await world.calls();
  expect(calls.filter(({ accessKeyId, status }) => accessKeyId === SEALED.accessKeyId && status === 200)).not.toEqual(
    [],
  );
  const wrong = await world.runTask(embed('sealed-wrong'));
  expect(wrong.task.outputData['error']).toMatchObject({ code: 'CREDENTIALS_FAILED' });
  const others = await Promise.all(['sealed', 'sealed-role', 'lost'].map((provider) => world.runTask(embed(provider))));
  const [stdout, stderr] = [await worker.cli.stdout(), await worker.cli.stderr()];
  expect(stdout).toContain('"level":"debug"');
  const everywhere = [stdout, stderr, JSON.stringify([wrong, ...others]), await everythingInRedis()];
  for (const text of everywhere) expect(text).not.toMatch(/nightingale/);
});

async function everythingInRedis(): Promise<string> {
  const read: Record<string, (key: string) => Promise<unknown>> = {
    hash: (key) => world.redis.hgetall(key),
    string: (key) => world.redis.get(key),
    set: (key) => world.redis.smembers(key),
    zset: (key) => world.redis.zrange(key, 0, '-1'),
    stream: (key) => world.redis.xrange(key, '-', '+'),
  };
  const keys = await world.redis.keys(`${world.prefix}*`);
  const contents = await Promise.all(keys.map(async (key) => [key, await read[await world.redis.type(key)]?.(key)]));
  expect(keys).toContain(world.key('integrations'));
  return JSON.stringify(contents);
}
