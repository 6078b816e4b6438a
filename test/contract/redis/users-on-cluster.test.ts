import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Server } from '../../../devservers/server.ts';
import { parseConfig } from '../../../src/config.ts';
import { openConnection, RUNTIME_CONNECTION } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { aclRules, redisUser, USER_ROLES, type UserRole } from '../../../src/redis/users.ts';
import { startWorker } from '../../../src/workers/worker.ts';
import { runCli } from '../../support/cli.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { startStubConductor } from '../../workers/support/stub-conductor.ts';
import { capturedLog, INTEGRATION } from '../support/live-catalog.ts';
import { startOneNodeCluster } from '../support/one-node-cluster.ts';

const PREFIX = '{cohere}:';
const names = keyNames(PREFIX);
let server: Server;
let node: Redis;
const sent = new Set<string>();

beforeAll(async () => {
  server = await startOneNodeCluster();
  node = new Redis(server.url);
  for (const role of USER_ROLES) {
    const rules = aclRules(redisUser(role, { prefix: PREFIX, cluster: true }));
    await node.call('ACL', 'SETUSER', `cohere-${role}`, '>sesame', ...rules);
  }
  const monitor = await node.duplicate().monitor();
  monitor.on('monitor', (_: string, [name = '', first = '']: string[]) => {
    sent.add(name.toLowerCase() === 'cluster' ? `cluster|${first.toLowerCase()}` : name.toLowerCase());
  });
  stopListening = () => monitor.disconnect();
});
let stopListening = (): void => undefined;
afterAll(async () => {
  stopListening();
  node?.disconnect();
  await server?.stop();
});

const environment = (role: UserRole) => ({
  REDIS_URL: `redis+cluster://cohere-${role}:sesame@127.0.0.1:${server.port}`,
  REDIS_PREFIX: PREFIX,
  ENCRYPTION_KEYS: encryptionKeys('k1'),
});

it('on a Cluster commands, too, do with the rights of their users', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-cluster-'));
  const file = join(folder, 'manifest.yaml');
  await writeFile(file, 'users: { alice: {} }\ngroups: { analysts: { members: [alice] } }');
  const applied = await runCli(['apply', '-f', file], environment('operator'));
  expect(applied, applied.stderr).toMatchObject({ code: 0 });
  const denied = await runCli(['can', 'alice', 'main'], environment('viewer'));
  expect(denied, denied.stderr).toMatchObject({ code: 1 });
  const made = await runCli(['bootstrap'], environment('admin'));
  expect(made, made.stderr).toMatchObject({ code: 0 });
  expect(await node.call('ACL', 'LOG')).toEqual([]);
  await rm(folder, { recursive: true });
});

it('on a Cluster a worker does with the rights of its user, and reads large keys under WATCH', async () => {
  const models = Array.from({ length: 700 }, (_, index) => [`main:model-${index}`, '{}']).flat();
  await node.hset(names.hash('models'), ...models);
  await node.hset(names.hash('integrations'), 'main', INTEGRATION);
  const stub = await startStubConductor();
  await using _ = stub;
  const config = parseConfig({
    ...environment('worker'),
    CONDUCTOR_SERVER_URL: stub.apiUrl,
    HTTP_PORT: '0',
    REGISTER_TASK_DEFINITIONS: 'none',
  });
  const { log } = capturedLog();
  const redis = openConnection(config.redis, 'catalog', log);
  const runtime = openConnection(config.redis, 'runtime', log, RUNTIME_CONNECTION);
  sent.clear();
  const worker = await startWorker({ config, log, redis, runtime, ears: undefined, variables: {} });
  const readiness = async () => (await fetch(`http://127.0.0.1:${worker.httpPort}/readyz`)).status;
  await expect.poll(readiness, { timeout: 10_000 }).toBe(200);
  expect(await worker.stop()).toBe(true);
  for (const command of ['cluster|slots', 'cluster|info', 'watch', 'multi', 'exec', 'exists']) {
    expect(sent).toContain(command);
  }
  expect(await node.call('ACL', 'LOG')).toEqual([]);
});
