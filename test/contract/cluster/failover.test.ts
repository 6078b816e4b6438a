import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { createLedgerStore, type LedgerStore } from '../../../src/cluster/ledger-store.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { capturedLog, until } from '../support/live-catalog.ts';
import { type LaneWorld, startLaneWorld, type WorkerOfLanes } from './support/lane-world.ts';

const leaseMs = 1_500;

/** A primary with a replica; clients reach whichever of them the way to them leads to. */
let primary: Server;
let replica: Server;
let way: TcpProxy;
let target: { host: string; port: number };
let world: LaneWorld;
beforeEach(async () => {
  primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
  target = { host: '127.0.0.1', port: primary.port };
  way = await startTcpProxy(target);
  world = await startLaneWorld(`redis://127.0.0.1:${way.port}`);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await way.close();
  await Promise.all([replica.stop(), primary.stop()]);
});

async function member(): Promise<WorkerOfLanes & { readonly ledger: LedgerStore }> {
  const worker = await world.worker({ leaseMs });
  const keys = world.names.ledger;
  const ledger = createLedgerStore({ redis: worker.redis, keys, label: worker.instance, log: capturedLog().log });
  await ledger.tick();
  return { ...worker, ledger };
}

/** The replica gets no more of the primary's writes from now on. */
async function fallBehind(): Promise<void> {
  const behind = new Redis(replica.url);
  await until(async () => (await behind.info('replication')).includes('master_link_status:up'), 10_000);
  await until(async () => (await behind.exists(world.names.ledger.primary)) === 1, 10_000);
  await behind.replicaof('NO', 'ONE');
  behind.disconnect();
}

/** The way leads to this server from now on; resolves when all workers have noticed. */
async function reconnect(workers: readonly WorkerOfLanes[], { port }: Server): Promise<void> {
  target.port = port;
  await way.cut();
  for (const { store } of workers) await until(() => !store.reachable);
  await way.mend();
  for (const { store } of workers) await until(() => store.reachable, 10_000);
}

it('a replica that takes over without the last leases gives none of their places away', async () => {
  const [one, two] = [await member(), await member()];
  await fallBehind();
  const [lease] = (await one.ask({ concurrency: 1 })).granted;
  if (lease === undefined) throw new Error('nothing was granted');
  await reconnect([one, two], replica);
  // Nothing starts before it was heard there, and from then on it is known that another took over.
  expect(two.ledger.alive).toBe(false);
  await two.ledger.tick();
  expect(two.ledger.alive).toBe(true);
  const { granted, retryAfterMs } = await two.ask({ concurrency: 1 });
  expect(granted).toEqual([]);
  expect(retryAfterMs).toBeGreaterThan(leaseMs / 2);
  while (one.store.holds(lease)) expect((await two.ask({ concurrency: 1 })).granted).toEqual([]);
  await until(async () => (await two.ask({ concurrency: 1 })).granted.length === 1, 10_000);
});

it('a primary that is as it was gives places at once, however often its workers come and go', async () => {
  const one = await member();
  expect((await one.ask({ concurrency: 2 })).granted).toHaveLength(1);
  await reconnect([one], primary);
  await one.ledger.tick();
  const two = await member();
  expect((await two.ask({ concurrency: 2 })).granted).toHaveLength(1);
});
