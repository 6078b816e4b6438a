import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../../devservers/ports.ts';
import { startRedis } from '../../../devservers/redis-server.ts';
import { createLedgerStore, type LedgerStore } from '../../../src/cluster/ledger-store.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import type { HeldTask } from '../../../src/workers/ledger/ledger.ts';
import { heldBy, poll } from '../support/ledger.ts';
import { capturedLog, until } from '../support/live-catalog.ts';

/** A cluster of one node: it refuses keys of different slots in one script as any other does. */
let server: Awaited<ReturnType<typeof startRedis>>;
const opened: Cluster[] = [];
beforeAll(async () => {
  // The usual bus port, 10,000 above, may not exist; and a node that never met another does not know its address.
  const bus = ['--cluster-port', String(await freePort()), '--cluster-announce-ip', '127.0.0.1'];
  server = await startRedis({ args: ['--cluster-enabled', 'yes', ...bus] });
  const node = new Redis(server.url);
  await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until(async () => String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok'), 10_000);
  node.disconnect();
});
afterAll(async () => {
  for (const cluster of opened) cluster.disconnect();
  await server.stop();
});

const keys = keyNames('{cohere}:').ledger;

async function open(label: string): Promise<LedgerStore> {
  const { hostname: host, port } = new URL(server.url);
  const redis = new Cluster([{ host, port: Number(port) }], { lazyConnect: true, enableOfflineQueue: false });
  opened.push(redis);
  await redis.connect();
  await expect.poll(() => redis.status).toBe('ready');
  const store = createLedgerStore({ redis, keys, label, log: capturedLog().log });
  await store.tick();
  return store;
}

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
