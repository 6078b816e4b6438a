import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyContent } from '../../src/catalog/read-keys.ts';
import { createRebuilding, rebuild } from '../../src/catalog/rebuild.ts';
import { NOTHING, Snapshot, type SnapshotParts } from '../../src/catalog/snapshot.ts';
import { keyNames } from '../../src/redis/keys.ts';

const names = keyNames('cohere:');
const hash = (fields: Record<string, string>): KeyContent => ({ kind: 'hash', fields });
const set = (...members: string[]): KeyContent => ({ kind: 'set', members });
const WRONG: KeyContent = { kind: 'wrong', message: 'another type' };
const contents = (entries: Record<string, KeyContent>) =>
  new Map(Object.entries(entries).map(([name, content]) => [`cohere:${name}`, content]));

/** Without the order of entries, which depends on what was there before. */
const plain = ({ tables, tableFaults, members, memberships, grants, badGrants, keyFaults }: SnapshotParts) => ({
  tables: Object.entries(tables).map(([kind, table]) => [kind, new Map<string, unknown>(table)]),
  faults: Object.entries(tableFaults).map(([kind, faults]) => [kind, new Set(faults.map((fault) => fault.field))]),
  ...{ members: new Map(members), memberships: new Map(memberships), grants: new Map(grants) },
  ...{ badGrants: new Map(badGrants), keyFaults: new Map(keyFaults) },
});

describe('a rebuilt catalog', () => {
  it('leaves the one it was made from as it was', async () => {
    const before = await rebuild(NOTHING, names, contents({ models: hash({ 'p:a': '{}' }), 'members:g': set('x') }));
    await rebuild(
      before,
      names,
      contents({ models: hash({}), 'members:g': set(), 'grants:USER:x': hash({ 'PROMPT:p': 'READ' }) }),
    );
    expect([...before.tables.models.keys()]).toEqual(['p:a']);
    expect(before.members.get('g')).toEqual(new Set(['x']));
    expect(before.grants.size).toBe(0);
    expect(NOTHING.tables.models.size + NOTHING.members.size + NOTHING.grants.size + NOTHING.keyFaults.size).toBe(0);
  });

  it('shares what it was not given, and every record whose text is the same', async () => {
    const before = await rebuild(
      NOTHING,
      names,
      contents({
        models: hash({ 'p:a': '{}', 'p:b': '{}' }),
        users: hash({ u: '{}' }),
        'grants:USER:x': hash({ 'PROMPT:p': 'READ' }),
      }),
    );
    const after = await rebuild(before, names, contents({ models: hash({ 'p:a': '{}', 'p:b': '{"enabled":false}' }) }));
    expect(after.tables.users).toBe(before.tables.users);
    expect(after.grants.get('USER:x')).toBe(before.grants.get('USER:x'));
    expect(after.tables.models.get('p:a')).toBe(before.tables.models.get('p:a'));
    expect(after.tables.models.get('p:b')).not.toBe(before.tables.models.get('p:b'));
  });

  it('knows no empty sets or hashes of grants: Redis has none either', async () => {
    const parts = await rebuild(NOTHING, names, contents({ 'members:g': set(), 'grants:USER:x': hash({}) }));
    expect([parts.members.size, parts.grants.size]).toEqual([0, 0]);
  });

  it('names a key of another type, forgets what it held, and forgets the fault when it is mended', async () => {
    const held = contents({
      'members:g': set('x'),
      users: hash({ u: '{}' }),
      'grants:USER:x': hash({ 'PROMPT:p': 'READ' }),
    });
    const before = await rebuild(NOTHING, names, held);
    const broken = await rebuild(before, names, contents({ 'members:g': WRONG, users: WRONG, 'grants:USER:x': WRONG }));
    expect([...new Snapshot(broken).faults()].map(({ key }) => key)).toEqual([
      'cohere:members:g',
      'cohere:users',
      'cohere:grants:USER:x',
    ]);
    expect([broken.members.size, broken.tables.users.size, broken.grants.size]).toEqual([0, 0, 0]);
    const mended = await rebuild(broken, names, held);
    expect(mended.keyFaults.size).toBe(0);
    expect(plain(mended)).toEqual(plain(before));
  });

  it('passes over keys that are not of the catalog', async () => {
    const parts = await rebuild(
      NOTHING,
      names,
      contents({ 'run:denials': hash({ x: '{' }), 'models-of-others': hash({ 'p:m': '{}' }) }),
    );
    expect(parts).toBe(NOTHING);
  });

  it('keeps fields whose names mean something to JavaScript', async () => {
    const fields = JSON.parse('{"__proto__":"{}","constructor":"{}","toString":"{}","1":"{}"}');
    const snapshot = new Snapshot(await rebuild(NOTHING, names, contents({ users: hash(fields) })));
    expect([...snapshot.names('users')].sort()).toEqual(['1', '__proto__', 'constructor', 'toString']);
    expect(new Snapshot(NOTHING).user('constructor')).toBeUndefined();
  });

  it('is the very same where nothing has changed, in any kind of key', async () => {
    const all = contents({
      models: hash({ 'p:a': '{}', bad: '{' }),
      'members:g': set('x', 'y'),
      'members:broken': WRONG,
      'grants:USER:x': hash({ 'PROMPT:p': 'READ', bad: 'READ' }),
    });
    const before = await rebuild(NOTHING, names, all);
    expect(await rebuild(before, names, all)).toBe(before);
  });

  it('shares the sets of members and the grants that stay, and their index', async () => {
    const before = await rebuild(
      NOTHING,
      names,
      contents({ 'members:g': set('x', 'y'), 'members:h': set('y'), 'grants:USER:x': hash({ 'PROMPT:p': 'READ' }) }),
    );
    const after = await rebuild(
      before,
      names,
      contents({ 'members:g': set('x'), 'grants:USER:y': hash({ 'PROMPT:p': 'READ' }) }),
    );
    expect(after.members.get('h')).toBe(before.members.get('h'));
    expect(after.grants.get('USER:x')).toBe(before.grants.get('USER:x'));
    expect(after.memberships.get('x')).toBe(before.memberships.get('x'));
    const groups = (parts: SnapshotParts) => ['x', 'y'].map((id) => new Snapshot(parts).groupsOf(id));
    expect([groups(before), groups(after)]).toEqual([
      [['g'], ['g', 'h']],
      [['g'], ['h']],
    ]);
  });

  it('takes a key in pieces, with elements that come twice', async () => {
    const before = await rebuild(
      NOTHING,
      names,
      contents({
        users: hash({ a: '{}', b: '{}', c: '{}', bad: '{' }),
        'members:g': set('a', 'b'),
        'grants:USER:x': hash({ 'PROMPT:p': 'READ', 'PROMPT:q': 'READ', bad: 'READ' }),
      }),
    );
    const rebuilding = createRebuilding(before, names);
    const piece = (name: string, items: string[], last: boolean) =>
      rebuilding.take([{ key: `cohere:${name}`, content: { kind: 'items', items }, last }]);
    await piece('users', ['a', '{}', 'b', '{', 'bad', '{'], false);
    await piece('users', [], false);
    await piece('users', ['b', '{"name":"B"}', 'bad', '{}', 'd', '{}'], true);
    await piece('members:g', ['b', 'c'], false);
    await piece('members:g', ['c', 'd'], true);
    await piece('grants:USER:x', ['PROMPT:p', 'nonsense', 'PROMPT:r', 'READ'], false);
    await piece('grants:USER:x', ['PROMPT:p', 'EXECUTE', 'PROMPT:r', 'nonsense'], true);
    const whole = await rebuild(
      NOTHING,
      names,
      contents({
        users: hash({ a: '{}', b: '{"name":"B"}', d: '{}', bad: '{}' }),
        'members:g': set('b', 'c', 'd'),
        'grants:USER:x': hash({ 'PROMPT:p': 'EXECUTE', 'PROMPT:r': 'nonsense' }),
      }),
    );
    expect(plain(rebuilding.done())).toEqual(plain(whole));
    expect(rebuilding.done().tables.users.get('a')).toBe(before.tables.users.get('a'));
  });

  it('gives the event loop its turn while it reads thousands of records', async () => {
    const fields = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`p:m${n}`, `{"description":"${n}"}`]));
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 0);
    const parts = await rebuild(NOTHING, names, contents({ models: hash(fields) }));
    clearInterval(timer);
    expect(parts.tables.models.size).toBe(20_000);
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  it('step by step is the same as at once, whatever changed in between', async () => {
    const record = fc.constantFrom('{}', '{"description":"x"}', '{', '[]', '{"unknown":1}');
    const step = fc.record({
      models: fc.dictionary(fc.constantFrom('p:a', 'p:b', 'q:c', 'bad'), record),
      users: fc.dictionary(fc.constantFrom('alice', 'bob', 'app:x'), record),
      members: fc.uniqueArray(fc.constantFrom('alice', 'bob')),
      others: fc.uniqueArray(fc.constantFrom('alice', 'bob', 'carol')),
      grants: fc.dictionary(fc.constantFrom('PROMPT:a', 'INTEGRATION:a'), fc.constantFrom('READ', 'x')),
      wrong: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        const contentsOf = ({ models, users, members, others, grants, wrong }: (typeof steps)[number]) =>
          contents({
            models: hash(models),
            users: wrong ? WRONG : hash(users),
            'members:g': set(...members),
            'members:f': wrong ? WRONG : set(...others),
            'grants:USER:alice': hash(grants),
          });
        let parts = NOTHING;
        for (const one of steps) parts = await rebuild(parts, names, contentsOf(one));
        const last = steps.at(-1);
        if (last === undefined) return;
        expect(plain(parts)).toEqual(plain(await rebuild(NOTHING, names, contentsOf(last))));
      }),
      { numRuns: 60 },
    );
  });
});
