import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Lease } from '../../../src/integrations/lanes/lane-cluster.ts';
import type {} from '../../support/redis-for-all.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../support/live-catalog.ts';
import { LANE, type LaneWorld, setClocks, startLaneWorld } from './support/lane-world.ts';

let world: LaneWorld;
let proxies: TcpProxy[] = [];
beforeEach(async () => {
  world = await startLaneWorld(inject('redisUrl'));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  for (const proxy of proxies) await proxy.close();
  proxies = [];
});

/** A way to Redis that a test can cut. */
async function proxied(delayMs = 0) {
  const { hostname: host, port } = new URL(inject('redisUrl'));
  const proxy = await startTcpProxy({ host, port: Number(port), delayMs });
  proxies.push(proxy);
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
}

const leases = () => world.other.zrange(world.names.lane(LANE).leases, 0, '-1');
const endOf = async (id: string) => Number(await world.other.zscore(world.names.lane(LANE).leases, id));
const first = ({ granted }: { granted: readonly Lease[] }): Lease => {
  const [lease] = granted;
  if (lease === undefined) throw new Error('nothing was granted');
  return lease;
};

describe('a lease', () => {
  it('lives on as long as its holder does', async () => {
    const [one, two] = [await world.worker({ started: true, leaseMs: 600 }), await world.worker({ leaseMs: 600 })];
    const lease = first(await one.ask({ concurrency: 1 }));
    for (let look = 0; look < 15; look += 1) {
      await sleep(100);
      expect((await two.ask({ concurrency: 1 })).granted).toEqual([]);
    }
    expect(one.store.lapsed(lease).aborted).toBe(false);
  });

  it('of a holder that died is free after one lease', async () => {
    const [one, two] = [await world.worker({ leaseMs: 600 }), await world.worker({ leaseMs: 600 })];
    first(await one.ask({ concurrency: 1 }));
    const end = await endOf('worker/1#1');
    expect(end - (await world.now())).toBeLessThanOrEqual(600);
    expect((await two.ask({ concurrency: 1 })).granted).toEqual([]);
    await until(async () => (await two.ask({ concurrency: 1 })).granted.length === 1, 10_000);
    expect(await world.now()).toBeGreaterThanOrEqual(end);
  });

  it('whose admission was answered to nobody lapses, though its worker lives and renews', async () => {
    const { proxy, url } = await proxied(300);
    const one = await world.worker({ url, started: true, leaseMs: 1_500 });
    const kept = first(await one.ask({ concurrency: 2 }));
    const lost = one.ask({ concurrency: 2 }).catch(() => 'lost');
    await until(async () => (await leases()).length === 2);
    await proxy.cut();
    await proxy.mend();
    expect(await lost).toBe('lost');
    await until(() => one.store.reachable, 10_000);
    one.store.reassert();
    await until(async () => (await leases()).length === 2);
    const two = await world.worker({ leaseMs: 1_500 });
    await until(async () => (await two.ask({ concurrency: 2 })).granted.length === 1, 10_000);
    expect(one.store.lapsed(kept).aborted).toBe(false);
    expect(await leases()).toContain(kept.id);
    expect(await leases()).not.toContain('worker/1#2');
  });

  it.each(['monotonic', 'wall'] as const)('is not to be used after a pause, by the %s clock alone', async (which) => {
    const { at, clocks } = setClocks();
    const one = await world.worker({ clocks });
    const lease = first(await one.ask({ concurrency: 1 }));
    at[which] = 14_000;
    expect(one.store.holds(lease)).toBe(true);
    at[which] = 14_001;
    expect(one.store.holds(lease)).toBe(false);
  });

  it('is noted from before its admission was sent', async () => {
    const { at, clocks } = setClocks();
    const one = await world.worker({ clocks });
    const asked = one.ask({ concurrency: 1 });
    at.wall = 15_000;
    expect(one.store.holds(first(await asked))).toBe(false);
  });

  it('that was lost to a pause is not revived by its name, and its call is broken off', async () => {
    const { clocks } = setClocks();
    const [one, two] = [
      await world.worker({ clocks, leaseMs: 900 }),
      await world.worker({ leaseMs: 900, started: true }),
    ];
    const lease = first(await one.ask({ concurrency: 1 }));
    const lapsed = one.store.lapsed(lease);
    await until(async () => (await two.ask({ concurrency: 1 })).granted.length === 1, 10_000);
    // By its own clocks, which stood still, it has all the time in the world: only Redis can tell.
    expect(one.store.holds(lease)).toBe(true);
    one.store.reassert();
    await until(() => lapsed.aborted, 10_000);
    expect(await leases()).toEqual([expect.stringMatching(/^worker\/2#/)]);
    expect([one.store.holds(lease), one.store.lapsed(lease).aborted]).toEqual([false, true]);
  });

  it('ends in this worker half a second before it does in Redis', async () => {
    const { at, clocks } = setClocks();
    const one = await world.worker({ clocks });
    const lapsed = one.store.lapsed(first(await one.ask({ concurrency: 1 })));
    one.redis.disconnect();
    at.monotonic = 14_500;
    one.store.reassert();
    expect(lapsed.aborted).toBe(false);
    at.monotonic = 14_501;
    one.store.reassert();
    expect(lapsed.aborted).toBe(true);
  });

  it('ends by itself where Redis is away', async () => {
    const { proxy, url } = await proxied();
    const one = await world.worker({ url, started: true, leaseMs: 900 });
    const lapsed = one.store.lapsed(first(await one.ask({ concurrency: 1 })));
    await proxy.cut();
    await until(() => lapsed.aborted, 10_000);
  });

  it('of a lane that has only rates holds until it is released', async () => {
    const { at, clocks } = setClocks();
    const one = await world.worker({ clocks, started: true, leaseMs: 300 });
    const lease = first(await one.ask({ requestsPerMinute: 10 }));
    at.monotonic = 3_600_000;
    await sleep(100);
    expect([one.store.holds(lease), one.store.lapsed(lease).aborted]).toEqual([true, false]);
    expect(await leases()).toEqual([]);
    one.store.release(lease, undefined);
    expect(one.store.holds(lease)).toBe(false);
  });

  it('from the future ends as if it were given now', async () => {
    const one = await world.worker({ leaseMs: 500 });
    await world.other.zadd(world.names.lane(LANE).leases, (await world.now()) + 3_600_000, 'worker/9#1');
    expect((await one.ask({ concurrency: 1 })).granted).toEqual([]);
    expect((await endOf('worker/9#1')) - (await world.now())).toBeLessThanOrEqual(500);
    await until(async () => (await one.ask({ concurrency: 1 })).granted.length === 1, 10_000);
  });

  it('that could not be released is released when Redis is back', async () => {
    const { proxy, url } = await proxied();
    const one = await world.worker({ url, started: true, tickMs: 50 });
    const lease = first(await one.ask({ concurrency: 1 }));
    await proxy.cut();
    await until(() => !one.store.reachable);
    one.store.release(lease, undefined);
    await sleep(20);
    expect(await leases()).toEqual([lease.id]);
    await proxy.mend();
    await until(async () => (await leases()).length === 0, 10_000);
  });
});

describe('a Redis that forgot', () => {
  const leaseMs = 1_500;

  it('gives no place of a full lane away before those who hold it have lapsed', async () => {
    const [stopped, living, asking] = [
      await world.worker({ leaseMs }),
      await world.worker({ leaseMs, started: true }),
      await world.worker({ leaseMs }),
    ];
    const gone = first(await stopped.ask({ concurrency: 2 }));
    const kept = first(await living.ask({ concurrency: 2 }));
    await world.other.del(...(await world.other.keys(`${world.names.prefix}*`)));

    expect((await asking.ask({ concurrency: 2 })).granted).toEqual([]);
    await world.setEpoch(0);
    living.store.reassert();
    await until(async () => (await leases()).length === 1);
    expect(await leases()).toEqual([kept.id]);
    // As long as the other could still use its place, nobody gets one.
    while (stopped.store.holds(gone)) {
      expect((await asking.ask({ concurrency: 2 })).granted.length && stopped.store.holds(gone)).toBeFalsy();
      await sleep(20);
    }
    await until(async () => (await asking.ask({ concurrency: 2 }, 2)).granted.length === 1, 10_000);
    expect(living.store.lapsed(kept).aborted).toBe(false);
    expect(living.store.holds(kept)).toBe(true);
  });

  it('hears of every lease again with the next renewal, unasked', async () => {
    const one = await world.worker({ leaseMs, started: true });
    const { granted } = await one.ask({ concurrency: 3 }, 3);
    await world.other.del(...(await world.other.keys(`${world.names.prefix}*`)));
    await until(async () => (await leases()).length === 3, 10_000);
    expect(granted.some((lease) => one.store.lapsed(lease).aborted)).toBe(false);
  });

  it('because it was restarted takes leases and scripts anew', async () => {
    let redis = await startRedis();
    const { port } = new URL(redis.url);
    const own = await startLaneWorld(redis.url);
    try {
      const one = await own.worker({ started: true });
      const lease = first(await one.ask({ concurrency: 1 }));
      await redis.stop();
      redis = await startRedis({ port: Number(port) });
      await until(() => one.store.reachable, 10_000);
      one.store.reassert();
      const key = own.names.lane(LANE).leases;
      await until(async () => (await own.other.zrange(key, 0, '-1').catch(() => [])).length === 1, 10_000);
      expect(one.store.holds(lease)).toBe(true);
      await own.setEpoch();
      expect((await one.ask({ concurrency: 1 })).granted).toEqual([]);
    } finally {
      await own[Symbol.asyncDispose]();
      await redis.stop();
    }
  });
});
