import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type {} from '../../support/redis-for-all.ts';
import { claimed, heldBy, type Ledgers, openLedgers, poll } from '../support/ledger.ts';

let ledgers: Ledgers;
beforeEach(async () => {
  ledgers = await openLedgers(inject('redisUrl'));
});
afterEach(() => ledgers[Symbol.asyncDispose]());

describe('a suspect', () => {
  it('is known to all, with whether it lives, until it is acquitted', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await a.store.suspect(a.store.incarnation);
    await a.store.suspect('gone/1');
    const { now, found } = await b.store.suspects();
    const moments = { since: expect.any(Number), latest: expect.any(Number) };
    expect(found).toHaveLength(2);
    expect(found).toEqual(
      expect.arrayContaining([
        { incarnation: a.store.incarnation, ...moments, living: true },
        { incarnation: 'gone/1', ...moments, living: false },
      ]),
    );
    for (const { since, latest } of found) expect([since <= latest, latest <= now]).toEqual([true, true]);
    for (const suspect of found) await b.store.acquit(suspect);
    expect((await a.store.suspects()).found).toEqual([]);
  });

  it('that leaves with tasks is not living', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    await a.store.suspect(a.store.incarnation);
    await a.store.leave();
    expect((await b.store.suspects()).found).toMatchObject([{ living: false }]);
  });

  it('that was suspected again meanwhile is not acquitted', async () => {
    const a = await ledgers.open('a');
    await a.store.suspect('x/1');
    const [before] = (await a.store.suspects()).found;
    await ledgers.other.hset(ledgers.keys.suspects, 'x/1', '9999999999999');
    await a.store.acquit(before ?? { incarnation: '', since: 0, latest: 0, living: false });
    expect((await a.store.suspects()).found).toMatchObject([{ since: 9_999_999_999_999 }]);
  });

  it('is so from the first time on, and until what the last time brought has been looked for', async () => {
    const a = await ledgers.open('a');
    await a.store.suspect('x/1');
    const [first] = (await a.store.suspects()).found;
    await sleep(2);
    await a.store.suspect('x/1');
    const [again] = (await a.store.suspects()).found;
    expect(again?.since).toBe(first?.since);
    expect(again?.latest).toBeGreaterThan(first?.latest ?? 0);
    if (first !== undefined) await a.store.acquit(first);
    expect((await a.store.suspects()).found).toEqual([again]);
    if (again !== undefined) await a.store.acquit(again);
    expect((await a.store.suspects()).found).toEqual([]);
  });

  it('by its death is so since its last sign of life', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    const heard = Number(await ledgers.other.zscore(ledgers.keys.workers, a.store.incarnation));
    await ledgers.untilMissed(b);
    expect((await b.store.suspects()).found).toEqual([
      { incarnation: a.store.incarnation, since: heard, latest: heard, living: false },
    ]);
  });

  it('that a stranger wrote is skipped, with one warning', async () => {
    const a = await ledgers.open('a');
    await ledgers.other.hset(ledgers.keys.suspects, { 'x/1': 'yesterday', 'y/1': '17' });
    for (let times = 0; times < 2; times += 1) {
      expect((await a.store.suspects()).found).toEqual([{ incarnation: 'y/1', since: 17, latest: 17, living: false }]);
    }
    expect(a.captured.at('warn')).toHaveLength(1);
  });
});

describe('the replica that looks for lost tasks', () => {
  it('is one at a time, as long as it says so', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    const elected = await Promise.all([a.store.elect(), b.store.elect()]);
    expect([...elected].sort()).toEqual([false, true]);
    const [first, second] = elected[0] ? [a, b] : [b, a];
    expect(await first.store.elect()).toBe(true);
    expect(await second.store.elect()).toBe(false);
    const left = await ledgers.other.pttl(ledgers.keys.sweep);
    expect(left).toBeGreaterThan(20_000);
    expect(left).toBeLessThanOrEqual(30_000);
    await ledgers.other.del(ledgers.keys.sweep);
    expect(await second.store.elect()).toBe(true);
    expect(await first.store.elect()).toBe(false);
  });

  it('is another as soon as it has left, or was declared dead', async () => {
    const [a, b, c] = [await ledgers.open('a'), await ledgers.open('b'), await ledgers.open('c')];
    expect(await a.store.elect()).toBe(true);
    await a.store.leave();
    expect(await b.store.elect()).toBe(true);
    expect(await c.store.elect()).toBe(false);
    await ledgers.untilMissed(c);
    expect(await c.store.elect()).toBe(true);
  });
});

describe('a poll that nobody claimed', () => {
  it('is told from those that somebody did, or a later one', async () => {
    const a = await ledgers.open('a');
    await claimed(a, poll('held', 2), poll('over'), poll('older'));
    a.store.release(a.store.incarnation, poll('over'));
    await a.store.flush();
    await ledgers.other.set(ledgers.keys.claim('spoilt'), 'nonsense');
    const asked = [
      heldBy('x/1', 'held', 2),
      heldBy('x/1', 'held', 1),
      heldBy('x/1', 'over'),
      heldBy('x/1', 'older', 2),
      heldBy('x/1', 'free'),
      heldBy('x/1', 'spoilt'),
    ];
    expect((await a.store.unclaimed(asked)).map(({ taskId }) => taskId)).toEqual(['older', 'free', 'spoilt']);
    expect(await a.store.unclaimed([])).toEqual([]);
  });

  it('is adopted once, and then claimed by nobody else, not even by the one whose poll it was', async () => {
    const [a, b, c] = [await ledgers.open('a'), await ledgers.open('b'), await ledgers.open('c')];
    const lost = heldBy(a.store.incarnation, 't');
    const adopted = await Promise.all([b.store.adopt([lost]), c.store.adopt([lost])]);
    expect(adopted.flat()).toEqual([lost]);
    const adopter = adopted[0].length === 1 ? b : c;
    expect(await adopter.store.adopt([lost])).toEqual([]);
    expect(await claimed(a, poll('t'))).toEqual(['taken']);
    expect(await adopter.store.stillOurs(adopter.store.incarnation, poll('t'))).toBe(true);
    adopter.store.release(adopter.store.incarnation, poll('t'));
    await adopter.store.flush();
    expect(await claimed(adopter, poll('t'))).toEqual(['taken']);
  });

  it('of this worker itself is not run once it was adopted, should its answer come after all', async () => {
    const a = await ledgers.open('a');
    expect(await a.store.adopt([heldBy(a.store.incarnation, 't')])).toHaveLength(1);
    expect(await claimed(a, poll('t'), poll('u'))).toEqual(['taken', 'ours']);
    a.store.release(a.store.incarnation, poll('t'));
    expect(await claimed(a, poll('t'))).toEqual(['taken']);
    expect(await claimed(a, poll('t', 2))).toEqual(['ours']);
  });

  it('is not adopted from a worker that has claimed it', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    expect(await b.store.adopt([heldBy(a.store.incarnation, 't')])).toEqual([]);
    expect(await b.store.stillOurs(b.store.incarnation, poll('t'))).toBe(false);
  });

  it('that was adopted without an answer is told of with the next beat, as taken over', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(b, poll('own'));
    const lost = heldBy(a.store.incarnation, 't');
    b.lose = () => 'after';
    await expect(b.store.adopt([lost])).rejects.toThrow('lost');
    b.lose = undefined;
    expect(b.heard.takenOver).toEqual([]);
    // Still on record when the beat looks, and not to be rescued.
    b.store.release(b.store.incarnation, poll('own'));
    await b.store.tick();
    expect(b.heard.takenOver).toMatchObject([{ tasks: [lost] }]);
    await b.store.tick();
    expect(b.heard.takenOver).toHaveLength(1);
  });
});
