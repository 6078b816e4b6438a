import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Server } from '../../../devservers/server.ts';
import { createLaneStore } from '../../../src/cluster/lane-store.ts';
import type { ClusterLimits } from '../../../src/integrations/lanes/lane-cluster.ts';
import { openConnection, RUNTIME_CONNECTION } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { capturedLog, until } from '../support/live-catalog.ts';
import { startOneNodeCluster } from '../support/one-node-cluster.ts';
import { LANE, NO_LIMITS } from './support/lane-world.ts';

let server: Server;
const opened: (Cluster | Redis)[] = [];
beforeAll(async () => {
  server = await startOneNodeCluster();
});
afterAll(async () => {
  for (const cluster of opened) cluster.disconnect();
  await server.stop();
});

async function connect(label: string, log: Logger): Promise<Cluster | Redis> {
  const url = `redis+cluster://127.0.0.1:${server.port}`;
  const redis = openConnection({ url, cluster: true }, label, log, RUNTIME_CONNECTION);
  opened.push(redis);
  await redis.connect();
  await expect.poll(() => redis.status).toBe('ready');
  return redis;
}

it('keeps lanes on a Redis Cluster: places, rates, throttling and tickets', async () => {
  const names = keyNames('{lanes}:');
  const captured = capturedLog();
  const worker = async (instance: string) => {
    const redis = await connect(instance, captured.log);
    const store = createLaneStore({ redis, names, instance, log: captured.log, leaseMs: 900, tickMs: 50 });
    let asked = 0;
    const ask = async (limits: Partial<ClusterLimits>, count: number) => {
      const attempts = Array.from({ length: count }, () => ({
        leaseId: `${instance}#${++asked}`,
        estimatedTokens: 10,
      }));
      const { granted } = await store.admit({ lane: LANE, limits: { ...NO_LIMITS, ...limits }, attempts });
      return attempts.slice(0, granted).map(({ leaseId }) => ({ id: leaseId, lane: LANE, estimatedTokens: 10 }));
    };
    return { store, redis, ask };
  };
  const [a, b] = [await worker('a/1'), await worker('b/1')];
  await a.redis.set(names.ledger.epoch, '1');
  a.store.start();

  const limits = { concurrency: 4, requestsPerMinute: 100, tokensPerMinute: 1_000 };
  const leases = await a.ask(limits, 3);
  expect([leases.length, (await b.ask(limits, 3)).length]).toEqual([3, 1]);
  const [released, ...kept] = leases;
  if (released === undefined) throw new Error('nothing was granted');
  a.store.release(released, 7);
  await until(async () => (await b.ask(limits, 1)).length === 1);
  // Renewed by name: these outlive a lease, those of the other do not.
  await sleep(1_200);
  expect(await b.ask(limits, 3)).toHaveLength(2);
  expect(kept.map((lease) => [a.store.holds(lease), a.store.lapsed(lease).aborted])).toEqual([
    [true, false],
    [true, false],
  ]);

  b.store.throttled(LANE, { startedMsAgo: 0, running: 4, limits: { ...NO_LIMITS, ...limits }, perWorker: undefined });
  await until(() => b.store.effective(LANE) === 2);
  await until(() => a.store.effective(LANE) === 2);
  for (let success = 0; success < 2; success += 1) b.store.succeededWhileFull(LANE);
  await until(() => b.store.effective(LANE) === 3);

  for (const [order, taskId] of ['t', 'u', 'v'].entries()) {
    await b.store.defer({
      ...{ lane: LANE, taskId, workflowInstanceId: 'w', pollCount: 1, order, intervalMs: 10_000, ahead: 5 },
      ...{ atMostMs: 600_000, throttled: taskId === 't' },
    });
  }
  await until(() => a.store.sleeping().get(LANE) === 3);
  const sleepers = await a.store.takeSleepers(LANE, 2);
  expect(sleepers.map(({ taskId }) => taskId)).toEqual(['t', 'u']);
  a.store.leaveAsleep(LANE, sleepers);
  await until(async () => (await b.store.takeSleepers(LANE, 2)).length === 2);
  for (const taskId of ['t', 'u', 'v']) b.store.forget({ lane: LANE, taskId });
  await until(() => !a.store.sleeping().has(LANE));

  await Promise.all([a.store.stop(), b.store.stop()]);
  expect(captured.at('warn')).toEqual([]);
});
