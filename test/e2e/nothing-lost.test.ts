import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { TaskState } from '../../devservers/conductor-api.ts';
import type { Server } from '../../devservers/server.ts';
import { startConductorOnRedis } from '../support/conductor-on-redis.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

/** A chat model: each task is a call of its own, where texts to embed would share one. */
const CHAT = 'amazon.nova-micro-v1:0';

/** Its own: another file's workers would register definitions for task names that are to have none. */
let conductor: Server;
let world: World;
let redisProxy: TcpProxy;
let conductorProxy: TcpProxy;
const running: RunningWorker[] = [];

beforeAll(async () => {
  conductor = await startConductorOnRedis();
  world = await createWorld('lost', { conductorUrl: conductor.url });
  const redis = new URL(inject('redisUrl'));
  redisProxy = await startTcpProxy({ host: redis.hostname, port: Number(redis.port) });
  conductorProxy = await startTcpProxy({ host: '127.0.0.1', port: conductor.port });
  await world.redis.hset(
    world.key('integrations'),
    'main',
    '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  await world.redis.hset(world.key('models'), `main:${CHAT}`, '{}');
  await world.redis.hset(world.key('applications'), 'lost', '{"workflows":["lost_*"]}');
  await world.redis.hset(world.key('grants:USER:app:lost'), 'INTEGRATION_PROVIDER:main', 'EXECUTE');
});
beforeEach(async () => {
  await world.control('reset');
  await world.control('calls', undefined, 'DELETE');
});
afterEach(async () => {
  await redisProxy.mend();
  await conductorProxy.mend();
  conductorProxy.delay(0);
  for (const { cli } of running.splice(0)) if (cli.exit() === undefined) await cli.stop(20_000);
});
afterAll(async () => {
  await world?.close();
  await redisProxy?.close();
  await conductorProxy?.close();
  await conductor?.stop();
});

async function startWorker(env: NodeJS.ProcessEnv = {}): Promise<RunningWorker> {
  const worker = await world.startWorker({ REGISTER_TASK_DEFINITIONS: 'none', ...env });
  running.push(worker);
  return worker;
}

const task = (workflow: string, more: object = {}) => ({
  workflow: `lost_${workflow}`,
  type: 'LLM_TEXT_COMPLETE' as const,
  name: `odd_name_${workflow}`,
  input: { llmProvider: 'main', model: CHAT, prompt: 'Hi', maxTokens: 50 },
  ...more,
});

async function startMany(name: string, count: number): Promise<string[]> {
  const first = await world.startTask(task(name));
  const options = { taskToDomain: { '*': world.env['TASK_DOMAIN'] ?? '' } };
  const more = Array.from({ length: count - 1 }, () =>
    world.conductor.startWorkflow(`lost_${name}`, task(name).input, options),
  );
  return [first, ...(await Promise.all(more))];
}

const inFlight = async (): Promise<number> => (await world.calls()).models[CHAT]?.inFlight ?? 0;
const statuses = (workflows: readonly string[]) =>
  Promise.all(workflows.map(async (id) => (await world.conductor.waitForWorkflow(id)).status));

describe('a worker that is killed', () => {
  it('has all its tasks finished by another within 30 s, although no definition protects their name', async () => {
    const dying = await startWorker();
    await world.control('latency', { model: CHAT, ms: 60_000 });
    const workflows = await startMany('killed', 30);
    await expect.poll(inFlight, { timeout: 20_000 }).toBe(30);
    const rescuer = await startWorker();
    await world.control('latency', { model: CHAT, ms: 100 });
    dying.cli.kill('SIGKILL');
    // `waitForWorkflow` gives up after 30 s: that is the promise.
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
    expect((await world.calls()).totals.succeeded).toBe(30);
    expect(await rescuer.cli.lines()).toContainEqual(expect.stringContaining('dead'));
  });

  it('loses no task that it was handed in an answer it never read', async () => {
    const late = { CONDUCTOR_SERVER_URL: `http://127.0.0.1:${conductorProxy.port}`, WORKER_ID: 'dying' };
    const dying = await startWorker(late);
    await startWorker();
    conductorProxy.delay(3_000);
    const workflows: string[] = [];
    let unread: TaskState | undefined;
    while (unread === undefined) {
      const more = await startMany('unread', 3);
      workflows.push(...more);
      await sleep(200);
      const found = await Promise.all(more.map((id) => world.conductor.getWorkflow(id)));
      const isUnread = ({ status, workerId }: TaskState) => status === 'IN_PROGRESS' && workerId?.startsWith('dying/');
      unread = found.flatMap(({ tasks }) => tasks).find(isUnread);
    }
    dying.cli.kill('SIGKILL');
    await dying.cli.exited;
    expect(await world.redis.exists(world.key(`run:claim:${unread.taskId}`))).toBe(0);
    // `waitForWorkflow` gives up after 30 s: that is the promise.
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
    const given = (await world.conductor.call('GET', `/tasks/${unread.taskId}`)) as TaskState;
    expect(given.pollCount).toBe(2);
    expect(given.workerId).not.toMatch(/^dying/);
  }, 120_000);
});

describe('a Conductor that is away when the model answers', () => {
  it('costs no second call, even where the task was tried again under another id meanwhile', async () => {
    await world.conductor.registerTaskDef({
      name: 'odd_name_away',
      retryCount: 5,
      retryDelaySeconds: 1,
      retryLogic: 'FIXED',
      responseTimeoutSeconds: 5,
      timeoutSeconds: 0,
      timeoutPolicy: 'RETRY',
    });
    await startWorker({ CONDUCTOR_SERVER_URL: `http://127.0.0.1:${conductorProxy.port}` });
    await world.control('latency', { model: CHAT, ms: 1_500 });
    const workflow = await world.startTask(task('away'));
    await expect.poll(inFlight, { timeout: 20_000 }).toBe(1);
    await conductorProxy.cut();
    await expect.poll(async () => (await world.calls()).totals.succeeded, { timeout: 10_000 }).toBe(1);
    // The response timeout has made another task of it.
    await world.conductor.waitForWorkflow(workflow, ({ tasks }) => tasks.length > 1, 40_000);
    await conductorProxy.mend();
    const ended = await world.conductor.waitForWorkflow(workflow, undefined, 40_000);
    expect(ended.status).toBe('COMPLETED');
    expect(ended.tasks.at(-1)?.outputData['result']).toEqual(expect.any(String));
    expect((await world.calls()).totals.calls).toBe(1);
  }, 120_000);

  it('gets the answer from another worker where the one that had it was killed', async () => {
    const dying = await startWorker({ CONDUCTOR_SERVER_URL: `http://127.0.0.1:${conductorProxy.port}` });
    await world.control('latency', { model: CHAT, ms: 1_000 });
    const workflow = await world.startTask(task('orphan'));
    await expect.poll(inFlight, { timeout: 20_000 }).toBe(1);
    await conductorProxy.cut();
    await expect.poll(async () => (await world.calls()).totals.succeeded, { timeout: 10_000 }).toBe(1);
    const [{ taskId } = { taskId: '' }] = (await world.conductor.getWorkflow(workflow)).tasks;
    const isKept = () => world.redis.exists(world.key(`run:answer:${taskId}`));
    await expect.poll(isKept, { timeout: 10_000 }).toBe(1);
    dying.cli.kill('SIGKILL');
    await startWorker();
    expect((await world.conductor.waitForWorkflow(workflow)).status).toBe('COMPLETED');
    expect((await world.calls()).totals.calls).toBe(1);
    await expect.poll(isKept, { timeout: 10_000 }).toBe(0);
  });
});

describe('a task that is over when its answer comes', () => {
  it('is left alone, and nobody is alarmed', async () => {
    const worker = await startWorker();
    await world.control('latency', { model: CHAT, ms: 1_000 });
    const workflow = await world.startTask(task('over'));
    await expect.poll(inFlight, { timeout: 20_000 }).toBe(1);
    await world.conductor.call('DELETE', `/workflow/${workflow}?reason=enough`);
    await expect.poll(async () => (await world.calls()).totals.succeeded, { timeout: 10_000 }).toBe(1);
    await expect.poll(async () => (await worker.cli.lines()).join('\n')).toContain('A task ended');
    expect((await worker.cli.stop(20_000)).code).toBe(0);
    expect((await worker.cli.lines()).filter((line) => /"level":"(warn|error)"/.test(line))).toEqual([]);
    expect((await world.conductor.getWorkflow(workflow)).status).toBe('TERMINATED');
  });
});

describe('while Redis is away', () => {
  it('no call is made that is on no ledger, and all are made once it is back', async () => {
    await startWorker({ REDIS_URL: `redis://127.0.0.1:${redisProxy.port}` });
    await redisProxy.cut();
    const workflows = await startMany('redis', 5);
    await sleep(3_000);
    expect((await world.calls()).totals.calls).toBe(0);
    await redisProxy.mend();
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
    expect((await world.calls()).totals.calls).toBe(5);
  });
});

describe('a worker that is stopped for a while, as by a debugger or a frozen machine', () => {
  it('finds its waiting tasks in other hands, and lets them be', async () => {
    await world.redis.hset(
      world.key('models'),
      `main:${CHAT}`,
      JSON.stringify({ configuration: { maxConcurrencyPerWorker: 1 } }),
    );
    await world.control('latency', { model: CHAT, ms: 2_000 });
    const frozen = await startWorker();
    // One runs, one waits behind it.
    const workflows = await startMany('frozen', 2);
    await expect.poll(inFlight, { timeout: 20_000 }).toBe(1);
    frozen.cli.kill('SIGSTOP');
    await startWorker();
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
    const before = (await world.calls()).totals.calls;
    frozen.cli.kill('SIGCONT');
    await expect
      .poll(async () => (await frozen.cli.lines()).join('\n'), { timeout: 20_000 })
      .toContain('goes on under a new name');
    await sleep(3_000);
    // The one whose call ran when it was frozen was called again by the other; the one that waited, once.
    expect(before).toBe(3);
    expect((await world.calls()).totals.calls).toBe(before);
    await world.redis.hset(world.key('models'), `main:${CHAT}`, '{}');
  }, 90_000);
});
