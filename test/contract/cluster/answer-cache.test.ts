import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { createAnswerCache } from '../../../src/cluster/answer-cache.ts';
import { type AnswerPlace, digestOfRecords } from '../../../src/integrations/answer-cache.ts';
import { openConnection, RUNTIME_CONNECTION } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import type {} from '../../support/redis-for-all.ts';
import { capturedLog } from '../../workers/support/harness.ts';
import { EMBED, snapshotOf, WORLD } from '../../workers/support/llm.ts';
import { freshPrefix } from '../support/live-catalog.ts';
import { startOneNodeCluster } from '../support/one-node-cluster.ts';

let redis: Redis;
let names: ReturnType<typeof keyNames>;
beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());
beforeEach(() => {
  names = keyNames(freshPrefix());
});

const replica = (log = capturedLog().log) => createAnswerCache({ redis, names, log });
const PLACE: AnswerPlace = { integration: 'prod', model: EMBED, records: 'as-they-are' };
const BOUNDS = { ttlSeconds: 60, maxMegabytes: 1 };
const keys = () => names.answers(`prod:${EMBED}`);
const of = (...digests: string[]) => digests.map((digest) => ({ digest, value: { of: digest } }));

async function keep(place: AnswerPlace, digests: readonly string[], bounds = BOUNDS): Promise<void> {
  const cache = replica();
  cache.keep(place, bounds, of(...digests));
  await cache.settled();
}
const find = (place: AnswerPlace, ...digests: string[]) => replica().find(place, digests);

describe('answers that replicas keep for each other', () => {
  it('are found by every replica, each by its digest and in the order asked', async () => {
    await keep(PLACE, ['a', 'b']);
    expect(await find(PLACE, 'b', 'none', 'a')).toEqual([{ of: 'b' }, undefined, { of: 'a' }]);
    expect(await find(PLACE, 'none')).toEqual([undefined]);
  });

  it('are any JSON, as it was', async () => {
    const cache = replica();
    const values = [[0.1, -3e-7, 1], 'é "\\u0000\u0000', { a: [null, {}] }, 0, ''];
    cache.keep(
      PLACE,
      BOUNDS,
      values.map((value, index) => ({ digest: `d${index}`, value })),
    );
    await cache.settled();
    expect(await find(PLACE, ...values.map((_, index) => `d${index}`))).toEqual(values);
  });

  it('are never those of another integration or model', async () => {
    await keep(PLACE, ['a']);
    expect(await find({ ...PLACE, integration: 'other' }, 'a')).toEqual([undefined]);
    expect(await find({ ...PLACE, model: 'other' }, 'a')).toEqual([undefined]);
  });

  it('expire after their time, and all of it once nobody keeps anything', async () => {
    await keep(PLACE, ['long']);
    expect(await redis.pttl(keys().values)).toBeGreaterThan(58_000);
    await keep(PLACE, ['short'], { ...BOUNDS, ttlSeconds: 3 });
    // As a shorter time leaves it: each has its own.
    await redis.persist(keys().values);
    await redis.persist(keys().expiries);
    expect(await find(PLACE, 'short', 'long')).toEqual([{ of: 'short' }, { of: 'long' }]);
    await sleep(3_050);
    expect(await find(PLACE, 'short', 'long')).toEqual([undefined, { of: 'long' }]);
    await keep(PLACE, ['next']);
    expect(await redis.hexists(keys().values, 'short')).toBe(0);
    expect((await redis.zrangebyscore(keys().expiries, '-inf', '+inf')).toSorted()).toEqual(['long', 'next']);
    for (const key of [keys().values, keys().expiries]) expect(await redis.pttl(key)).toBeGreaterThan(58_000);
  });

  it('take no more room than they may: the oldest go, and the sum is what is there', async () => {
    const cache = replica();
    const value = 'x'.repeat(90_000);
    for (let number = 0; number < 30; number += 1) {
      cache.keep(PLACE, BOUNDS, [{ digest: `n${number % 25}`, value: `${number} ${value}` }]);
      await cache.settled();
    }
    const held = Object.entries(await redis.hgetall(keys().values)).filter(([name]) => /^n\d/.test(name));
    const bytes = held.reduce((sum, [, text]) => sum + text.length + 200, 0);
    expect(Number(await redis.hget(keys().values, 'bytes'))).toBe(bytes);
    expect(bytes).toBeLessThanOrEqual(1_000_000);
    expect(bytes).toBeGreaterThan(900_000);
    // 25 to 29 were written again as 0 to 4: the eleven that were written last are there.
    expect(held.map(([name]) => Number(name.slice(1))).sort((a, b) => a - b)).toEqual([
      0, 1, 2, 3, 4, 19, 20, 21, 22, 23, 24,
    ]);
    expect(await redis.zcard(keys().expiries)).toBe(11);
  });

  it('hold Redis for no more than some hundred old ones at once: what finds no room for that is not kept', async () => {
    const bounds = { ttlSeconds: 60, maxMegabytes: 0.3 };
    for (let from = 0; from < 1_200; from += 400) {
      await keep(
        PLACE,
        Array.from({ length: 400 }, (_, index) => `n${String(from + index).padStart(4, '0')}`),
        bounds,
      );
    }
    const left: number[] = [];
    for (let tries = 0; tries < 2; tries += 1) {
      const cache = replica();
      cache.keep(PLACE, bounds, [{ digest: 'large', value: 'x'.repeat(250_000) }]);
      await cache.settled();
      left.push(await redis.zcard(keys().expiries));
      expect(Number(await redis.hget(keys().values, 'bytes'))).toBeLessThanOrEqual(300_000);
    }
    expect(left[0]).toBe(700);
    // Nothing is there that is not counted.
    expect(await redis.hlen(keys().values)).toBe((left[1] ?? 0) + 2);
    expect((await find(PLACE, 'large'))?.[0]).toHaveLength(250_000);
  });

  it('make no room for one that is larger than all of it may be', async () => {
    const bounds = { ttlSeconds: 60, maxMegabytes: 0.1 };
    await keep(PLACE, ['a'], bounds);
    const cache = replica();
    cache.keep(PLACE, bounds, [{ digest: 'large', value: 'x'.repeat(100_000) }]);
    await cache.settled();
    expect(await find(PLACE, 'a', 'large')).toEqual([{ of: 'a' }, undefined]);
    expect(await redis.hexists(keys().values, 'large')).toBe(0);
  });

  it('are kept anew where somebody took them out by hand, and the sum is of what is not there', async () => {
    await keep(PLACE, ['a']);
    await redis.del(keys().expiries);
    await redis.hset(keys().values, 'bytes', 5_000_000);
    await keep(PLACE, ['b']);
    expect(await find(PLACE, 'a', 'b')).toEqual([undefined, { of: 'b' }]);
    expect(Number(await redis.hget(keys().values, 'bytes'))).toBeLessThan(500);
  });

  it('of more than a million characters are not kept', async () => {
    const cache = replica();
    cache.keep(PLACE, { ...BOUNDS, maxMegabytes: 64 }, [
      { digest: 'large', value: 'x'.repeat(1_000_000) },
      { digest: 'small', value: 1 },
    ]);
    await cache.settled();
    expect(await find(PLACE, 'large', 'small')).toEqual([undefined, 1]);
  });
});

describe('answers that were kept under other records', () => {
  it('are not found, and are gone with the first that is kept under those of now', async () => {
    await keep(PLACE, ['a']);
    const now = { ...PLACE, records: 'changed' };
    expect(await find(now, 'a')).toEqual([undefined]);
    await keep(now, ['b']);
    expect(await find(now, 'a', 'b')).toEqual([undefined, { of: 'b' }]);
    // As they were once more: what was kept then is gone.
    expect(await find(PLACE, 'a', 'b')).toEqual([undefined, undefined]);
  });

  const worldWith = (configuration: object, region = 'us-east-1') => ({
    ...WORLD,
    integrations: {
      prod: { type: 'aws_bedrock_cohere', configuration: { connectionType: 'CONDUCTOR_ROLE', region } },
    },
    models: { [`prod:${EMBED}`]: { configuration } },
  });
  async function placeIn(world: ReturnType<typeof worldWith>): Promise<AnswerPlace> {
    const snapshot = await snapshotOf(world);
    const [at, model] = [snapshot.integration('prod'), snapshot.model('prod', EMBED)];
    if (at.kind !== 'found' || model.kind !== 'found') throw new Error('not found');
    return { integration: 'prod', model: EMBED, records: digestOfRecords(model.record, at.record.configuration) };
  }
  const CACHED = { cache: { ttlSeconds: 60 } };

  it.each([
    ['the model’s record', worldWith({ ...CACHED, timeoutMs: 1_000 })],
    ['where its integration calls', worldWith(CACHED, 'eu-west-1')],
    ['what is there at all', { ...worldWith(CACHED), models: {} }],
    ['whether the integration is there', { ...worldWith(CACHED), integrations: {} }],
  ])('are thrown away as soon as a replica hears of a change of %s, for good', async (_, changed) => {
    const cache = replica();
    const before = await snapshotOf(worldWith(CACHED));
    const place = await placeIn(worldWith(CACHED));
    cache.keep(place, BOUNDS, of('a'));
    await cache.settled();
    cache.look(before);
    await cache.settled();
    expect(await find(place, 'a')).toEqual([{ of: 'a' }]);

    cache.look(await snapshotOf(changed as typeof WORLD, before.parts));
    await cache.settled();
    expect(await redis.exists(keys().values, keys().expiries)).toBe(0);
    // Back as it was.
    expect(await find(place, 'a')).toEqual([undefined]);
  });

  it('stay where a replica hears of it late: others keep by the new records already', async () => {
    const cache = replica();
    const [old, now] = [await placeIn(worldWith({})), await placeIn(worldWith(CACHED))];
    cache.keep(old, BOUNDS, of('a'));
    await cache.settled();
    await keep(now, ['b']);
    cache.look(await snapshotOf(worldWith(CACHED)));
    await cache.settled();
    expect(await find(now, 'b')).toEqual([{ of: 'b' }]);
  });

  it('are not kept by one who has heard of the change: what was long under way throws nothing away', async () => {
    const cache = replica();
    const [old, now] = [await placeIn(worldWith({})), await placeIn(worldWith(CACHED))];
    cache.look(await snapshotOf(worldWith(CACHED)));
    cache.keep(now, BOUNDS, of('a'));
    cache.keep(old, BOUNDS, of('late'));
    await cache.settled();
    expect(await find(now, 'a')).toEqual([{ of: 'a' }]);
    expect(await find(old, 'late')).toEqual([undefined]);
  });

  it('are looked at once each, however many change together', async () => {
    const cache = replica();
    const models = Array.from({ length: 200 }, (_, number) => `model-${number}`);
    const worldOf = (configuration: object) => ({
      ...worldWith({}),
      models: Object.fromEntries(models.map((model) => [`prod:${model}`, { configuration }])),
    });
    for (const model of models) await cache.find({ ...PLACE, model }, ['a']);
    const snapshot = await snapshotOf(worldOf(CACHED));
    const looked = vi.spyOn(snapshot, 'model');
    cache.look(snapshot);
    await cache.settled();
    expect(looked).toHaveBeenCalledTimes(200);
  });

  it('are told apart by all of the model’s record and of where it is called, and by no secret', async () => {
    const { records } = await placeIn(worldWith(CACHED));
    expect((await placeIn(worldWith(CACHED))).records).toBe(records);
    expect((await placeIn(worldWith({ ...CACHED, modelId: 'us.cohere.embed-v4:0' }))).records).not.toBe(records);
    const withKey = (api_key: string, user: string) => ({
      ...worldWith(CACHED),
      integrations: {
        prod: {
          type: 'aws_bedrock_cohere',
          configuration: { connectionType: 'ACCESS_KEY', region: 'us-east-1', user, api_key },
        },
      },
    });
    const keyed = await placeIn(withKey('one', 'AKIA1') as never);
    expect((await placeIn(withKey('two', 'AKIA1') as never)).records).toBe(keyed.records);
    expect((await placeIn(withKey('one', 'AKIA2') as never)).records).not.toBe(keyed.records);
  });
});

it('on a Cluster they are kept and found, too', async () => {
  const server = await startOneNodeCluster();
  const captured = capturedLog();
  const url = `redis+cluster://127.0.0.1:${server.port}`;
  const cluster = openConnection({ url, cluster: true }, 'answers', captured.log, RUNTIME_CONNECTION);
  try {
    await cluster.connect();
    const cache = createAnswerCache({ redis: cluster, names: keyNames('{cohere}:'), log: captured.log });
    cache.keep(PLACE, BOUNDS, of('a'));
    await cache.settled();
    expect(await cache.find(PLACE, ['a', 'b'])).toEqual([{ of: 'a' }, undefined]);
    expect(captured.lines).toEqual([]);
  } finally {
    cluster.disconnect();
    await server.stop();
  }
});

describe('where Redis keeps no answers', () => {
  it('nothing is found, nothing fails, and it is said once', async () => {
    const captured = capturedLog();
    const away = new Redis({ port: 1, lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
    away.on('error', () => undefined);
    const cache = createAnswerCache({ redis: away, names, log: captured.log });
    cache.keep(PLACE, BOUNDS, of('a'));
    cache.keep(PLACE, BOUNDS, of('b'));
    for (let looks = 0; looks < 2; looks += 1) expect(await cache.find(PLACE, ['a', 'b'])).toBeUndefined();
    await cache.settled();
    away.disconnect();
    expect(captured.lines.map(({ msg }) => String(msg).split(':')[0]).toSorted()).toEqual([
      'Redis gives no answers back',
      'Redis keeps no more answers',
    ]);
  });

  it('but gives those back that it has, it is said once, too', async () => {
    const captured = capturedLog();
    await keep(PLACE, ['a']);
    await redis.set(keys().expiries, 'a stranger’s');
    const cache = replica(captured.log);
    for (const digest of ['b', 'c', 'd']) {
      expect(await cache.find(PLACE, ['a'])).toEqual([{ of: 'a' }]);
      cache.keep(PLACE, BOUNDS, of(digest));
      await cache.settled();
    }
    expect(captured.lines).toHaveLength(1);
    // What could not be counted is not there.
    expect((await redis.hkeys(keys().values)).toSorted()).toEqual(['a', 'bytes', 'records']);
  });

  it('because it refuses to, it is said why', async () => {
    const user = names.prefix.replaceAll(/\W/g, '-');
    await redis.call('ACL', 'SETUSER', user, 'on', '>sesame', '~*', '+@all', '-hset');
    const restricted = redis.duplicate({ username: user, password: 'sesame' });
    try {
      const captured = capturedLog();
      const cache = createAnswerCache({ redis: restricted, names, log: captured.log });
      cache.keep(PLACE, BOUNDS, of('a'));
      await cache.settled();
      expect(captured.lines).toMatchObject([{ reason: expect.stringContaining('NOPERM') }]);
      expect(await redis.exists(keys().values, keys().expiries)).toBe(0);
    } finally {
      restricted.disconnect();
      await redis.call('ACL', 'DELUSER', user);
    }
  });

  it('because something else stands in their place, calls go on', async () => {
    const captured = capturedLog();
    await redis.set(keys().values, 'a stranger’s');
    const cache = replica(captured.log);
    cache.keep(PLACE, BOUNDS, of('a'));
    await cache.settled();
    expect(await cache.find(PLACE, ['a'])).toBeUndefined();
    expect(captured.lines).toHaveLength(2);
  });

  it('what stands there and is no JSON is not found', async () => {
    await keep(PLACE, ['a', 'b']);
    await redis.hset(keys().values, { a: '9999999999999{"cut', b: 'no time at all' });
    expect(await find(PLACE, 'a', 'b')).toEqual([undefined, undefined]);
  });
});
