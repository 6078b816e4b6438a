import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openRedis, RUNTIME_CONNECTION } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { createUsageRecorder, type Use } from '../../../src/telemetry/usage.ts';
import { createUsageReader } from '../../../src/telemetry/usage-reader.ts';
import type {} from '../../support/redis-for-all.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { capturedLog, freshPrefix, until } from '../support/live-catalog.ts';

let proxy: TcpProxy;
let runtime: Redis;
let other: Redis;
let keys: ReturnType<typeof keyNames>['usage'];
const captured = capturedLog();
const at = { ms: 0 };
beforeEach(async () => {
  const { hostname, port } = new URL(inject('redisUrl'));
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  runtime = openRedis({ url: `redis://127.0.0.1:${proxy.port}`, cluster: false }, 'usage', captured.log, {
    ...RUNTIME_CONNECTION,
    retryStrategy: () => 20,
  });
  await runtime.connect();
  other = new Redis(inject('redisUrl'));
  keys = keyNames(freshPrefix()).usage;
  at.ms = Date.parse('2026-11-26T23:59:59Z');
});
afterEach(async () => {
  runtime.disconnect();
  other.disconnect();
  await proxy.close();
});

const recorder = (instance = 'worker/1') =>
  createUsageRecorder({
    redis: runtime,
    keys,
    instance,
    log: captured.log,
    clock: { now: () => at.ms, learn: () => undefined },
  });
const use = (more: Partial<Use> = {}): Use => ({
  ...{ integration: 'prod', model: 'cohere.embed-v4:0', subject: 'USER:app:claims' },
  tokens: { prompt: 5, completion: 7 },
  spent: { accounts: ['MODEL:prod:cohere.embed-v4:0', 'USER:app:claims'], tokens: 12 },
  ...more,
});
const read = (...days: string[]) => createUsageReader({ redis: other, keys }).ofIntegration('prod', days, 'every');
const counts = (calls: number, promptTokens: number, completionTokens: number, cacheHits = 0) => ({
  ...{ calls, promptTokens, completionTokens, cacheHits },
});

describe('what is used', () => {
  it('is added up by model and day, from all processes, and by subject beside', async () => {
    const [one, two] = [recorder('worker/1'), recorder('worker/2')];
    for (const each of [one, two]) each.record(use());
    two.record(use({ subject: 'USER:alice@example.com', tokens: { prompt: 1 } }));
    two.record(use({ subject: '', tokens: {} }));
    two.record(use({ model: 'a', tokens: { completion: 2 } }));
    two.record(use({ integration: 'other' }));
    at.ms += 2_000;
    one.record(use({ tokens: { prompt: 100 } }));
    await Promise.all([one.flush(), two.flush()]);
    expect(await read('2026-11-26', '2026-11-27', '2026-11-28')).toEqual([
      { day: '2026-11-26', model: 'a', ...counts(1, 0, 2) },
      { day: '2026-11-26', model: 'cohere.embed-v4:0', ...counts(4, 11, 14) },
      { day: '2026-11-27', model: 'cohere.embed-v4:0', ...counts(1, 100, 0) },
    ]);
    const field = (...parts: string[]) => JSON.stringify([...parts, 'prod', 'cohere.embed-v4:0', 'promptTokens']);
    const subjects = await other.hgetall(keys.subjects('2026-11-26'));
    expect(subjects).toMatchObject({ [field('USER:app:claims')]: '10', [field('USER:alice@example.com')]: '1' });
    expect(Object.keys(subjects).filter((name) => name.startsWith('[""'))).toEqual([]);
  });

  it('counts what was given from a cache by itself: no call, no tokens, and nothing for any limit', async () => {
    const hits = { integration: 'prod', model: 'cohere.embed-v4:0', subject: 'USER:app:claims' };
    const one = recorder();
    one.recordHits({ ...hits, hits: 0 });
    await one.flush();
    expect(await other.keys(`${keys.totals('')}*`)).toEqual([]);
    one.record(use());
    one.recordHits({ ...hits, hits: 96 });
    one.recordHits({ ...hits, hits: 2 });
    await one.flush();
    expect(await read('2026-11-26')).toEqual([
      { day: '2026-11-26', model: 'cohere.embed-v4:0', ...counts(1, 5, 7, 98) },
    ]);
    expect(await other.hgetall(keys.subjects('2026-11-26'))).toMatchObject({
      [JSON.stringify(['USER:app:claims', 'prod', 'cohere.embed-v4:0', 'cacheHits'])]: '98',
    });
    expect(await other.hvals(keys.spent('2026-11-26'))).toEqual(['12', '12']);
  });

  it('is kept for 400 days', async () => {
    const one = recorder();
    one.record(use());
    await one.flush();
    const days = await Promise.all(
      [keys.totals('2026-11-26'), keys.subjects('2026-11-26')].map((key) => other.ttl(key)),
    );
    for (const seconds of days) expect(Math.ceil(seconds / 86_400)).toBe(400);
  });

  it('is written by itself, and more than one script takes at once', async () => {
    const one = recorder();
    for (let index = 0; index < 450; index += 1) one.record(use({ subject: `USER:${index}` }));
    one.start();
    await expect.poll(() => read('2026-11-26'), { timeout: 5_000 }).toMatchObject([counts(450, 2_250, 3_150)]);
    one.stop();
  });

  it('waits for a Redis that is away, and is counted once', async () => {
    const one = recorder();
    one.record(use());
    await proxy.cut();
    await until(() => runtime.status !== 'ready');
    await expect(one.flush()).rejects.toThrow();
    one.record(use());
    await expect(one.flush()).rejects.toThrow();
    await proxy.mend();
    await until(() => runtime.status === 'ready', 10_000);
    await one.flush();
    await one.flush();
    expect(await read('2026-11-26')).toMatchObject([counts(2, 10, 14)]);
  });

  it('is counted once where Redis counted it and its answer was lost', async () => {
    // Whoever did not hear sends the very same again: the first of a process, twice.
    for (const each of [recorder(), recorder()]) {
      each.record(use());
      await each.flush();
    }
    expect(await read('2026-11-26')).toMatchObject([counts(1, 5, 7)]);
  });

  it('is written for whoever waits, though others count and wait all the time', async () => {
    const one = recorder();
    const recorded = { before: 0 };
    const wait = async (): Promise<void> => {
      for (let round = 0; round < 30; round += 1) {
        one.record(use({ tokens: { prompt: 1 } }));
        recorded.before += 1;
        const mine = recorded.before;
        await one.flush();
        // What I counted is there, with all that was counted before it.
        const field = JSON.stringify(['prod', 'cohere.embed-v4:0', 'promptTokens']);
        expect(Number(await other.hget(keys.totals('2026-11-26'), field))).toBeGreaterThanOrEqual(mine);
      }
    };
    await Promise.all(Array.from({ length: 10 }, wait));
    expect(await read('2026-11-26')).toMatchObject([{ calls: 300, promptTokens: 300 }]);
  });

  it('is counted beside what a stranger wrote there', async () => {
    await other.hset(keys.totals('2026-11-26'), JSON.stringify(['prod', 'cohere.embed-v4:0', 'calls']), 'many');
    await other.hset(keys.totals('2026-11-26'), 'nonsense', '7');
    await other.set(keys.subjects('2026-11-26'), 'a string');
    const one = recorder();
    one.record(use());
    await one.flush();
    expect(await read('2026-11-26')).toMatchObject([counts(0, 5, 7)]);
  });
});
