import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';

let world: World;
let redisProxy: TcpProxy;
let conductorProxy: TcpProxy;
let worker: RunningWorker;

beforeAll(async () => {
  world = await createWorld('outage');
  const redis = new URL(inject('redisUrl'));
  const conductor = new URL(inject('conductorUrl'));
  redisProxy = await startTcpProxy({ host: redis.hostname, port: Number(redis.port) });
  conductorProxy = await startTcpProxy({ host: conductor.hostname, port: Number(conductor.port) });
  await world.redis.hset(
    world.key('integrations'),
    'main',
    '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  await world.redis.hset(world.key('models'), `main:${EMBED}`, '{}');
  await world.redis.hset(world.key('applications'), 'outage', '{"workflows":["outage_*"]}');
  await world.redis.hset(world.key('grants:USER:app:outage'), 'INTEGRATION_PROVIDER:main', 'EXECUTE');
});

beforeEach(() => world.control('calls', undefined, 'DELETE'));
afterEach(async () => {
  await worker.cli.stop(20_000);
  await redisProxy.mend();
  await conductorProxy.mend();
});
afterAll(async () => {
  await world?.close();
  await redisProxy?.close();
  await conductorProxy?.close();
});

const behindProxies = () => ({
  REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
  CONDUCTOR_SERVER_URL: `http://127.0.0.1:${conductorProxy.port}`,
});
const embed = (workflow: string) => ({
  workflow: `outage_${workflow}`,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: 'main', model: EMBED, text: 'Hi' },
});
const warnings = async () => (await worker.cli.lines()).filter((line) => line.includes('"level":"warn"'));
const readiness = () => worker.get('/readyz');

it('starts while Redis and Conductor are away, says so, and goes on by itself when they come', async () => {
  await redisProxy.cut();
  await conductorProxy.cut();
  worker = await world.startWorker(behindProxies(), { awaitReady: false });
  await expect.poll(async () => (await readiness().catch(() => undefined))?.status, { timeout: 10_000 }).toBe(503);
  await expect.poll(warnings, { timeout: 10_000 }).toContainEqual(expect.stringContaining('Redis does not answer'));
  await expect.poll(warnings, { timeout: 10_000 }).toContainEqual(expect.stringContaining('Conductor cannot be'));
  expect((await worker.get('/healthz')).status).toBe(200);

  await redisProxy.mend();
  await conductorProxy.mend();
  await expect.poll(async () => (await readiness()).status, { timeout: 30_000 }).toBe(200);
  expect((await world.runTask(embed('late'))).task.status).toBe('COMPLETED');
});

it('an answer found while Conductor is away is handed over when it is back, without a second call', async () => {
  worker = await world.startWorker(behindProxies());
  await world.control('latency', { model: EMBED, ms: 1_500 });
  const workflow = await world.startTask(embed('handover'));
  await expect.poll(async () => (await world.calls()).totals.inFlight).toBe(1);
  await conductorProxy.cut();
  await expect.poll(async () => (await world.calls()).totals.succeeded, { timeout: 10_000 }).toBe(1);
  await expect.poll(async () => (await readiness()).body, { timeout: 10_000 }).toContain('Conductor does not answer');
  await expect.poll(warnings, { timeout: 10_000 }).toContainEqual(expect.stringContaining('did not take the outcome'));
  expect((await world.conductor.getWorkflow(workflow)).status).toBe('RUNNING');

  await conductorProxy.mend();
  expect((await world.conductor.waitForWorkflow(workflow)).status).toBe('COMPLETED');
  expect((await world.calls()).totals.calls).toBe(1);
  await expect.poll(async () => (await readiness()).status, { timeout: 20_000 }).toBe(200);
  await world.control('latency', { model: EMBED, ms: 0 });
});

it('takes no tasks when Redis has been away for ten seconds, and again once it is back', async () => {
  worker = await world.startWorker(behindProxies());
  expect((await world.runTask(embed('before'))).task.status).toBe('COMPLETED');
  await redisProxy.cut();
  await expect
    .poll(async () => (await readiness()).body, { timeout: 20_000 })
    .toMatch(/Redis (has been away|does not answer)/);
  const waiting = await world.startTask(embed('waiting'));
  await world.redis.hdel(world.key('grants:USER:app:outage'), 'INTEGRATION_PROVIDER:main');

  await redisProxy.mend();
  // The right was revoked while nobody listened: it must not be decided on what was known before.
  const ended = await world.conductor.waitForWorkflow(waiting);
  expect(ended.tasks[0]?.outputData['error']).toMatchObject({ code: 'PERMISSION_DENIED' });
  await expect.poll(async () => (await readiness()).status, { timeout: 20_000 }).toBe(200);
});
