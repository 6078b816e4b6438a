import fc from 'fast-check';
import { Cluster, Redis } from 'ioredis';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { commit as commitOnRecord, commitWatched } from '../../../src/redis/commit.ts';
import { ANY, type Edit, unchanged } from '../../../src/redis/edits.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import type {} from '../../support/redis-for-all.ts';
import { testTrail } from '../../support/trail.ts';
import { freshPrefix } from '../support/live-catalog.ts';
import { startOneNodeCluster } from '../support/one-node-cluster.ts';

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.disconnect());

/** What is written goes on record under a prefix of its own: see audit/changes.test.ts. */
const commit = (connection: Redis | Cluster, edits: readonly Edit[], prefix = freshPrefix()) =>
  commitOnRecord(connection, edits, testTrail(keyNames(prefix)));

const set = (key: string, field: string, before: string | undefined, after: string | undefined): Edit => ({
  key,
  field,
  before,
  after,
});

describe('a commit', () => {
  it('writes, deletes and makes sure, of hashes, sets and whole keys, in one step', async () => {
    const prefix = freshPrefix();
    const [hash, other, members, gone] = ['h', 'o', 'm', 'g'].map((name) => `${prefix}${name}`) as [
      string,
      string,
      string,
      string,
    ];
    await redis.hset(hash, { old: '1', kept: '2', dropped: '3' });
    await redis.sadd(members, 'alice', 'bob');
    await redis.hset(gone, 'a', 'b');
    const done = await commit(redis, [
      set(hash, 'old', '1', 'new'),
      set(hash, 'fresh', undefined, ''),
      set(hash, 'dropped', '3', undefined),
      unchanged(hash, 'kept', '2'),
      unchanged(other, 'absent', undefined),
      { key: members, member: 'alice', isMember: false },
      { key: members, member: 'carol', isMember: true },
      { key: gone, isGone: true },
    ]);
    expect(done).toBe(true);
    expect(await redis.hgetall(hash)).toEqual({ old: 'new', kept: '2', fresh: '' });
    expect((await redis.smembers(members)).sort()).toEqual(['bob', 'carol']);
    expect(await redis.exists(other, gone)).toBe(0);
  });

  it.each<[string, Edit]>([
    ['another text', set('k', 'f', 'other', 'x')],
    ['nothing where a text was planned on', set('k', 'missing', 'text', 'x')],
    ['a text where nothing was planned on', set('k', 'f', undefined, 'x')],
    ['a text that is only empty', set('k', 'empty', undefined, 'x')],
    ['another text where only sureness was asked', unchanged('k', 'f', 'other')],
  ])('writes nothing at all over %s', async (_, edit) => {
    const key = `${freshPrefix()}k`;
    await redis.hset(key, { f: 'now', empty: '' });
    expect(await commit(redis, [set(key, 'first', undefined, 'written'), { ...edit, key } as Edit])).toBe(false);
    expect(await redis.hgetall(key)).toEqual({ f: 'now', empty: '' });
  });

  it('writes over whatever stands there where anything may', async () => {
    const key = `${freshPrefix()}k`;
    await redis.hset(key, { a: '1', b: '2' });
    expect(
      await commit(redis, [
        { key, field: 'a', before: ANY, after: 'x' },
        { key, field: 'b', before: ANY, after: undefined },
        { key, field: 'c', before: ANY, after: undefined },
      ]),
    ).toBe(true);
    expect(await redis.hgetall(key)).toEqual({ a: 'x' });
  });

  it.each([
    ['a hash', (key: string): Edit => set(key, 'f', undefined, 'x')],
    ['a set', (key: string): Edit => ({ key, member: 'm', isMember: true })],
  ])('writes nothing where a key that should be %s is something else, and repeats no text', async (_, edit) => {
    const prefix = freshPrefix();
    await redis.set(`${prefix}wrong`, 'x');
    const edits = [set(`${prefix}first`, 'f', undefined, 'SEKRET'), edit(`${prefix}wrong`)];
    const failure = await commit(redis, edits).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('WRONGTYPE') });
    expect(JSON.stringify(failure) + String((failure as Error).stack)).not.toContain('SEKRET');
    expect(await redis.exists(`${prefix}first`)).toBe(0);
  });

  it('takes any text for what it is', async () => {
    const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed());
    await fc.assert(
      fc.asyncProperty(text, text, text, async (field, before, after) => {
        const key = `${freshPrefix()}k`;
        await redis.hset(key, field, before);
        expect(await commit(redis, [set(key, field, before, after)])).toBe(true);
        expect(await redis.hget(key, field)).toBe(after);
        await redis.del(key);
      }),
    );
  });

  it('of many who count the same field up loses none', async () => {
    const key = `${freshPrefix()}k`;
    const connections = Array.from({ length: 5 }, () => new Redis(inject('redisUrl')));
    await Promise.all(
      connections.map(async (connection) => {
        for (let done = 0; done < 40; ) {
          const before = (await connection.hget(key, 'n')) ?? undefined;
          if (await commit(connection, [set(key, 'n', before, String(Number(before ?? 0) + 1))])) done += 1;
        }
        connection.disconnect();
      }),
    );
    expect(await redis.hget(key, 'n')).toBe('200');
  });

  it('works on a Cluster, whose keys share a hash tag', async () => {
    const server = await startOneNodeCluster();
    const cluster = new Cluster([server.url]);
    try {
      await cluster.hset('{c}:h', 'f', '1');
      const edits = [set('{c}:h', 'f', '1', '2'), { key: '{c}:s', member: 'm', isMember: true }];
      expect(await commit(cluster, edits, '{c}:')).toBe(true);
      expect(await cluster.xlen('{c}:audit')).toBe(2);
      expect(await cluster.hget('{c}:h', 'f')).toBe('2');
      await cluster.watch('{c}:h');
      expect(await commitWatched(cluster, [set('{c}:h', 'f', '2', '3')], testTrail(keyNames('{c}:')))).toBe(true);
      expect(await cluster.hget('{c}:h', 'f')).toBe('3');
    } finally {
      cluster.disconnect();
      await server.stop();
    }
  });
});
