import { type Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../devservers/ports.ts';
import type { Server } from '../../../devservers/server.ts';
import { createLedgerStore, type LedgerStore } from '../../../src/cluster/ledger-store.ts';
import { createTokenAccounts } from '../../../src/cluster/token-accounts.ts';
import { parseConfig } from '../../../src/config.ts';
import { periodAt } from '../../../src/limits/periods.ts';
import { openConnection, RUNTIME_CONNECTION } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import type { HeldTask } from '../../../src/workers/ledger/ledger.ts';
import { startWorker } from '../../../src/workers/worker.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { snapshotOf } from '../../workers/support/llm.ts';
import { startStubConductor } from '../../workers/support/stub-conductor.ts';
import { heldBy, poll } from '../support/ledger.ts';
import { capturedLog, INTEGRATION, until } from '../support/live-catalog.ts';
import { startOneNodeCluster } from '../support/one-node-cluster.ts';

/** Behind a proxy, which is all that its clients are told of. */
let server: Server;
let proxy: TcpProxy;
let node: Redis;
const opened: (Cluster | Redis)[] = [];
beforeAll(async () => {
  const port = await freePort();
  proxy = await startTcpProxy({ host: '127.0.0.1', port });
  server = await startOneNodeCluster({ port, announcedPort: proxy.port });
  node = new Redis(server.url);
});
afterEach(async () => {
  await proxy.mend();
  for (const cluster of opened.splice(0)) cluster.disconnect();
});
afterAll(async () => {
  node.disconnect();
  await proxy.close();
  await server.stop();
});

const PREFIX = '{cohere}:';
const keys = keyNames(PREFIX).ledger;
const target = () => ({ url: `redis+cluster://127.0.0.1:${proxy.port}`, cluster: true });

async function open(label: string): Promise<LedgerStore> {
  const { log } = capturedLog();
  const redis = openConnection(target(), label, log, RUNTIME_CONNECTION);
  opened.push(redis);
  await redis.connect();
  await expect.poll(() => redis.status).toBe('ready');
  const store = createLedgerStore({ redis, keys, label, log });
  await store.tick();
  return store;
}

it('counts tokens and asks limits on a Redis Cluster, in one script each', async () => {
  const { log } = capturedLog();
  const redis = openConnection(target(), 'limits', log, RUNTIME_CONNECTION);
  opened.push(redis);
  await redis.connect();
  await expect.poll(() => redis.status).toBe('ready');
  const snapshot = await snapshotOf({
    models: { 'prod:m': { maxTokens: 5, frequency: 'weekly' } },
    users: { alice: { maxTokens: 5, frequency: 'daily' } },
  });
  const { usage } = keyNames(PREFIX);
  const { limits, usage: recorder } = createTokenAccounts({
    ...{ redis, keys: usage, instance: 'a', log, catalog: () => snapshot },
  });
  const accounts = ['MODEL:prod:m', 'USER:alice'];
  const use = { integration: 'prod', model: 'm', subject: 'USER:alice', tokens: { prompt: 5 } };
  recorder.record({ ...use, spent: { accounts, tokens: 5 } });
  await limits.settle();
  const reached = await limits.reached(limits.on(snapshot, accounts));
  expect([...reached.values()].map(({ used }) => used)).toEqual([5, 5]);
  await until(async () => (await node.hlen(usage.warnings(periodAt('daily', Date.now()).name))) === 1);
});

it('keeps a ledger on a Redis Cluster, all of whose keys share a hash tag', async () => {
  const [a, b] = [await open('a'), await open('b')];
  const taken: HeldTask[] = [];
  b.listen({ takenOver: (tasks) => void taken.push(...tasks) });
  expect([a.alive, b.alive]).toEqual([true, true]);

  const tasks = [poll('t'), poll('u'), poll('v', 2)];
  expect((await a.claim(a.incarnation, tasks)).map(({ kind }) => kind)).toEqual(['ours', 'ours', 'ours']);
  expect((await b.claim(b.incarnation, tasks)).map(({ kind }) => kind)).toEqual(['taken', 'taken', 'taken']);
  a.release(a.incarnation, poll('t'));
  await a.keepAnswer('u', { inputHash: 'x', result: { status: 'COMPLETED' } });
  await a.suspect(a.incarnation);
  expect(await b.elect()).toBe(true);
  expect((await b.unclaimed([heldBy('x/1', 'u'), heldBy('x/1', 'w')])).map(({ taskId }) => taskId)).toEqual(['w']);
  expect(await b.adopt([heldBy('x/1', 'w')])).toHaveLength(1);

  await a.leave();
  await b.tick();
  expect(taken.map(({ taskId }) => taskId).sort()).toEqual(['u', 'v']);
  expect(await b.answerOf('u')).toEqual({ inputHash: 'x', result: { status: 'COMPLETED' } });
  b.answerDelivered('u', 0);
  await b.flush();
  expect(await b.answerOf('u')).toBeUndefined();
  const [suspect] = (await b.suspects()).found;
  expect(suspect).toMatchObject({ incarnation: a.incarnation, living: false });
  if (suspect !== undefined) await b.acquit(suspect);
  expect((await b.suspects()).found).toEqual([]);
  await b.leave();
});

describe('while the cluster is away', () => {
  it('a claim is refused at once, again and again, and taken when the cluster is back', async () => {
    const store = await open('a');
    const claim = (taskId: string) => store.claim(store.incarnation, [poll(taskId)]);
    expect(await claim('before')).toMatchObject([{ kind: 'ours' }]);
    await proxy.cut();
    const startedAt = performance.now();
    for (const taskId of ['x', 'y', 'z']) await expect(claim(taskId)).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(store.alive).toBe(false);
    await proxy.mend();
    await expect.poll(() => claim('after').catch(() => []), { timeout: 15_000 }).toMatchObject([{ kind: 'ours' }]);
    await store.leave();
  });

  it('a claim that is never answered is refused soon', async () => {
    const store = await open('a');
    proxy.hush();
    const startedAt = performance.now();
    await expect(store.claim(store.incarnation, [poll('unheard')])).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  it('a command of unknown fate is not run again: what it moved the first time would be missed', async () => {
    const { log } = capturedLog();
    const redis = openConnection(target(), 'a', log, RUNTIME_CONNECTION);
    opened.push(redis);
    await redis.connect();
    const counter = `${PREFIX}counter`;
    await redis.incr(counter);
    proxy.delay(500);
    const lost = redis.incr(counter);
    lost.catch(() => undefined);
    await until(async () => (await node.get(counter)) === '2');
    proxy.delay(0);
    await proxy.cut();
    await proxy.mend();
    await expect(lost).rejects.toThrow();
    expect(await node.get(counter)).toBe('2');
  });

  it('a worker stops', async () => {
    await node.hset(keyNames(PREFIX).hash('integrations'), 'main', INTEGRATION);
    const stub = await startStubConductor();
    await using _ = stub;
    const config = parseConfig({
      CONDUCTOR_SERVER_URL: stub.apiUrl,
      REDIS_URL: target().url,
      REDIS_PREFIX: PREFIX,
      HTTP_PORT: '0',
      REGISTER_TASK_DEFINITIONS: 'none',
    });
    const { log } = capturedLog();
    const [redis, runtime] = [
      openConnection(config.redis, 'catalog', log),
      openConnection(config.redis, 'runtime', log, RUNTIME_CONNECTION),
    ];
    opened.push(redis, runtime);
    const worker = await startWorker({ config, log, redis, runtime, ears: undefined, variables: {} });
    const readiness = async () => (await fetch(`http://127.0.0.1:${worker.httpPort}/readyz`)).status;
    await expect.poll(readiness, { timeout: 10_000 }).toBe(200);
    await proxy.cut();
    await expect.poll(readiness, { timeout: 10_000 }).toBe(503);
    expect(await worker.stop()).toBe(true);
  });
});
