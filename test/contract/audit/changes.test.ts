import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { commandAuthor } from '../../../src/audit/author.ts';
import { createTrail } from '../../../src/audit/trail.ts';
import { commit, commitWatched } from '../../../src/redis/commit.ts';
import { ANY, type Edit, unchanged } from '../../../src/redis/edits.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { SHOWN_AT_MOST } from '../../../src/redis/trail.ts';
import type {} from '../../support/redis-for-all.ts';
import { changesIn } from '../../support/trail.ts';
import { freshPrefix } from '../support/live-catalog.ts';

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.disconnect());

function begin(keptForMs?: number) {
  const names = keyNames(freshPrefix());
  const author = commandAuthor('test');
  const trail = createTrail({ names, keptForMs, author });
  return {
    names,
    trail,
    author,
    write: async (...edits: Edit[]) => await commit(redis, edits, trail),
    changes: () => changesIn(redis, names),
  };
}

const ROLE = (name: string) => JSON.stringify({ name });

describe('a change', () => {
  it('is on record, each record it changes by itself, all of them by one id and one author', async () => {
    const { names, author, write, changes } = begin();
    const roles = names.hash('roles');
    await redis.hset(roles, { changed: ROLE('old'), gone: ROLE('gone'), kept: ROLE('kept') });
    await redis.hset(names.grants('USER:a'), 'PROMPT:p', 'READ');
    await write(
      { key: roles, field: 'made', before: undefined, after: ROLE('made') },
      { key: roles, field: 'changed', before: ROLE('old'), after: ROLE('new') },
      { key: roles, field: 'gone', before: ROLE('gone'), after: undefined },
      unchanged(roles, 'kept', ROLE('kept')),
      { key: names.grants('USER:a'), field: 'PROMPT:p', before: ANY, after: 'READ,EXECUTE' },
    );
    const records = await changes();
    const now = Date.now();
    expect(
      records.map(({ id: _, at, ...rest }) => ({ ...rest, isNow: Math.abs(now - Date.parse(at)) < 60_000 })),
    ).toEqual(
      [
        { action: 'create', kind: 'roles', name: 'made', after: { name: 'made' } },
        { action: 'update', kind: 'roles', name: 'changed', before: { name: 'old' }, after: { name: 'new' } },
        { action: 'delete', kind: 'roles', name: 'gone', before: { name: 'gone' } },
        { action: 'update', kind: 'grants', name: 'USER:a → PROMPT:p', before: 'READ', after: 'READ,EXECUTE' },
      ].map((change) => ({
        ...change,
        change: author.change,
        via: 'bedrock-cohere test',
        label: expect.stringMatching(/^.+@.+$/),
        isNow: true,
      })),
    );
  });

  it('of members is one record a group, of those alone who came or left', async () => {
    const { names, write, changes } = begin();
    await redis.sadd(names.members('g'), 'alice', 'bob');
    const member = (group: string, name: string, isMember: boolean): Edit => ({
      key: names.members(group),
      member: name,
      isMember,
    });
    await write(
      member('g', 'alice', true),
      member('g', 'bob', false),
      member('g', 'carol', true),
      member('h', 'x', false),
    );
    expect(await changes()).toMatchObject([
      { action: 'update', kind: 'members', name: 'g', before: ['bob'], after: ['carol'] },
    ]);
  });

  it('of whole keys shows what went', async () => {
    const { names, write, changes } = begin();
    await redis.sadd(names.members('g'), 'alice', 'bob');
    await redis.hset(names.grants('GROUP:g'), { 'PROMPT:p': 'READ', 'PROMPT:q': 'a-secret-typed-here' });
    await write(
      { key: names.members('g'), isGone: true },
      { key: names.grants('GROUP:g'), isGone: true },
      { key: names.grants('GROUP:nobody'), isGone: true },
    );
    const [members, grants, ...more] = await changes();
    expect(members?.before).toEqual(expect.arrayContaining(['alice', 'bob']));
    expect(grants).toMatchObject({ action: 'delete', kind: 'grants', name: 'GROUP:g' });
    expect(grants?.before).toEqual({ 'PROMPT:p': 'READ', 'PROMPT:q': '********' });
    expect(more).toEqual([]);
  });

  it('of much is one record of bounded size, which says that it is cut', async () => {
    const { names, write, changes } = begin();
    const many = Array.from({ length: 20_000 }, (_, n) => `member-${n}`);
    await write(...many.map((member) => ({ key: names.members('g'), member, isMember: true })));
    await write({ key: names.members('g'), isGone: true });
    const records = await changes();
    expect(records).toMatchObject([{ afterCut: 20_000 }, { beforeCut: 20_000 }]);
    for (const [, fields] of await redis.xrange(names.audit, '-', '+')) {
      expect(fields.join('').length).toBeLessThan(3 * SHOWN_AT_MOST);
    }
    const shown = records[0]?.after as string[];
    expect(shown).toEqual(many.slice(0, shown.length));
  });

  it('that was refused, or changes nothing, is not on record', async () => {
    const { names, write, changes, trail } = begin();
    const roles = names.hash('roles');
    await redis.hset(roles, 'a', ROLE('now'));
    expect(
      await write(
        { key: roles, field: 'b', before: undefined, after: ROLE('b') },
        { key: roles, field: 'a', before: ROLE('other'), after: ROLE('new') },
      ),
    ).toBe(false);
    expect(await write({ key: roles, field: 'a', before: ANY, after: ROLE('now') })).toBe(true);
    expect(await write({ key: roles, field: 'none', before: ANY, after: undefined })).toBe(true);
    await redis.set(names.hash('users'), 'of another type');
    const edit = { key: names.hash('users'), field: 'a', before: undefined, after: '{}' };
    await expect(write({ key: roles, field: 'c', before: undefined, after: ROLE('c') }, edit)).rejects.toThrow(
      'WRONGTYPE',
    );
    await expect(commitWatched(redis, [edit], trail)).rejects.toThrow('WRONGTYPE');
    expect(await changes()).toEqual([]);
    expect(await redis.hkeys(roles)).toEqual(['a']);
  });

  it('is not made where it cannot go on record', async () => {
    const { names, write } = begin();
    await redis.set(names.audit, 'of another type');
    const edit = { key: names.hash('roles'), field: 'a', before: undefined, after: ROLE('a') };
    await expect(write(edit)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('WRONGTYPE'),
    });
    expect(await redis.exists(names.hash('roles'))).toBe(0);
  });

  it('is not made, members neither, where the stream takes no further record', async () => {
    const { names, write } = begin();
    await redis.xadd(names.audit, '18446744073709551615-18446744073709551615', 'x', 'y');
    const refused = { code: 'UNREACHABLE', message: expect.stringContaining('nothing was written') };
    const role = { key: names.hash('roles'), field: 'a', before: undefined, after: ROLE('a') };
    const member = { key: names.members('g'), member: 'alice', isMember: true };
    await expect(write(member)).rejects.toMatchObject(refused);
    await expect(write(member, role)).rejects.toMatchObject(refused);
    expect(await redis.exists(names.members('g'), names.hash('roles'))).toBe(0);
  });

  it('of 10,000 records is one step, each of them on record', async () => {
    const { names, write, changes } = begin();
    const count = 10_000;
    const edits = Array.from({ length: count }, (_, n) => ({
      key: names.hash('roles'),
      field: `role-${n}`,
      before: undefined,
      after: ROLE(`role-${n}`),
    }));
    expect(await write(...edits)).toBe(true);
    expect(await redis.hlen(names.hash('roles'))).toBe(count);
    const records = await changes();
    expect(records).toHaveLength(count);
    expect(new Set(records.map(({ change }) => change)).size).toBe(1);
  });
});

describe('records that are older than they are kept', () => {
  it('are dropped with the next change, by age and never by number', async () => {
    const day = 24 * 3_600_000;
    const { names, write, changes } = begin(400 * day);
    const at = (days: number) => Date.now() - days * day;
    // By the hundred, since Redis drops whole nodes of a stream.
    const old = redis.pipeline();
    for (let n = 0; n < 5_000; n += 1) old.xadd(names.audit, `${at(401)}-${n}`, 'action', 'create', 'name', 'old');
    for (let n = 0; n < 20_000; n += 1) old.xadd(names.audit, `${at(399)}-${n}`, 'action', 'create', 'name', 'young');
    await old.exec();
    await write({ key: names.hash('roles'), field: 'a', before: undefined, after: ROLE('a') });
    const records = await changes();
    expect(records.filter(({ name }) => name === 'young')).toHaveLength(20_000);
    expect(records.filter(({ name }) => name === 'old').length).toBeLessThan(200);
    expect(records.at(-1)).toMatchObject({ kind: 'roles', name: 'a' });
  });

  it('stay where nothing says how long', async () => {
    const { names, write, changes } = begin();
    for (let n = 0; n < 300; n += 1) await redis.xadd(names.audit, `1-${n + 1}`, 'action', 'create');
    await write({ key: names.hash('roles'), field: 'a', before: undefined, after: ROLE('a') });
    expect(await changes()).toHaveLength(301);
  });
});
