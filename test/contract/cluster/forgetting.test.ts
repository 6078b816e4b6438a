import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import { claimed, heldBy, type Ledgers, openLedgers, poll } from '../support/ledger.ts';

/** A server of its own: it is emptied and restarted. */
let server: Awaited<ReturnType<typeof startRedis>>;
let ledgers: Ledgers;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  ledgers = await openLedgers(server.url);
});
afterEach(() => ledgers[Symbol.asyncDispose]());

const held = (incarnation: string) => ledgers.other.hkeys(ledgers.keys.held(incarnation));

describe('a Redis that was emptied', () => {
  it('is told again who lives and what they hold', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'), poll('u', 3), poll('v'));
    a.store.release(a.store.incarnation, poll('v'));
    await ledgers.other.flushall();
    await Promise.all([a.store.tick(), b.store.tick()]);

    expect(await ledgers.other.get(ledgers.keys.claim('u'))).toBe(`3 ${a.store.incarnation}`);
    expect((await held(a.store.incarnation)).sort()).toEqual(['t', 'u']);
    expect((await ledgers.other.zrange(ledgers.keys.workers, '0', '-1')).sort()).toEqual(
      [a.store.incarnation, b.store.incarnation].sort(),
    );
    expect([a.heard.forgotten, b.heard.forgotten]).toEqual([1, 1]);
    expect([a.heard.declaredDead, b.heard.declaredDead]).toEqual([[], []]);
    await a.store.tick();
    expect(a.heard.forgotten).toBe(1);
  });

  it('is not taken for a death by a claim that meets it before any beat', async () => {
    const a = await ledgers.open('a');
    await claimed(a, poll('t'));
    await ledgers.other.flushall();
    expect(await claimed(a, poll('u'))).toEqual(['ours']);
    await ledgers.other.flushall();
    expect(await a.store.stillOurs(a.store.incarnation, poll('t'))).toBe(true);
    await a.store.tick();
    expect((await held(a.store.incarnation)).sort()).toEqual(['t', 'u']);
    expect(a.heard).toEqual({ takenOver: [], declaredDead: [], forgotten: 2 });
  });

  it('is never told over a later poll', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'), poll('u'));
    await ledgers.other.flushall();
    expect(await claimed(b, poll('t', 2))).toEqual(['ours']);
    await a.store.tick();
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`2 ${b.store.incarnation}`);
    expect(await held(a.store.incarnation)).toEqual(['u']);
    expect(await a.store.stillOurs(a.store.incarnation, poll('t'))).toBe(false);
    expect(await a.store.stillOurs(a.store.incarnation, poll('u'))).toBe(true);
  });

  it('is not told of what is released while it is told', async () => {
    const a = await ledgers.open('a');
    const tasks = Array.from({ length: 300 }, (_, index) => poll(`t${index}`));
    await claimed(a, ...tasks);
    await ledgers.other.flushall();
    a.lose = (keys) => {
      if (keys.includes(ledgers.keys.claim('t0'))) a.store.release(a.store.incarnation, poll('t299'));
      return undefined;
    };
    await a.store.tick();
    expect(await held(a.store.incarnation)).toHaveLength(299);
    expect(await a.store.stillOurs(a.store.incarnation, poll('t299'))).toBe(false);
    expect(a.captured.at('warn').filter(({ msg }) => msg.includes('claimed by others'))).toEqual([]);
  });

  it('learns of a release that it missed', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    a.store.release(a.store.incarnation, poll('t'));
    await ledgers.other.flushall();
    await a.store.flush();
    expect(await claimed(b, poll('t'))).toEqual(['taken']);
  });

  it('still has its members replaced when they die', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    await ledgers.other.flushall();
    await Promise.all([a.store.tick(), b.store.tick()]);
    await ledgers.untilMissed(b);
    expect(b.heard.takenOver).toEqual([{ from: a.store.incarnation, tasks: [heldBy(a.store.incarnation, 't')] }]);
  });
});

describe('a connection that was cut', () => {
  it('has everything asserted again when it is back: nobody knows what the other side is now', async () => {
    const a = await ledgers.open('a');
    await claimed(a, poll('t'));
    const ready = await a.cut();
    await expect(claimed(a, poll('u'))).rejects.toThrow();
    // A primary that took over without the last writes.
    await ledgers.other.del(ledgers.keys.claim('t'), ledgers.keys.held(a.store.incarnation));
    await ready();
    await a.store.tick();
    expect((await held(a.store.incarnation)).sort()).toEqual(['t', 'u']);
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`1 ${a.store.incarnation}`);
    expect(a.heard.forgotten).toBe(1);
    expect(a.heard.declaredDead).toEqual([]);
  });

  it('is beaten over by itself once the store is started', async () => {
    const a = await ledgers.open('a', { beat: false });
    a.store.start();
    await expect.poll(() => a.store.alive).toBe(true);
    await claimed(a, poll('t'));
    await (await a.cut())();
    await expect.poll(() => a.heard.forgotten).toBe(1);
    await expect.poll(() => a.store.alive).toBe(true);
  });

  it('of all workers at once makes nobody dead', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    await claimed(b, poll('u'));
    const ready = [await a.cut(), await b.cut()];
    for (const { store, pass } of [a, b, a, b]) {
      pass(30_000);
      await store.tick();
    }
    for (const back of ready) await back();
    for (const { store } of [a, b, b, a]) await store.tick();
    expect([...a.heard.takenOver, ...b.heard.takenOver, ...a.heard.declaredDead, ...b.heard.declaredDead]).toEqual([]);
  });
});

describe('another server behind the same connection', () => {
  it('is told what is held, without having been emptied', async () => {
    const second = await startRedis();
    const copy = await openLedgers(second.url);
    try {
      const a = await ledgers.open('a');
      await claimed(a, poll('t'));
      // A replica that had everything but the last claim; a Cluster, or a proxy, shows no cut when it takes over.
      await copy.other.zadd(ledgers.keys.workers, '1', a.store.incarnation);
      await copy.other.set(ledgers.keys.epoch, (await ledgers.other.get(ledgers.keys.epoch)) ?? '');
      Object.assign(a.redis, { call: copy.other.call.bind(copy.other) });
      await a.store.tick();
      expect(await copy.other.get(ledgers.keys.claim('t'))).toBe(`1 ${a.store.incarnation}`);
      expect(a.heard).toEqual({ takenOver: [], declaredDead: [], forgotten: 1 });
      await a.store.leave();
    } finally {
      await copy[Symbol.asyncDispose]();
      await second.stop();
    }
  });
});
