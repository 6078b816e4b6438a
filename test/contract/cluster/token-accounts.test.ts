import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import type { Snapshot } from '../../../src/catalog/snapshot.ts';
import { createTokenAccounts } from '../../../src/cluster/token-accounts.ts';
import type { Limit } from '../../../src/limits/limit-book.ts';
import { type PeriodAt, periodAt } from '../../../src/limits/periods.ts';
import { openRedis, RUNTIME_CONNECTION } from '../../../src/redis/connect.ts';
import { keyNames, type UsageKeys } from '../../../src/redis/keys.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { snapshotOf, WORLD } from '../../workers/support/llm.ts';
import { capturedLog, freshPrefix, until } from '../support/live-catalog.ts';

const ALICE = 'USER:alice';
const USE = { integration: 'prod', model: 'm', subject: ALICE } as const;

/** A Redis of its own: what other tests ask must not be counted. */
let server: Server;
let proxy: TcpProxy;
let other: Redis;
let keys: UsageKeys;
let snapshot: Snapshot;
let made = 0;
const captured = capturedLog();
const connections: Redis[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  proxy = await startTcpProxy({ host: '127.0.0.1', port: server.port });
  other = new Redis(server.url);
  keys = keyNames(freshPrefix()).usage;
  captured.lines.length = 0;
});
afterEach(async () => {
  vi.useRealTimers();
  for (const connection of [...connections.splice(0), other]) connection.disconnect();
  await proxy.close();
});

interface ReplicaOptions {
  readonly periodAt?: PeriodAt;
  readonly catalog?: () => Snapshot;
  readonly commandTimeout?: number;
}

/** One worker's part, over a connection of its own. */
async function replica({ commandTimeout = RUNTIME_CONNECTION.commandTimeout, ...more }: ReplicaOptions = {}) {
  made += 1;
  const instance = `worker/${made}`;
  const redis = openRedis({ url: `redis://127.0.0.1:${proxy.port}`, cluster: false }, 'limits', captured.log, {
    ...{ ...RUNTIME_CONNECTION, commandTimeout },
    retryStrategy: () => 20,
  });
  connections.push(redis);
  await redis.connect();
  const accounts = createTokenAccounts({
    ...{ redis, keys, instance, log: captured.log, catalog: () => snapshot, ...more },
  });
  const { usage, limits } = accounts;
  const concerned = (of: readonly string[] = [ALICE]) => limits.on(snapshot, of);
  return {
    ...{ redis, ...accounts, concerned },
    record: (tokens: number, of: readonly string[] = [ALICE]) =>
      usage.record({ ...USE, tokens: { prompt: tokens }, spent: { accounts: of, tokens } }),
    /** What is used of the one limit where it is used up. */
    async usedUp(of?: readonly string[]): Promise<number | undefined> {
      return [...(await limits.reached(concerned(of))).values()][0]?.used;
    },
  };
}

async function setLimit(maxTokens: number | undefined, frequency = 'daily'): Promise<void> {
  snapshot = await snapshotOf({ ...WORLD, users: { alice: maxTokens === undefined ? {} : { maxTokens, frequency } } });
}
const spent = async (period = periodAt('daily', Date.now()).name, account = ALICE) =>
  Number((await other.hget(keys.spent(period), account)) ?? 0);
const warnings = () => captured.at('warn').filter(({ msg }) => msg.includes('is used up to'));

describe('a token limit over several workers', () => {
  it('is overshot by no more than what was running when it was reached', async () => {
    await setLimit(1_000);
    const [workers, places, tokens] = [4, 5, 7];
    const replicas = await Promise.all(Array.from({ length: workers }, () => replica()));
    const sums = { running: 0, known: 0, runningWhenReached: undefined as number | undefined, refused: 0 };
    const place = async ({ usedUp, record, limits }: Awaited<ReturnType<typeof replica>>): Promise<void> => {
      for (;;) {
        // From the question to the count: what was let go and has not counted yet.
        sums.running += 1;
        if ((await usedUp()) !== undefined) {
          sums.running -= 1;
          sums.refused += 1;
          return;
        }
        await sleep(Math.random() * 4);
        record(tokens);
        sums.known += tokens;
        if (sums.known >= 1_000) sums.runningWhenReached ??= sums.running;
        await limits.settle();
        sums.running -= 1;
      }
    };
    await Promise.all(replicas.flatMap((one) => Array.from({ length: places }, () => place(one))));
    expect(sums.refused).toBe(workers * places);
    const used = await spent();
    expect(used).toBe(sums.known);
    expect(used).toBeGreaterThanOrEqual(1_000);
    expect(used - 1_000).toBeLessThanOrEqual((sums.runningWhenReached ?? 0) * tokens);
  });

  it('knows what was used before it was set, by whomever, and by members of a group', async () => {
    await setLimit(undefined);
    const [one, two] = [await replica(), await replica()];
    one.record(60, [ALICE, 'GROUP:analysts']);
    two.record(50, ['USER:bob', 'GROUP:analysts']);
    await Promise.all([one.usage.flush(), two.usage.flush()]);
    snapshot = await snapshotOf({
      ...{ users: { alice: { maxTokens: 60, frequency: 'weekly' }, bob: { maxTokens: 51, frequency: 'weekly' } } },
      groups: { analysts: { maxTokens: 110, frequency: 'monthly' } },
    });
    expect(await two.usedUp()).toBe(60);
    expect(await one.usedUp(['GROUP:analysts'])).toBe(110);
    expect(await one.usedUp(['USER:bob'])).toBeUndefined();
  });

  it('outlives the worker that counted', async () => {
    await setLimit(10);
    const one = await replica();
    one.record(10);
    await one.limits.settle();
    one.redis.disconnect();
    expect(await (await replica()).usedUp()).toBe(10);
  });

  it('of several kinds and periods is one question', async () => {
    snapshot = await snapshotOf({
      integrations: { prod: { ...WORLD.integrations.prod, maxTokens: 5, frequency: 'monthly' } },
      models: { 'prod:m': { maxTokens: 5, frequency: 'weekly' } },
      users: { alice: { maxTokens: 500, frequency: 'daily' } },
    });
    const one = await replica();
    const accounts = ['MODEL:prod:m', 'INTEGRATION:prod', ALICE];
    one.record(6, accounts);
    await one.limits.settle();
    const asked = one.concerned(accounts);
    expect(asked.map(({ kind }) => kind)).toEqual(['model', 'integration', 'user']);
    // Warnings are written in the background.
    await until(() => warnings().length === 2);
    const before = await commands();
    const reached = await one.limits.reached(asked);
    expect((await commands()) - before).toBe(1);
    const now = Date.now();
    expect([...reached.values()].map(({ limit, used, resetsAt }) => [limit.kind, used, resetsAt])).toEqual([
      ['model', 6, periodAt('weekly', now).endsAt],
      ['integration', 6, periodAt('monthly', now).endsAt],
    ]);

    async function commands(): Promise<number> {
      const stats = await other.info('commandstats');
      const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
      return calls('evalsha') + calls('evalsha_ro');
    }
  });
});

describe('what was found used up', () => {
  it('is known without another question, until the limit is raised', async () => {
    await setLimit(10);
    const one = await replica();
    one.record(12);
    await one.limits.settle();
    expect(one.limits.reachedLately(one.concerned())).toBeUndefined();
    await one.usedUp();
    expect(one.limits.reachedLately(one.concerned())).toMatchObject({ used: 12, limit: { maxTokens: 10 } });
    await setLimit(11);
    expect(one.limits.reachedLately(one.concerned())).toMatchObject({ used: 12, limit: { maxTokens: 11 } });
    await setLimit(13);
    expect(one.limits.reachedLately(one.concerned())).toBeUndefined();
    expect(await one.usedUp()).toBeUndefined();
  });
});

describe('a Redis that is away', () => {
  it('lets nothing limited start, and is said once', async () => {
    await setLimit(10);
    const one = await replica();
    await proxy.cut();
    await until(() => one.redis.status !== 'ready');
    for (let time = 0; time < 3; time += 1) await expect(one.usedUp()).rejects.toThrow();
    expect(captured.at('warn').filter(({ msg }) => msg.startsWith('Token limits cannot be asked'))).toHaveLength(1);
    await proxy.mend();
    await until(() => one.redis.status === 'ready', 10_000);
    expect(await one.usedUp()).toBeUndefined();
  });

  it('hears of what was used meanwhile before anything limited starts there again, and once', async () => {
    await setLimit(10);
    const one = await replica();
    await proxy.cut();
    await until(() => one.redis.status !== 'ready');
    one.record(7);
    await one.limits.settle();
    one.record(4);
    await one.limits.settle();
    await proxy.mend();
    await until(() => one.redis.status === 'ready', 10_000);
    expect(await one.usedUp()).toBe(11);
    await one.usage.flush();
    expect(await spent()).toBe(11);
  });

  it('still has to hear of what was used while it was told of what it had not heard before', async () => {
    await setLimit(10);
    // The catalog is asked when what was spent is heard: the connection ends just then, so that what comes next is not written.
    let [armed, ends] = [false, 0];
    const catalog = () => {
      if (armed) {
        armed = false;
        ends += 1;
        one.redis.disconnect(true);
      }
      return snapshot;
    };
    // What is written in many steps takes longer than one may; here it is one that may take longer.
    const one = await replica({ catalog, commandTimeout: 10_000 });
    one.record(1);
    await one.limits.settle();
    await proxy.cut();
    await until(() => one.redis.status !== 'ready');
    one.record(6);
    await one.limits.settle();
    await proxy.mend();
    await until(() => one.redis.status === 'ready', 10_000);
    // Longer than an outcome waits until what it used is written.
    proxy.delay(4_000);
    armed = true;
    const asked = one.usedUp();
    asked.catch(() => undefined);
    await until(async () => (await spent()) === 7);
    one.record(4);
    await one.limits.settle();
    expect(ends).toBe(0);
    const back = once(one.redis, 'ready');
    proxy.delay(0);
    await expect(asked).rejects.toThrow();
    expect(ends).toBe(1);
    await back;
    expect(await spent()).toBe(7);
    expect(await one.usedUp()).toBe(11);
  });

  it('counts once what it had counted when its answer was lost', async () => {
    await setLimit(10);
    const one = await replica();
    await one.usedUp();
    proxy.delay(60_000);
    one.record(4);
    await one.limits.settle();
    expect(await spent()).toBe(4);
    proxy.delay(0);
    await proxy.cut();
    await until(() => one.redis.status !== 'ready');
    await proxy.mend();
    await until(() => one.redis.status === 'ready', 10_000);
    one.record(3);
    expect(await one.usedUp()).toBeUndefined();
    await one.usage.flush();
    expect(await spent()).toBe(7);
  });

  it('stops what it cannot say the use of: something else stands there', async () => {
    await setLimit(10);
    const one = await replica();
    await other.hset(keys.spent(periodAt('daily', Date.now()).name), ALICE, 'many');
    await expect(one.usedUp()).rejects.toThrow('no number');
    await setLimit(10, 'weekly');
    expect(await one.usedUp()).toBeUndefined();
  });
});

describe('a period', () => {
  /** The clock is Redis' own and cannot be set: what is made short is the period. */
  const SHORT_MS = 3_000;
  const short: PeriodAt = (frequency, ms) => {
    const startsAt = Math.floor(ms / SHORT_MS) * SHORT_MS;
    return { name: `${frequency}-${startsAt}`, startsAt, endsAt: startsAt + SHORT_MS };
  };

  it('that is over leaves a whole limit to the next, for all workers at once', async () => {
    await setLimit(10);
    const [one, two] = [await replica({ periodAt: short }), await replica({ periodAt: short })];
    await until(() => short('daily', Date.now()).endsAt - Date.now() > 2_000, SHORT_MS + 100);
    one.record(12);
    await one.limits.settle();
    const reached = [...(await two.limits.reached(two.concerned())).values()];
    expect(reached).toMatchObject([{ used: 12 }]);
    expect(two.limits.reachedLately(two.concerned())).toBeDefined();
    await until(() => two.limits.reachedLately(two.concerned()) === undefined, SHORT_MS + 100);
    expect(Date.now()).toBeGreaterThanOrEqual((reached[0]?.resetsAt ?? 0) - 5);
    expect(await two.usedUp()).toBeUndefined();
    expect(await one.usedUp()).toBeUndefined();
  });

  it('is that of Redis’ clock, however wrong a worker’s own is', async () => {
    await setLimit(10, 'monthly');
    const right = await replica();
    right.record(6);
    await right.limits.settle();
    const now = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: now + 40 * 86_400_000 });
    const wrong = await replica();
    expect(await wrong.usedUp()).toBeUndefined();
    wrong.record(5);
    await wrong.limits.settle();
    expect(await wrong.usedUp()).toBe(11);
    vi.useRealTimers();
    expect(await spent(periodAt('monthly', now).name)).toBe(11);
    expect(await right.usedUp()).toBe(11);
  });

  it('is forgotten seven days after its end', async () => {
    await setLimit(10);
    const one = await replica();
    one.record(1);
    await one.limits.settle();
    for (const frequency of ['daily', 'weekly', 'monthly'] as const) {
      const { name, endsAt } = periodAt(frequency, Date.now());
      expect(await other.pexpiretime(keys.spent(name))).toBe(endsAt + 7 * 86_400_000);
    }
  });
});

describe('at 80 % of a limit', () => {
  it('one worker warns, once a period, and it is on record', async () => {
    await setLimit(100);
    const [one, two] = [await replica(), await replica()];
    one.record(79);
    await one.limits.settle();
    await two.usedUp();
    const { name } = periodAt('daily', Date.now());
    expect(await other.hgetall(keys.warnings(name))).toEqual({});
    two.record(2);
    await two.limits.settle();
    await Promise.all([one.usedUp(), two.usedUp()]);
    one.record(30);
    await one.limits.settle();
    await until(async () => (await other.hlen(keys.warnings(name))) === 1);
    await until(() => warnings().length > 0);
    await Promise.all([one.usage.flush(), two.usage.flush()]);
    expect(warnings()).toMatchObject([{ kind: 'user', name: 'alice', used: 81, maxTokens: 100, frequency: 'daily' }]);
    const [text = ''] = await other.hvals(keys.warnings(name));
    const record = { kind: 'user', name: 'alice', frequency: 'daily', used: 81 };
    expect(JSON.parse(text)).toEqual({ at: expect.any(Number), ...record });
    expect(Math.abs(JSON.parse(text).at - Date.now())).toBeLessThan(60_000);
    expect([...one.uses()]).toMatchObject([{ used: 111, limit: { maxTokens: 100 } }]);
    await setLimit(222);
    expect([...one.uses()]).toMatchObject([{ used: 111, limit: { maxTokens: 222 } }]);
    await setLimit(222, 'weekly');
    expect([...one.uses()]).toEqual([]);
  });

  it('is warned of when the limit is set in the middle of a period, and again when it is raised', async () => {
    await setLimit(undefined);
    const one = await replica();
    one.record(90);
    await one.usage.flush();
    await setLimit(100);
    await one.usedUp();
    await until(() => warnings().length === 1);
    await setLimit(101);
    await one.usedUp();
    await until(() => warnings().length === 2);
    expect(warnings().map(({ maxTokens }) => maxTokens)).toEqual([100, 101]);
  });
});

it('nothing is asked or written where there is no limit, but every two seconds', async () => {
  await setLimit(undefined);
  const one = await replica();
  const limits: readonly Limit[] = one.concerned([ALICE, 'MODEL:prod:m', 'INTEGRATION:prod', 'GROUP:x']);
  expect(limits).toEqual([]);
  one.record(5);
  expect(await spent()).toBe(0);
  one.usage.start();
  await until(async () => (await spent()) === 5, 5_000);
  one.usage.stop();
});
