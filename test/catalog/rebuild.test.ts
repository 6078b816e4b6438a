import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyContent } from '../../src/catalog/read-keys.ts';
import { rebuild } from '../../src/catalog/rebuild.ts';
import { NOTHING, Snapshot } from '../../src/catalog/snapshot.ts';
import { keyNames } from '../../src/redis/keys.ts';

const names = keyNames('cohere:');
const hash = (fields: Record<string, string>): KeyContent => ({ kind: 'hash', fields });
const set = (...members: string[]): KeyContent => ({ kind: 'set', members });
const WRONG: KeyContent = { kind: 'wrong', message: 'another type' };
const contents = (entries: Record<string, KeyContent>) =>
  new Map(Object.entries(entries).map(([name, content]) => [`cohere:${name}`, content]));

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
    expect(mended.members).toEqual(before.members);
  });

  it('passes over keys that are not of the catalog', async () => {
    const parts = await rebuild(
      NOTHING,
      names,
      contents({ 'run:denials': hash({ x: '{' }), 'models-of-others': hash({ 'p:m': '{}' }) }),
    );
    expect(new Snapshot(parts)).toEqual(new Snapshot(NOTHING));
  });

  it('keeps fields whose names mean something to JavaScript', async () => {
    const fields = JSON.parse('{"__proto__":"{}","constructor":"{}","toString":"{}","1":"{}"}');
    const snapshot = new Snapshot(await rebuild(NOTHING, names, contents({ users: hash(fields) })));
    expect([...snapshot.names('users')].sort()).toEqual(['1', '__proto__', 'constructor', 'toString']);
    expect(new Snapshot(NOTHING).user('constructor')).toBeUndefined();
  });

  it('gives the event loop its turn while it reads thousands of records', async () => {
    const fields = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`p:m${n}`, `{"description":"${n}"}`]));
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 0);
    const parts = await rebuild(NOTHING, names, contents({ models: hash(fields) }));
    clearInterval(timer);
    expect(parts.tables.models.size).toBe(5_000);
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  it('step by step is the same as at once, whatever changed in between', async () => {
    const record = fc.constantFrom('{}', '{"description":"x"}', '{', '[]', '{"unknown":1}');
    const step = fc.record({
      models: fc.dictionary(fc.constantFrom('p:a', 'p:b', 'q:c', 'bad'), record),
      users: fc.dictionary(fc.constantFrom('alice', 'bob', 'app:x'), record),
      members: fc.uniqueArray(fc.constantFrom('alice', 'bob')),
      grants: fc.dictionary(fc.constantFrom('PROMPT:a', 'INTEGRATION:a'), fc.constantFrom('READ', 'x')),
      wrong: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        const contentsOf = ({ models, users, members, grants, wrong }: (typeof steps)[number]) =>
          contents({
            models: hash(models),
            users: wrong ? WRONG : hash(users),
            'members:g': set(...members),
            'grants:USER:alice': hash(grants),
          });
        let parts = NOTHING;
        for (const one of steps) parts = await rebuild(parts, names, contentsOf(one));
        const last = steps.at(-1);
        if (last === undefined) return;
        expect(parts).toEqual(await rebuild(NOTHING, names, contentsOf(last)));
      }),
      { numRuns: 60 },
    );
  });
});
