import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type {} from '../../support/redis-for-all.ts';
import { claimed, type Ledgers, openLedgers, poll } from '../support/ledger.ts';

let ledgers: Ledgers;
beforeEach(async () => {
  ledgers = await openLedgers(inject('redisUrl'));
});
afterEach(() => ledgers[Symbol.asyncDispose]());

describe('a claim', () => {
  it('is one incarnation’s for a poll, whoever else asks at the same moment', async () => {
    const workers = await Promise.all(['a', 'b', 'c', 'd'].map((label) => ledgers.open(label)));
    const tasks = Array.from({ length: 50 }, (_, index) => poll(`task-${index}`));
    const answers = await Promise.all(workers.map((worker) => claimed(worker, ...tasks)));
    for (const [index] of tasks.entries()) {
      expect(answers.filter((each) => each[index] === 'ours')).toHaveLength(1);
    }
  });

  it('goes to a later poll, and never back to an earlier one', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    expect(await claimed(a, poll('t', 2))).toEqual(['ours']);
    expect(await claimed(b, poll('t', 2))).toEqual(['taken']);
    expect(await claimed(b, poll('t', 3))).toEqual(['ours']);
    expect(await claimed(a, poll('t', 2))).toEqual(['taken']);
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`3 ${b.store.incarnation}`);
  });

  it('compares polls as numbers', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    expect(await claimed(a, poll('t', 9))).toEqual(['ours']);
    expect(await claimed(b, poll('t', 10))).toEqual(['ours']);
  });

  it('answers for each task of a batch, in its order', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t1'), poll('t3'));
    expect(await claimed(b, poll('t0'), poll('t1'), poll('t2'), poll('t3'))).toEqual([
      'ours',
      'taken',
      'ours',
      'taken',
    ]);
    expect(Object.keys(await ledgers.other.hgetall(ledgers.keys.held(b.store.incarnation))).sort()).toEqual([
      't0',
      't2',
    ]);
    expect(await b.store.claim(b.store.incarnation, [])).toEqual([]);
  });

  it('whose answer was lost is granted when it is repeated, and to nobody else', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    a.lose = () => 'after';
    await expect(claimed(a, poll('t'))).rejects.toThrow('lost');
    a.lose = undefined;
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`1 ${a.store.incarnation}`);
    expect(await claimed(b, poll('t'))).toEqual(['taken']);
    expect(await claimed(a, poll('t'))).toEqual(['ours']);
  });

  it('that never reached Redis is written with the next beat, unless the task was released', async () => {
    const a = await ledgers.open('a');
    a.lose = () => 'before';
    await expect(claimed(a, poll('t'), poll('u'))).rejects.toThrow('lost');
    a.store.release(a.store.incarnation, poll('u'));
    a.lose = undefined;
    await a.store.tick();
    expect(await ledgers.other.hkeys(ledgers.keys.held(a.store.incarnation))).toEqual(['t']);
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`1 ${a.store.incarnation}`);
    expect(await ledgers.other.get(ledgers.keys.claim('u'))).toBe(`1 released by ${a.store.incarnation}`);
  });

  it('lasts a day, and is still ours only as long as nobody has a later poll', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'));
    const seconds = await ledgers.other.ttl(ledgers.keys.claim('t'));
    expect(seconds).toBeGreaterThan(86_000);
    expect(seconds).toBeLessThanOrEqual(86_400);
    expect(await a.store.stillOurs(a.store.incarnation, poll('t'))).toBe(true);
    expect(await b.store.stillOurs(b.store.incarnation, poll('t'))).toBe(false);
    expect(await a.store.stillOurs(a.store.incarnation, poll('t', 2))).toBe(false);
    expect(await a.store.stillOurs('a/other', poll('t'))).toBe(false);
    await claimed(b, poll('t', 2));
    expect(await a.store.stillOurs(a.store.incarnation, poll('t'))).toBe(false);
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`2 ${b.store.incarnation}`);
  });

  it('by force replaces whatever stands there', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t', 7));
    await b.store.claimByForce(b.store.incarnation, poll('t', 1));
    expect(await b.store.stillOurs(b.store.incarnation, poll('t', 1))).toBe(true);
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`1 ${b.store.incarnation}`);
  });

  it('is refused to a name that is not this worker’s any more', async () => {
    const a = await ledgers.open('a');
    await expect(a.store.claim('a/former', [poll('t')])).rejects.toThrow('a/former was declared dead');
    expect(await ledgers.other.exists(ledgers.keys.claim('t'))).toBe(0);
  });

  it('brings the place in the lane of a task that waited before', async () => {
    const a = await ledgers.open('a');
    const ticket = { taskId: 't', lane: 'l', order: 17, firstThrottledAt: 5, throttles: 2 };
    await ledgers.other.set(ledgers.keys.ticket('t'), JSON.stringify(ticket));
    await ledgers.other.set(ledgers.keys.ticket('u'), '{"taskId":"u","lane":"l","order":1,"throttles":0}');
    const answers = await a.store.claim(a.store.incarnation, [poll('t', 2), poll('u', 2), poll('v', 2), poll('t', 1)]);
    expect(answers).toEqual([
      { kind: 'ours', ticket },
      { kind: 'ours', ticket: { taskId: 'u', lane: 'l', order: 1, firstThrottledAt: undefined, throttles: 0 } },
      { kind: 'ours', ticket: undefined },
      { kind: 'taken' },
    ]);
  });

  it('is given once for a poll that came twice', async () => {
    const a = await ledgers.open('a');
    expect(await claimed(a, poll('t'), poll('t'))).toEqual(['ours', 'taken']);
  });
});

describe('a release', () => {
  it('takes the task off the ledger and leaves for ten minutes that this poll is over', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'), poll('u'));
    a.store.release(a.store.incarnation, poll('t'));
    await expect.poll(() => ledgers.other.hkeys(ledgers.keys.held(a.store.incarnation))).toEqual(['u']);
    const seconds = await ledgers.other.ttl(ledgers.keys.claim('t'));
    expect(seconds).toBeGreaterThan(500);
    expect(seconds).toBeLessThanOrEqual(600);
    expect(await a.store.stillOurs(a.store.incarnation, poll('t'))).toBe(false);
    expect(await claimed(a, poll('t'))).toEqual(['taken']);
    expect(await claimed(b, poll('t'))).toEqual(['taken']);
    expect(await claimed(b, poll('t', 2))).toEqual(['ours']);
  });

  it('travels with the next claim', async () => {
    const a = await ledgers.open('a');
    await claimed(a, poll('t'));
    a.store.release(a.store.incarnation, poll('t'));
    await claimed(a, poll('u'));
    expect(await ledgers.other.hkeys(ledgers.keys.held(a.store.incarnation))).toEqual(['u']);
  });

  it('of an earlier poll leaves a later one alone, whoever has it', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    await claimed(a, poll('t'), poll('u'));
    await claimed(a, poll('t', 2));
    await claimed(b, poll('u', 2));
    for (const id of ['t', 'u']) a.store.release(a.store.incarnation, poll(id));
    await a.store.flush();
    expect(await ledgers.other.get(ledgers.keys.claim('t'))).toBe(`2 ${a.store.incarnation}`);
    expect(await ledgers.other.get(ledgers.keys.claim('u'))).toBe(`2 ${b.store.incarnation}`);
    expect(await ledgers.other.hkeys(ledgers.keys.held(a.store.incarnation))).toEqual(['t']);
    expect(await a.store.stillOurs(a.store.incarnation, poll('t', 2))).toBe(true);
  });

  it('is tried until Redis takes it', async () => {
    const a = await ledgers.open('a');
    const tasks = Array.from({ length: 1_200 }, (_, index) => poll(`t${index}`));
    await claimed(a, ...tasks);
    const ready = await a.cut();
    for (const task of tasks) a.store.release(a.store.incarnation, task);
    await expect(a.store.flush()).rejects.toThrow();
    expect(await ledgers.other.hlen(ledgers.keys.held(a.store.incarnation))).toBe(1_200);
    await ready();
    await a.store.tick();
    expect(await ledgers.other.hlen(ledgers.keys.held(a.store.incarnation))).toBe(0);
  });
});

describe('what a stranger wrote', () => {
  it('in place of a claim is replaced, with a warning', async () => {
    const a = await ledgers.open('a');
    await ledgers.other.set(ledgers.keys.claim('t'), 'nonsense');
    await ledgers.other.hset(ledgers.keys.claim('u'), 'x', 'y');
    expect(await claimed(a, poll('t'), poll('u'))).toEqual(['ours', 'ours']);
    expect(await ledgers.other.get(ledgers.keys.claim('u'))).toBe(`1 ${a.store.incarnation}`);
    expect(a.captured.at('warn')).toMatchObject([{ taskId: 't' }]);
  });

  it.each(['nonsense', '{"taskId":7}', '{"lane":"SEKRET"}', '[]'])(
    'in place of a ticket (%s) is no ticket',
    async (text) => {
      const a = await ledgers.open('a');
      await ledgers.other.set(ledgers.keys.ticket('t'), text);
      for (const count of [2, 3]) {
        expect(await a.store.claim(a.store.incarnation, [poll('t', count)])).toEqual([
          { kind: 'ours', ticket: undefined },
        ]);
      }
      expect(a.captured.at('warn')).toMatchObject([{ key: ledgers.keys.ticket('t') }]);
      expect(JSON.stringify(a.captured.lines)).not.toContain('SEKRET');
    },
  );
});

describe('an answer', () => {
  const answer = { inputHash: 'abc', result: { status: 'COMPLETED', outputData: { result: 'x' } } } as const;

  it('is kept for a day, for whoever asks', async () => {
    const [a, b] = [await ledgers.open('a'), await ledgers.open('b')];
    expect(await b.store.answerOf('t')).toBeUndefined();
    await a.store.keepAnswer('t', answer);
    expect(await b.store.answerOf('t')).toEqual(answer);
    expect(await ledgers.other.ttl(ledgers.keys.answer('t'))).toBeGreaterThan(86_000);
  });

  it('that was delivered is gone, or stays as long as it is told', async () => {
    const a = await ledgers.open('a');
    for (const id of ['t', 'u', 'v']) await a.store.keepAnswer(id, answer);
    a.store.answerDelivered('t', 0);
    a.store.answerDelivered('u', 700);
    await expect.poll(() => ledgers.other.exists(ledgers.keys.answer('t'))).toBe(0);
    const seconds = await ledgers.other.ttl(ledgers.keys.answer('u'));
    expect(seconds).toBeGreaterThan(600);
    expect(seconds).toBeLessThanOrEqual(700);
    expect(await a.store.answerOf('v')).toEqual(answer);
  });

  it.each(['nonsense', '{"inputHash":"x","result":{"status":"IN_PROGRESS"}}', '{"result":{"status":"COMPLETED"}}'])(
    'that cannot be read (%s) is none',
    async (text) => {
      const a = await ledgers.open('a');
      await ledgers.other.set(ledgers.keys.answer('t'), text);
      expect(await a.store.answerOf('t')).toBeUndefined();
      expect(await a.store.answerOf('t')).toBeUndefined();
      expect(a.captured.at('warn')).toHaveLength(1);
    },
  );
});
