import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../../devservers/server.ts';
import { startConductorOnRedis } from '../support/conductor-on-redis.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

/** A chat model: each task is a call of its own, where texts to embed would share one. */
const CHAT = 'amazon.nova-micro-v1:0';

/** Its own: the definitions of the common names, which are changed here, would be those of other files' tasks, too. */
let conductor: Server;
let world: World;

beforeAll(async () => {
  conductor = await startConductorOnRedis();
  world = await createWorld('life', { conductorUrl: conductor.url });
  await seed();
});
afterAll(async () => {
  await world?.close();
  await conductor?.stop();
});

const running: RunningWorker[] = [];
async function startWorker(env: NodeJS.ProcessEnv = {}, options?: { awaitReady: boolean }): Promise<RunningWorker> {
  const worker = await world.startWorker(env, options);
  running.push(worker);
  return worker;
}
beforeEach(async () => {
  await world.control('reset');
  await world.control('calls', undefined, 'DELETE');
});
afterEach(async () => {
  for (const { cli } of running.splice(0)) if (cli.exit() === undefined) await cli.stop(20_000);
});

async function seed(limits: object = {}): Promise<void> {
  await world.redis.hset(
    world.key('integrations'),
    'life',
    '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  await world.redis.hset(world.key('models'), `life:${CHAT}`, JSON.stringify({ configuration: limits }));
  await world.redis.hset(world.key('applications'), 'life', '{"workflows":["life_*"]}');
  await world.redis.hset(world.key('grants:USER:app:life'), 'INTEGRATION_PROVIDER:life', 'EXECUTE');
}

const ask = (workflow: string, more: object = {}) => ({
  workflow: `life_${workflow}`,
  type: 'LLM_TEXT_COMPLETE' as const,
  input: { llmProvider: 'life', model: CHAT, prompt: 'Hi', maxTokens: 50 },
  ...more,
});

/** One definition, many runs of it: registering each anew would be slower than the tasks. */
async function startMany(name: string, count: number): Promise<string[]> {
  const first = await world.startTask(ask(name));
  const more = Array.from({ length: count - 1 }, () =>
    world.conductor.startWorkflow(`life_${name}`, ask(name).input, {
      taskToDomain: { '*': world.env['TASK_DOMAIN'] ?? '' },
    }),
  );
  return [first, ...(await Promise.all(more))];
}

async function statuses(workflows: readonly string[]): Promise<string[]> {
  return await Promise.all(workflows.map(async (id) => (await world.conductor.waitForWorkflow(id)).status));
}

const inFlight = async (): Promise<number> => (await world.calls()).models[CHAT]?.inFlight ?? 0;

describe('on SIGTERM', () => {
  it('with 50 tasks running and time enough, finishes them all, each called once', async () => {
    await world.control('latency', { model: CHAT, ms: 1_500 });
    const worker = await startWorker();
    const workflows = await startMany('finish', 50);
    await expect.poll(inFlight, { timeout: 10_000 }).toBe(50);
    const exit = await worker.cli.stop(20_000);
    expect(exit).toMatchObject({ code: 0 });
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
    expect((await world.calls()).totals).toMatchObject({ calls: 50, succeeded: 50 });
  });

  it('with 50 tasks running and no time, gives them back, and another worker loses none', async () => {
    await world.control('latency', { model: CHAT, ms: 60_000 });
    const worker = await startWorker({ DRAIN_TIMEOUT_MS: '300' });
    const workflows = await startMany('giveback', 50);
    await expect.poll(inFlight, { timeout: 10_000 }).toBe(50);
    const exit = await worker.cli.stop(20_000);
    expect(exit).toMatchObject({ code: 0 });
    await world.control('latency', { model: CHAT, ms: 0 });
    const tasks = (await Promise.all(workflows.map((id) => world.conductor.getWorkflow(id)))).map(({ tasks }) => tasks);
    expect(tasks.every(([task]) => task?.status === 'SCHEDULED' && task.retryCount === 0)).toBe(true);

    await startWorker();
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
    expect((await world.calls()).totals.succeeded).toBe(50);
  });

  it('gives back at once what only waits in a lane', async () => {
    await seed({ maxConcurrencyPerWorker: 1 });
    await world.control('latency', { model: CHAT, ms: 3_000 });
    const worker = await startWorker();
    const workflows = await startMany('waiting', 10);
    await expect.poll(inFlight, { timeout: 10_000 }).toBe(1);
    await expect.poll(async () => (await worker.get('/metrics')).body).toMatch(/lane_calls\{.*state="waiting"\} [1-9]/);
    expect(await worker.cli.stop(20_000)).toMatchObject({ code: 0 });
    // One ended within the drain; the other nine never called anybody.
    expect((await world.calls()).totals).toMatchObject({ calls: 1, succeeded: 1 });

    await seed();
    await world.control('latency', { model: CHAT, ms: 0 });
    await startWorker();
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
  });

  it('ends during the start, too, while Redis and Conductor are away', async () => {
    const away = { REDIS_URL: 'redis://127.0.0.1:1', CONDUCTOR_SERVER_URL: 'http://127.0.0.1:1' };
    const worker = await startWorker(away, { awaitReady: false });
    await expect
      .poll(async () => (await worker.get('/healthz').catch(() => undefined))?.status, { timeout: 10_000 })
      .toBe(200);
    const readiness = await worker.get('/readyz');
    expect(readiness.status).toBe(503);
    expect(await worker.cli.stop(20_000)).toMatchObject({ code: 0 });
  });
});

describe('limits', () => {
  it('holds no more tasks than MAX_IN_FLIGHT', async () => {
    await world.control('latency', { model: CHAT, ms: 200 });
    // One type alone: an idle one would hold a slot for its open poll.
    await startWorker({ MAX_IN_FLIGHT: '3', TASK_TYPES: 'LLM_TEXT_COMPLETE' });
    const workflows = await startMany('held', 12);
    expect(new Set(await statuses(workflows))).toEqual(new Set(['COMPLETED']));
    expect((await world.calls()).totals.maxInFlight).toBe(3);
  });

  it('runs no more calls of a model than its record says, and follows the record', async () => {
    await seed({ maxConcurrencyPerWorker: 2 });
    await world.control('latency', { model: CHAT, ms: 200 });
    await startWorker();
    expect(new Set(await statuses(await startMany('lane', 10)))).toEqual(new Set(['COMPLETED']));
    expect((await world.calls()).totals.maxInFlight).toBe(2);

    await seed({ maxConcurrencyPerWorker: 4 });
    await world.control('calls', undefined, 'DELETE');
    expect(new Set(await statuses(await startMany('lane', 12)))).toEqual(new Set(['COMPLETED']));
    expect((await world.calls()).totals.maxInFlight).toBe(4);
    await seed();
  });
});

describe('Conductor', () => {
  it('a task that takes longer than its response timeout is kept alive and called once', async () => {
    await world.conductor.registerTaskDef({
      name: 'life_slow',
      retryCount: 0,
      timeoutSeconds: 0,
      responseTimeoutSeconds: 2,
    });
    await world.control('latency', { model: CHAT, ms: 6_000 });
    await startWorker();
    const { workflow } = await world.runTask(ask('slow', { name: 'life_slow' }));
    expect(workflow.status).toBe('COMPLETED');
    expect((await world.calls()).totals.calls).toBe(1);
  });

  it('gets definitions for the common names where they are missing, and none is overwritten', async () => {
    const names = ['LLM_TEXT_COMPLETE', 'LLM_CHAT_COMPLETE', 'LLM_GENERATE_EMBEDDINGS', 'LLM_RERANK'].flatMap(
      (name) => [name, name.toLowerCase()],
    );
    await world.conductor.registerTaskDef({
      name: 'llm_text_complete',
      retryCount: 7,
      timeoutSeconds: 0,
      responseTimeoutSeconds: 11,
    });
    await world.conductor.call('DELETE', '/metadata/taskdefs/LLM_GENERATE_EMBEDDINGS');
    await startWorker();
    const definitions = (await world.conductor.call('GET', '/metadata/taskdefs')) as {
      name: string;
      [field: string]: unknown;
    }[];
    const byName = new Map(definitions.map((definition) => [definition.name, definition]));
    expect(names.filter((name) => !byName.has(name))).toEqual([]);
    expect(byName.get('llm_text_complete')).toMatchObject({ retryCount: 7, responseTimeoutSeconds: 11 });
    expect(byName.get('LLM_GENERATE_EMBEDDINGS')).toMatchObject({
      retryCount: 3,
      retryLogic: 'EXPONENTIAL_BACKOFF',
      responseTimeoutSeconds: 60,
      timeoutSeconds: 0,
    });
    // Other tasks here are of this name: the next worker registers it as it should be.
    await world.conductor.call('DELETE', '/metadata/taskdefs/llm_text_complete');
  });

  it('TASK_TYPES takes another task type as one of ours, and TASK_DOMAIN only its own tasks', async () => {
    await startWorker({ TASK_TYPES: 'LLM_TEXT_COMPLETE=life_writer' });
    const { task } = await world.runTask(ask('renamed', { type: 'SIMPLE', name: 'life_writer' }));
    expect(task).toMatchObject({ status: 'COMPLETED', taskType: 'life_writer' });

    const outside = await world.startTask(ask('outside', { type: 'SIMPLE', name: 'life_writer', inDomain: false }));
    const { task: inside } = await world.runTask(ask('inside', { type: 'SIMPLE', name: 'life_writer' }));
    expect(inside.status).toBe('COMPLETED');
    expect((await world.conductor.getWorkflow(outside)).tasks[0]).toMatchObject({ status: 'SCHEDULED', pollCount: 0 });
    await world.conductor.call('DELETE', `/workflow/${outside}/terminate`).catch(() => undefined);
  });

  it('two starts under one label are two identities', async () => {
    const ids: (string | undefined)[] = [];
    for (const start of [1, 2]) {
      const worker = await startWorker({ WORKER_ID: 'pod-0' });
      const { task } = await world.runTask(ask(`identity_${start}`));
      ids.push(task.workerId);
      await worker.cli.stop(20_000);
    }
    expect(ids).toEqual([expect.stringMatching(/^pod-0\/./), expect.stringMatching(/^pod-0\/./)]);
    expect(ids[0]).not.toBe(ids[1]);
  });
});

it('an emptied catalog makes the worker not ready, and fails no backlog', async () => {
  const worker = await startWorker();
  await world.redis.del(world.key('integrations'));
  await expect.poll(async () => (await worker.get('/readyz')).body).toContain('no integration');
  const waiting = await world.startTask(ask('backlog'));
  // An open poll may still take it: then it goes back untouched.
  await sleep(1_500);
  expect((await world.conductor.getWorkflow(waiting)).tasks[0]).toMatchObject({ status: 'SCHEDULED', retryCount: 0 });
  await seed();
  expect((await world.conductor.waitForWorkflow(waiting)).status).toBe('COMPLETED');
  await expect.poll(async () => (await worker.get('/readyz')).status).toBe(200);
});
