import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { createLaneStore } from '../../../src/cluster/lane-store.ts';
import type { Lease } from '../../../src/integrations/lanes/lane-cluster.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../support/live-catalog.ts';
import { LANE, type LaneWorld, startLaneWorld, type WorkerOfLanes } from './support/lane-world.ts';

/** A Redis of its own: the scripts it knows are taken from it. */
let server: Server;
let world: LaneWorld;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  world = await startLaneWorld(server.url);
});
afterEach(() => world[Symbol.asyncDispose]());

const leases = () => world.other.zrange(world.names.lane(LANE).leases, 0, '-1');

describe('places in a lane', () => {
  it('are given up to the limit over all workers, the first attempts first', async () => {
    const [one, two] = [await world.worker(), await world.worker()];
    const first = await one.ask({ concurrency: 3 }, 2);
    expect(first).toMatchObject({ granted: [{ id: 'worker/1#1' }, { id: 'worker/1#2' }], retryAfterMs: 0 });
    const second = await two.ask({ concurrency: 3 }, 2);
    expect(second).toMatchObject({ granted: [{ id: 'worker/2#1' }], concurrency: 3 });
    expect(second.retryAfterMs).toBeGreaterThan(0);
    expect((await leases()).sort()).toEqual(['worker/1#1', 'worker/1#2', 'worker/2#1']);
  });

  it('that are released are there for what is asked in the same breath', async () => {
    const one = await world.worker();
    for (let turn = 0; turn < 5; turn += 1) {
      const { granted } = await one.ask({ concurrency: 2 }, 2);
      expect(granted).toHaveLength(2);
      for (const lease of granted) one.store.release(lease, undefined);
    }
  });

  it('that are released are there for others without a further word of their holder', async () => {
    const [one, two] = [await world.worker(), await world.worker()];
    const { granted } = await one.ask({ concurrency: 1 });
    one.store.release(granted[0] as Lease, undefined);
    one.store.release(granted[0] as Lease, undefined);
    await until(async () => (await two.ask({ concurrency: 1 })).granted.length === 1, 10_000);
    expect(await leases()).toHaveLength(1);
  });

  it('of a lane without any limit need no Redis', async () => {
    const one = await world.worker();
    one.redis.disconnect();
    expect(await one.ask({}, 5)).toMatchObject({ granted: { length: 5 }, retryAfterMs: 0, concurrency: undefined });
  });

  it('are none where Redis is away', async () => {
    const one = await world.worker();
    one.redis.disconnect();
    await until(() => !one.store.reachable);
    await expect(one.ask({ concurrency: 5 })).rejects.toThrow();
  });

  it('are freed by a stop, with their calls broken off', async () => {
    const one = await world.worker({ started: true });
    const { granted } = await one.ask({ concurrency: 5 }, 3);
    const signals = granted.map((lease) => one.store.lapsed(lease));
    await Promise.all([one.store.stop(), one.store.stop()]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
    expect(await leases()).toEqual([]);
    await expect(one.ask({ concurrency: 5 })).rejects.toThrow('closed');
  });

  it('are never more than the limit, however many workers ask and release and are cut off', async () => {
    const limit = 5;
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: server.port });
    const steady = await Promise.all(Array.from({ length: 4 }, () => world.worker({ started: true, leaseMs: 1_500 })));
    const cut = await world.worker({ started: true, leaseMs: 1_500, url: `redis://127.0.0.1:${proxy.port}` });
    let running = 0;
    let most = 0;
    let ran = 0;
    const over = performance.now() + 4_000;

    /** Runs as a lane would: nothing is sent without time left, and a call ends when its lease does. */
    async function call({ store }: WorkerOfLanes, lease: Lease): Promise<void> {
      if (!store.holds(lease)) return store.release(lease, undefined);
      running += 1;
      ran += 1;
      most = Math.max(most, running);
      await sleep(Math.random() * 30, undefined, { signal: store.lapsed(lease) }).catch(() => undefined);
      running -= 1;
      store.release(lease, undefined);
    }

    async function hammer(worker: WorkerOfLanes): Promise<void> {
      const calls: Promise<void>[] = [];
      while (performance.now() < over) {
        const { granted } = await worker.ask({ concurrency: limit }, 3).catch(() => ({ granted: [] }));
        calls.push(...granted.map((lease) => call(worker, lease)));
        await sleep(Math.random() * 10);
      }
      await Promise.all(calls);
    }

    async function cutAndMend(): Promise<void> {
      while (performance.now() < over) {
        await sleep(Math.random() * 300);
        await proxy.cut();
        await proxy.mend();
      }
    }

    await Promise.all([...[...steady, cut].map(hammer), cutAndMend()]);
    await proxy.close();
    expect(most).toBe(limit);
    expect(ran).toBeGreaterThan(limit * 4);
    expect(running).toBe(0);
  });
});

describe('a Redis that has just begun', () => {
  it.each([
    ['has no epoch', undefined],
    ['has an epoch younger than a lease', 1_000],
  ])('admits nothing to a limited lane while it %s', async (_, ageMs) => {
    const one = await world.worker();
    if (ageMs === undefined) await world.other.del(world.names.ledger.epoch);
    else await world.setEpoch(ageMs);
    const { granted, retryAfterMs } = await one.ask({ concurrency: 5 });
    expect(granted).toEqual([]);
    expect(retryAfterMs).toBeGreaterThan(10_000);
    expect(retryAfterMs).toBeLessThanOrEqual(15_000);
    expect((await one.ask({ requestsPerMinute: 5 })).granted).toHaveLength(1);
  });

  it('waits no longer than one lease for an epoch that cannot be', async () => {
    const one = await world.worker({ leaseMs: 300 });
    for (const epoch of [String((await world.now()) + 3_600_000), 'yesterday', '{}']) {
      await world.other.set(world.names.ledger.epoch, epoch);
      expect((await one.ask({ concurrency: 100 })).granted).toEqual([]);
      await until(async () => (await one.ask({ concurrency: 100 })).granted.length === 1, 10_000);
    }
  });
});

describe('scripts', () => {
  it('are sent again to a Redis that has not seen them', async () => {
    const one = await world.worker();
    await world.other.script('FLUSH');
    expect((await one.ask({ concurrency: 5 })).granted).toHaveLength(1);
  });

  it('keep their keys in one slot by the prefix of a cluster', async () => {
    const { keyNames } = await import('../../../src/redis/keys.ts');
    const names = keyNames(`{${world.names.prefix}}:`);
    const { redis } = await world.worker();
    const sent: (readonly unknown[])[] = [];
    const watched = new Proxy(redis, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (command: unknown, args: unknown[], ...more: unknown[]) => {
          if (name === 'call') sent.push(args.slice(2, 2 + Number(args[1])));
          return value.apply(target, [command, args, ...more]);
        };
      },
    });
    const store = createLaneStore({ redis: watched, names, instance: 'x', log: world.captured.log });
    const limits = { concurrency: 1, requestsPerMinute: 1, tokensPerMinute: 1 };
    await store.admit({ lane: 'a:{b}', limits, attempts: [{ leaseId: 'x#1', estimatedTokens: 1 }] });
    const request = { taskId: 't', workflowInstanceId: 'w', pollCount: 1, order: 1, intervalMs: 1, ahead: 0 };
    await store.defer({ ...request, lane: 'a:{b}', atMostMs: 1_000, throttled: false });
    await store.takeSleepers('a:{b}', 1);
    await store.stop();
    expect(sent.length).toBeGreaterThanOrEqual(3);
    for (const key of sent.flat()) expect(key).toMatch(/^\{[^}]+\}:run:/);
  });
});
