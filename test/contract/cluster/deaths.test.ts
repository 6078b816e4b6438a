import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type {} from '../../support/redis-for-all.ts';
import { claimed, heldBy, type Ledgers, openLedgers, poll } from '../support/ledger.ts';

let ledgers: Ledgers;
beforeEach(async () => {
  ledgers = await openLedgers(inject('redisUrl'));
});
afterEach(() => ledgers[Symbol.asyncDispose]());

const members = () => ledgers.other.zrange(ledgers.keys.workers, '0', '-1');

describe('a worker', () => {
  it('is a member from its first beat, under a name that is new at every start', async () => {
    const [a, again] = [await ledgers.open('pod-1'), await ledgers.open('pod-1')];
    expect(a.store.incarnation).toMatch(/^pod-1\/[0-9a-f]{12}$/);
    expect((await members()).sort()).toEqual([a.store.incarnation, again.store.incarnation].sort());
    expect(new Set(await members()).size).toBe(2);
  });

  it('is alive for 8 s after a beat, by both its clocks', async () => {
    const a = await ledgers.open('a', { beat: false });
    expect(a.store.alive).toBe(false);
    for (const which of ['monotonic', 'wall'] as const) {
      await a.store.tick();
      a.pass(7_999, which);
      expect(a.store.alive).toBe(true);
      a.pass(1, which);
      expect(a.store.alive).toBe(false);
    }
  });

  it('is not alive while its connection is gone, nor before it was heard over the next one', async () => {
    const a = await ledgers.open('a');
    expect(a.store.alive).toBe(true);
    const ready = await a.cut();
    expect(a.store.alive).toBe(false);
    await ready();
    expect(a.store.alive).toBe(false);
    await a.store.tick();
    expect(a.store.alive).toBe(true);
  });

  it('counts from when a beat was sent, not from when it was answered', async () => {
    const a = await ledgers.open('a');
    a.lose = () => {
      a.pass(9_000);
      return undefined;
    };
    await a.store.tick();
    expect(a.store.alive).toBe(false);
  });
});

describe('a worker that is silent for 10 s', () => {
  it('is replaced: its claims are another’s, with the name and poll they had', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    const dead = a.store.incarnation;
    await claimed(a, poll('t'), poll('u', 4));
    await ledgers.untilMissed(b);

    expect(b.heard.takenOver).toEqual([
      { from: dead, tasks: expect.arrayContaining([heldBy(dead, 't'), heldBy(dead, 'u', 4)]) },
    ]);
    expect(await members()).toEqual([b.store.incarnation]);
    expect(await ledgers.other.exists(ledgers.keys.held(dead))).toBe(0);
    expect(await ledgers.other.get(ledgers.keys.claim('u'))).toBe(`4 ${b.store.incarnation}`);
    expect(await b.store.stillOurs(b.store.incarnation, poll('u', 4))).toBe(true);
    expect(await claimed(b, poll('t'))).toEqual(['taken']);
    expect(await b.store.suspects()).toMatchObject({ found: [{ incarnation: dead, living: false }] });
  });

  it('is replaced by exactly one of those who find it', async () => {
    const a = await ledgers.open('a');
    const others = await Promise.all(['b', 'c', 'd', 'e'].map((label) => ledgers.open(label)));
    const tasks = Array.from({ length: 450 }, (_, index) => poll(`t${index}`));
    await claimed(a, ...tasks);
    for (let passed = 0; passed <= 12_000; passed += 2_000) {
      for (const other of others) other.pass(2_000);
      await Promise.all(others.map(({ store }) => store.tick()));
    }
    const taken = others.flatMap(({ heard }) => heard.takenOver.flatMap(({ tasks: some }) => some));
    expect(taken.map(({ taskId }) => taskId).sort()).toEqual(tasks.map(({ taskId }) => taskId).sort());
    for (const { store, heard } of others) {
      for (const task of heard.takenOver.flatMap(({ tasks: some }) => some)) {
        expect(await ledgers.other.get(ledgers.keys.claim(task.taskId))).toBe(`1 ${store.incarnation}`);
      }
    }
  });

  it('is not replaced while it is heard, however its and Redis’ clocks stand', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    await ledgers.other.zadd(ledgers.keys.workers, 1, a.store.incarnation);
    await ledgers.untilMissed(a, b);
    await ledgers.untilMissed(a, b);
    expect(b.heard.takenOver).toEqual([]);
    expect((await members()).sort()).toEqual([a.store.incarnation, b.store.incarnation].sort());
  });

  it('is not replaced where it is heard at the last moment', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    let declared = 0;
    b.lose = async (keys) => {
      if (keys[1] !== ledgers.keys.suspects) return undefined;
      declared += 1;
      await a.store.tick();
      return undefined;
    };
    await ledgers.untilMissed(b);
    expect(declared).toBe(1);
    expect(b.heard.takenOver).toEqual([]);
    expect(await a.store.stillOurs(a.store.incarnation, poll('t'))).toBe(true);
    expect(a.heard.declaredDead).toEqual([]);
  });

  it('is replaced even where its score lies in the future', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    await ledgers.other.zadd(ledgers.keys.workers, 9e14, a.store.incarnation);
    await ledgers.untilMissed(b);
    expect(b.heard.takenOver).toMatchObject([{ from: a.store.incarnation }]);
  });

  it('is not found by one who was silent itself: who could not beat can’t tell', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    b.pass(60_000);
    await b.store.tick();
    b.pass(2_000);
    await b.store.tick();
    expect(b.heard.takenOver).toEqual([]);
    await a.store.tick();
    expect(a.heard.declaredDead).toEqual([]);
  });

  it('that took over is itself replaced, with all it held', async () => {
    const [a, b, c] = [await ledgers.open('a'), await ledgers.open('b'), await ledgers.open('c')];
    await claimed(a, poll('t'));
    await claimed(b, poll('u'));
    await ledgers.untilMissed(b);
    expect(b.heard.takenOver).toHaveLength(1);
    await ledgers.untilMissed(c);
    await ledgers.untilMissed(c);
    expect(c.heard.takenOver.flatMap(({ tasks }) => tasks)).toEqual(
      expect.arrayContaining([heldBy(a.store.incarnation, 't'), heldBy(b.store.incarnation, 'u')]),
    );
    expect(await c.store.stillOurs(c.store.incarnation, poll('t'))).toBe(true);
  });

  it('loses nothing that a later poll has already', async () => {
    const [a, b, c] = [await ledgers.open('a'), await ledgers.open('b'), await ledgers.open('c')];
    await claimed(a, poll('t'), poll('u'));
    await claimed(c, poll('t', 2));
    await ledgers.untilMissed(b, c);
    const taken = [...b.heard.takenOver, ...c.heard.takenOver].flatMap(({ tasks }) => tasks);
    expect(taken).toEqual([heldBy(a.store.incarnation, 'u')]);
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`2 ${c.store.incarnation}`);
  });

  it('finds itself dead when it goes on, and continues under a new name that holds nothing', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    const former = a.store.incarnation;
    await claimed(a, poll('t'));
    await ledgers.untilMissed(b);
    expect(await a.store.stillOurs(former, poll('t'))).toBe(false);
    expect(a.heard.declaredDead).toEqual([former]);
    expect(a.store.incarnation).not.toBe(former);
    expect(a.store.incarnation).toMatch(/^a\//);
    expect(a.store.alive).toBe(true);
    expect((await members()).sort()).toEqual([a.store.incarnation, b.store.incarnation].sort());
    await expect(a.store.claim(former, [poll('v')])).rejects.toThrow('declared dead');
    a.store.release(former, poll('t'));
    await a.store.flush();
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`1 ${b.store.incarnation}`);
    expect(await claimed(a, poll('v'))).toEqual(['ours']);
  });

  it('claims nothing under its old name, even before it has noticed', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    const former = a.store.incarnation;
    await ledgers.untilMissed(b);
    await expect(a.store.claim(former, [poll('t')])).rejects.toThrow('declared dead');
    expect(await ledgers.other.exists(ledgers.keys.claim('t'), ledgers.keys.held(former))).toBe(0);
  });

  it('inherits from itself what nobody else took', async () => {
    const a = await ledgers.open('a');
    const former = a.store.incarnation;
    await claimed(a, poll('t'));
    // As after a failover to a replica that had not heard of it.
    await ledgers.other.zrem(ledgers.keys.workers, former);
    await a.store.tick();
    expect(a.heard.declaredDead).toEqual([former]);
    expect(a.heard.takenOver).toEqual([{ from: former, tasks: [heldBy(former, 't')] }]);
  });
});

describe('a take-over', () => {
  it('whose answer was lost is found by the next beat', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    const tasks = Array.from({ length: 450 }, (_, index) => poll(`t${index}`));
    await claimed(a, ...tasks);
    await claimed(b, poll('own'), poll('own-2'));
    b.store.release(b.store.incarnation, poll('own-2'));
    let lost = 0;
    b.lose = (keys) => {
      if (!keys.includes(ledgers.keys.held(a.store.incarnation)) || lost > 1) return undefined;
      lost += 1;
      return lost === 2 ? 'after' : undefined;
    };
    await ledgers.untilMissed(b);
    expect(lost).toBe(2);
    const taken = b.heard.takenOver.flatMap(({ tasks: some }) => some.map(({ taskId }) => taskId));
    expect(taken.sort()).toEqual(tasks.map(({ taskId }) => taskId).sort());
  });

  it('skips what cannot be read, warns once, and leaves its claim to nobody', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    const dead = a.store.incarnation;
    await claimed(a, poll('t'), poll('u'), poll('v'));
    await ledgers.other.hset(ledgers.keys.held(dead), { u: 'SEKRET', v: '{"pollCount":"1"}' });
    await ledgers.untilMissed(b);
    expect(b.heard.takenOver).toEqual([{ from: dead, tasks: [heldBy(dead, 't')] }]);
    expect(await ledgers.other.exists(ledgers.keys.held(dead), ledgers.keys.claim('u'))).toBe(0);
    const warnings = b.captured.at('warn').filter(({ msg }) => msg.includes('cannot be read'));
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(b.captured.lines)).not.toContain('SEKRET');
  });
});

describe('a worker that leaves', () => {
  it('with nothing held is gone at once, without a trace', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    a.store.release(a.store.incarnation, poll('t'));
    await Promise.all([a.store.leave(), a.store.leave()]);
    expect(a.store.alive).toBe(false);
    await b.store.leave();
    expect(await ledgers.keysLeft()).toEqual(['run:claim:t', 'run:epoch', 'run:primary']);
  });

  it('is replaced at once in what it still holds', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'), poll('u'));
    a.store.release(a.store.incarnation, poll('u'));
    await a.store.leave();
    await b.store.tick();
    expect(b.heard.takenOver).toEqual([{ from: a.store.incarnation, tasks: [heldBy(a.store.incarnation, 't')] }]);
    expect(await members()).toEqual([b.store.incarnation]);
  });

  it('leaves on record even what could not be written before', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    a.lose = () => 'before';
    await expect(claimed(a, poll('t'))).rejects.toThrow();
    a.lose = undefined;
    await a.store.leave();
    await b.store.tick();
    expect(b.heard.takenOver).toHaveLength(1);
  });

  it('never comes back under any name', async () => {
    const a = await ledgers.open('a');
    await a.store.leave();
    await a.store.tick();
    await expect(claimed(a, poll('t'))).rejects.toThrow('has left');
    expect(await members()).toEqual([]);
  });

  it('does so without Redis, too', async () => {
    const a = await ledgers.open('a');
    a.lose = () => 'before';
    await a.store.leave();
    expect(a.captured.at('warn')).toMatchObject([{ msg: expect.stringContaining('could not leave') }]);
  });
});
