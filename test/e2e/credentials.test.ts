import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROLE } from '../../simulator/known.ts';
import { createWorld, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';
const FIRST = { accessKeyId: 'AKIAROTATION00000001', secretAccessKey: 'the-first-secret-of-the-rotation' };
const SECOND = { accessKeyId: 'AKIAROTATION00000002', secretAccessKey: 'the-second-secret-of-the-rotation' };

let world: World;
let folder: string;

beforeAll(async () => {
  world = await createWorld('credentials');
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  await writeFile(join(folder, 'aws-credentials'), profile(FIRST));
  await writeFile(join(folder, 'api-key'), FIRST.secretAccessKey);
  await world.control('credentials', FIRST);
  const integration = (configuration: object) =>
    JSON.stringify({ type: 'aws_bedrock_cohere', configuration: { region: 'us-east-1', ...configuration } });
  await world.redis.hset(world.key('integrations'), {
    role: integration({ connectionType: 'EXTERNAL_ROLE', roleArn: ROLE.arn, externalId: ROLE.externalId }),
    chain: integration({ connectionType: 'CONDUCTOR_ROLE' }),
    key: integration({ connectionType: 'ACCESS_KEY', user: FIRST.accessKeyId, api_key: 'file:api-key' }),
  });
  await world.redis.hset(
    world.key('models'),
    Object.fromEntries(['role', 'chain', 'key'].map((name) => [`${name}:${EMBED}`, '{}'])),
  );
  await world.redis.hset(world.key('applications'), 'credentials', '{"workflows":["credentials_*"]}');
  await world.redis.hset(
    world.key('grants:USER:app:credentials'),
    Object.fromEntries(['role', 'chain', 'key'].map((name) => [`INTEGRATION_PROVIDER:${name}`, 'EXECUTE'])),
  );
  // No keys in the environment: the default chain finds the file.
  await world.startWorker({
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'aws-credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    SECRET_FILES_DIR: folder,
  });
});

afterAll(async () => {
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

function profile({ accessKeyId, secretAccessKey }: typeof FIRST): string {
  return `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
}

const embed = (provider: string) => ({
  workflow: `credentials_${provider}`,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: provider, model: EMBED, text: 'Hi' },
});

it('credentials of a role that expire every two seconds are refreshed ahead: no call is ever refused', async () => {
  await world.control('sts', { lifetimeMs: 2_000 });
  await world.control('calls', undefined, 'DELETE');
  const until = performance.now() + 5_000;
  while (performance.now() < until) {
    expect((await world.runTask(embed('role'))).task.status).toBe('COMPLETED');
    await sleep(50);
  }
  const { calls } = await world.calls();
  const invocations = calls.filter(({ operation }) => operation === 'InvokeModel');
  expect(invocations.every(({ status }) => status === 200)).toBe(true);
  expect(new Set(invocations.map(({ accessKeyId }) => accessKeyId)).size).toBeGreaterThan(2);
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
