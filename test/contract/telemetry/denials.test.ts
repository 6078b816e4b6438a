import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { commandAuthor } from '../../../src/audit/author.ts';
import { createTrail } from '../../../src/audit/trail.ts';
import { commit } from '../../../src/redis/commit.ts';
import { openRedis } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { createDenialRecorder, type Denial, MORE_TARGETS } from '../../../src/telemetry/denials.ts';
import type {} from '../../support/redis-for-all.ts';
import { capturedLog, freshPrefix } from '../support/live-catalog.ts';

const DENIAL: Denial = {
  subject: 'USER:app:claims',
  source: 'application',
  target: 'bedrock-prod:cohere.embed-v4:0',
  missing: 'EXECUTE on INTEGRATION:bedrock-prod:cohere.embed-v4:0',
  mode: 'enforce',
  workflowId: 'workflow-1',
  workflowType: 'claims_intake',
  taskId: 'task-1',
};

let redis: Redis;
beforeEach(() => {
  redis = new Redis(inject('redisUrl'));
});
afterEach(() => redis.disconnect());

const fieldsOf = (fields: readonly string[]) =>
  Object.fromEntries(fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1]]] : [])));

const at = (minute: number, seconds = 0) => Date.parse('2026-11-26T12:00:00Z') + minute * 60_000 + seconds * 1_000;
const entriesOf = async (stream: string) =>
  (await redis.xrange(stream, '-', '+')).map(([, fields]) => fieldsOf(fields) as Record<string, string>);

/** A recorder whose clock the test moves. */
function recorderAt(stream: string, level = 'silent') {
  const clock = { now: at(0) };
  const captured = capturedLog(level);
  const recorder = createDenialRecorder({ redis, stream, log: captured.log, now: () => clock.now });
  return { recorder, clock, captured };
}

describe('the record of denials', () => {
  it('is the stream <prefix>run:denials, with every field and the time', async () => {
    const prefix = freshPrefix();
    const { recorder, captured } = recorderAt(keyNames(prefix).denials, 'info');
    recorder.record(DENIAL);
    recorder.record({ ...DENIAL, mode: 'audit', taskId: 'task-2' });
    await recorder.flush();

    const [first, second, ...more] = await entriesOf(`${prefix}run:denials`);
    expect(first).toEqual({ ...DENIAL, time: '2026-11-26T12:00:00.000Z', count: '1', since: '' });
    expect(second).toMatchObject({ mode: 'audit', taskId: 'task-2', count: '1' });
    expect(more).toEqual([]);
    expect(captured.at('info').map(({ msg }) => msg)).toEqual(['A task is denied', 'A task would be denied']);
  });

  it('holds the first of a kind in a minute, and when that is over how many more there were', async () => {
    const { denials } = keyNames(freshPrefix());
    const { recorder, clock, captured } = recorderAt(denials, 'info');
    const other = { ...DENIAL, subject: 'USER:bob' };
    for (let n = 0; n < 5; n += 1) recorder.record({ ...DENIAL, taskId: `task-${n}` });
    recorder.record(other);
    clock.now = at(1, 5);
    recorder.record({ ...DENIAL, taskId: 'task-5' });
    recorder.record({ ...DENIAL, taskId: 'task-6' });
    await recorder.flush();
    await recorder.flush();
    const [kind, noTask] = [DENIAL.subject, { workflowId: '', workflowType: '', taskId: '' }];
    expect(await entriesOf(denials)).toMatchObject([
      { subject: kind, taskId: 'task-0', count: '1' },
      { subject: 'USER:bob', count: '1' },
      { subject: kind, ...noTask, count: '4', since: '2026-11-26T12:00:00.000Z' },
      { subject: kind, taskId: 'task-5', count: '1' },
      { subject: kind, ...noTask, count: '1', since: '2026-11-26T12:01:00.000Z' },
    ]);
    expect(captured.at('info')).toHaveLength(8);
  });

  it('logs every task, and of requests to the API the first of a kind, for those cost nothing to send', async () => {
    const { recorder, captured } = recorderAt(keyNames(freshPrefix()).denials, 'info');
    for (let n = 0; n < 10; n += 1) {
      recorder.record({ ...DENIAL, taskId: `task-${n}` });
      recorder.record({ ...DENIAL, source: 'api', taskId: '' });
    }
    await recorder.flush();
    const words = captured.at('info').map(({ msg }) => msg);
    expect(words.filter((word) => word === 'A task is denied')).toHaveLength(10);
    expect(words.filter((word) => word === 'A request is denied')).toHaveLength(1);
  });

  it('writes the count of a minute that is over although nothing more is denied', async () => {
    const { denials } = keyNames(freshPrefix());
    const { recorder, clock } = recorderAt(denials);
    clock.now = at(0, 59.9);
    recorder.record(DENIAL);
    recorder.record(DENIAL);
    await expect
      .poll(async () => (await entriesOf(denials)).map(({ count, since }) => [count, since !== '']))
      .toEqual([
        ['1', false],
        ['1', true],
      ]);
  });

  it('tells a hundred kinds of one subject apart within a minute, and a thousand in all; every denial is counted', async () => {
    const { denials } = keyNames(freshPrefix());
    const { recorder } = recorderAt(denials);
    const [subjects, targets] = [20, 300];
    for (let target = 0; target < targets; target += 1) {
      for (let subject = 0; subject < subjects; subject += 1) {
        recorder.record({ ...DENIAL, subject: `USER:${subject}`, target: `model-${target}` });
      }
    }
    await recorder.flush();
    const entries = await entriesOf(denials);
    const sum = entries.reduce((all, { count }) => all + Number(count), 0);
    expect(sum).toBe(subjects * targets);
    expect(entries.length).toBeLessThanOrEqual(2 * 1_001);
    expect(entries.some(({ target }) => target === MORE_TARGETS)).toBe(true);
  });

  it('leaves room for others whatever one subject asks for', async () => {
    const { denials } = keyNames(freshPrefix());
    const { recorder } = recorderAt(denials);
    for (let n = 0; n < 5_000; n += 1) recorder.record({ ...DENIAL, target: `model-${n}` });
    recorder.record({ ...DENIAL, subject: 'USER:bob' });
    await recorder.flush();
    const entries = await entriesOf(denials);
    // A hundred targets, what stands for the others, their number, and the one of somebody else.
    expect(entries).toHaveLength(103);
    expect(entries.at(-2)).toMatchObject({ subject: 'USER:bob', target: DENIAL.target });
  });

  it('keeps names short, however long they were', async () => {
    const { denials } = keyNames(freshPrefix());
    const { recorder } = recorderAt(denials);
    recorder.record({ ...DENIAL, target: 'x'.repeat(100_000) });
    await recorder.flush();
    expect((await entriesOf(denials))[0]?.['target']).toHaveLength(512);
  });

  it('keeps about the last 10,000', async () => {
    const stream = keyNames(freshPrefix()).denials;
    const { recorder, clock } = recorderAt(stream);
    for (let minute = 0; minute < 110; minute += 1) {
      clock.now = at(minute);
      for (let n = 0; n < 100; n += 1) recorder.record({ ...DENIAL, target: `model-${n}`, taskId: `task-${minute}` });
      await recorder.flush();
    }
    const kept = await redis.xlen(stream);
    expect(kept).toBeGreaterThanOrEqual(10_000);
    expect(kept).toBeLessThan(10_500);
    const [newest] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1);
    expect(fieldsOf(newest?.[1] ?? [])).toMatchObject({ target: 'model-99', taskId: 'task-109' });
  });

  it('warns and goes on where the key is of another type', async () => {
    const stream = keyNames(freshPrefix()).denials;
    await redis.set(stream, 'a string');
    const { recorder, captured } = recorderAt(stream, 'warn');
    recorder.record(DENIAL);
    await recorder.flush();
    expect(captured.at('warn')).toMatchObject([{ msg: 'A denial could not be put on record in Redis' }]);
  });

  it('holds no more than 1,000 unwritten ones for a Redis that is away, yet logs every one', async () => {
    const { log, at: logged } = capturedLog();
    const away = openRedis({ url: 'redis://127.0.0.1:1', cluster: false }, 'away', capturedLog('silent').log);
    let asked = 0;
    const counted = new Proxy(away, {
      get: (target, name) => {
        if (name === 'pipeline') asked += 1;
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    let now = at(0);
    const recorder = createDenialRecorder({ redis: counted, stream: 'x', log, now: () => now });
    for (let n = 0; n < 1_200; n += 1) {
      now = at(Math.floor(n / 400));
      recorder.record({ ...DENIAL, subject: `USER:${n}` });
    }
    expect(asked).toBe(1_000);
    expect(logged('info')).toHaveLength(1_200);
    await recorder.flush();
    away.disconnect();
    // The thousand, and what was counted.
    expect(logged('warn')).toHaveLength(1_001);
  });
});

describe('a flood of denials', () => {
  it('of a million removes no change, and leaves a few entries', async () => {
    const names = keyNames(freshPrefix());
    const edits = Array.from({ length: 1_000 }, (_, n) => ({
      key: names.hash('roles'),
      field: `role-${n}`,
      before: undefined,
      after: '{}',
    }));
    await commit(redis, edits, createTrail({ names, keptForMs: 24 * 3_600_000, author: commandAuthor('test') }));
    const before = await redis.xrange(names.audit, '-', '+');
    const { recorder, clock } = recorderAt(names.denials);
    const million = 1_000_000;
    for (let n = 0; n < million; n += 1) {
      // Ten minutes of it: a hundred kinds, and names that somebody makes up.
      if (n % 1_000 === 0) clock.now = at(0) + Math.floor((n / million) * 600_000);
      const target = n % 2 === 0 ? `model-${n % 100}` : `made-up-${n}`;
      recorder.record({ ...DENIAL, subject: `USER:${n % 7}`, target, taskId: `task-${n}` });
      if (n % 10_000 === 0) await recorder.flush();
    }
    await recorder.flush();
    expect(await redis.xrange(names.audit, '-', '+')).toEqual(before);
    const entries = await entriesOf(names.denials);
    expect(entries.length).toBeLessThan(10_500);
    // Dropped ones among them, by number: of all that are left none is counted twice.
    expect(entries.reduce((all, { count }) => all + Number(count), 0)).toBeLessThanOrEqual(million);
  }, 120_000);
});
