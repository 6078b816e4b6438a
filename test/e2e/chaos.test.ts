import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startConductor } from '../../devservers/conductor-server.ts';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { killInTurn } from './support/chaos.ts';
import { startMany, statusesOf, whenOver } from './support/many.ts';
import { seed } from './support/seed.ts';
import { createWorld, type World } from './support/world.ts';

const TEXT = 'amazon.nova-micro-v1:0';
/** Without limits; a chat model, since texts to embed would share requests. */
const FREE = 'amazon.nova-lite-v1:0';
const EACH_AT_ONCE = 3;

let folder: string;
let world: World;
/** The workers' own, with its log on disk. */
let redis: Server;
let conductorProxy: TcpProxy;
let storeProxy: TcpProxy;
const servers: Server[] = [];
const startOwnRedis = (port?: number) => startRedis({ port, dir: folder, args: ['--appendonly', 'yes'] });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-chaos-'));
  redis = await startOwnRedis();
  const store = await startRedis();
  servers.push(store);
  storeProxy = await startTcpProxy({ host: '127.0.0.1', port: store.port });
  const conductor = await startConductor({ redis: { host: '127.0.0.1', port: storeProxy.port } });
  servers.unshift(conductor);
  conductorProxy = await startTcpProxy({ host: '127.0.0.1', port: conductor.port });
  world = await createWorld('chaos', { redisUrl: redis.url, conductorUrl: conductor.url });
  await seed(world, 'chaos', { [TEXT]: { maxConcurrencyPerWorker: EACH_AT_ONCE }, [FREE]: {} });
});
afterAll(async () => {
  await world?.close();
  await conductorProxy?.close();
  for (const server of servers) await server.stop();
  await storeProxy?.close();
  await redis?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const succeeded = async (): Promise<number> => (await world.calls()).totals.succeeded;

async function startTasks(name: string, count: number, model: string) {
  const protection = { retryCount: 5, retryDelaySeconds: 1, responseTimeoutSeconds: 20, timeoutSeconds: 0 };
  await world.conductor.registerTaskDef({ name: `chaos_${name}`, ...protection });
  const input = { llmProvider: 'main', model, prompt: 'The roof leaked.', maxTokens: 50 };
  const task = { workflow: `chaos_${name}`, name: `chaos_${name}`, type: 'LLM_TEXT_COMPLETE', input } as const;
  return startMany(
    world,
    task,
    Array.from({ length: count }, () => ({})),
  );
}

it('hundreds of tasks given back at once run once, though Conductor is slow to write what it has queued', async () => {
  const count = 200;
  const leaving = await world.startWorker({ DRAIN_TIMEOUT_MS: '0' });
  await world.control('latency', { model: FREE, ms: 60_000 });
  const ids = await startTasks('givebacks', count, FREE);
  await expect.poll(async () => (await world.calls()).totals.inFlight, { timeout: 55_000 }).toBe(count);
  // A poll between the two writes of a give-back finds the task in its queue, and not yet SCHEDULED.
  storeProxy.delay(5);
  const taking = await world.startWorker();
  // Until all of them run, however slow the machine.
  await world.control('latency', { model: FREE, ms: 60_000 });
  await leaving.cli.stop(20_000);
  await expect.poll(async () => (await world.calls()).totals.inFlight, { timeout: 55_000 }).toBe(count);
  storeProxy.delay(0);
  // One that was overwritten would be SCHEDULED while it runs, and sooner or later run again.
  const running = await Promise.all(ids.map(async (id) => (await world.conductor.getWorkflow(id)).tasks[0]));
  expect(running.filter((task) => task?.status !== 'IN_PROGRESS')).toEqual([]);
  const ended = await whenOver(world, ids, 120_000);
  expect(statusesOf(ended)).toEqual({ COMPLETED: count });
  const polls = ended.flatMap(({ workflow }) => workflow.tasks.map(({ pollCount }) => pollCount));
  expect(polls).toEqual(ids.map(() => 2));
  expect((await world.calls()).totals).toMatchObject({ calls: 2 * count, succeeded: count });
  await taking.cli.stop(20_000);
}, 300_000);

it('no task is lost or completed twice, while workers are killed, Redis and Conductor go, and Bedrock throttles', async () => {
  const count = 150;
  await world.control('calls', undefined, 'DELETE');
  await world.control('latency', { model: TEXT, ms: 500 });
  await world.control('faults', { model: TEXT, fault: { name: 'ThrottlingException', rate: 0.05 } });
  const behindProxy = { CONDUCTOR_SERVER_URL: `http://127.0.0.1:${conductorProxy.port}` };
  const start = () => world.startWorker(behindProxy, { awaitReady: false });
  const workers = await Promise.all([start(), start(), start()]);
  const ids = await startTasks('text', count, TEXT);
  const killing = new AbortController();
  const killed = killInTurn(workers, { everyMs: 3_000, signal: killing.signal, start });
  const until = (calls: number) => expect.poll(succeeded, { timeout: 60_000, interval: 100 }).toBeGreaterThan(calls);

  await until(count * 0.2);
  await redis.stop();
  redis = await startOwnRedis(redis.port);
  await until(count * 0.5);
  await conductorProxy.cut();
  await sleep(4_000);
  await conductorProxy.mend();
  await until(count * 0.9);
  killing.abort();
  const kills = await killed;

  const ended = await whenOver(world, ids, 80_000);
  expect(statusesOf(ended)).toEqual({ COMPLETED: count });
  const completions = ended.map(({ workflow }) => workflow.tasks.filter(({ status }) => status === 'COMPLETED').length);
  expect(new Set(completions)).toEqual(new Set([1]));
  expect(kills).toBeGreaterThan(2);
  // Each of those killed took at most these answers with it.
  expect(await succeeded()).toBeLessThanOrEqual(count + kills * EACH_AT_ONCE);
}, 240_000);
