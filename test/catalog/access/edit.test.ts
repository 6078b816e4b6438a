import { describe, expect, it } from 'vitest';
import type { KeyContent } from '../../../src/catalog/read-keys.ts';
import { createRebuilding, rebuild } from '../../../src/catalog/rebuild.ts';
import { NOTHING } from '../../../src/catalog/snapshot.ts';
import { keyNames } from '../../../src/redis/keys.ts';

const names = keyNames('cohere:');
const hash = (fields: Record<string, string>): KeyContent => ({ kind: 'hash', fields });
const set = (...members: string[]): KeyContent => ({ kind: 'set', members });
const contents = (entries: Record<string, KeyContent>) =>
  new Map(Object.entries(entries).map(([name, content]) => [`cohere:${name}`, content]));

describe('an index of access', () => {
  it('keeps nothing of what is gone, and gives its numbers again', async () => {
    const full = contents({
      users: hash({ alice: '{"roles":["curator"]}' }),
      groups: hash({ g: '{"roles":["curator","ADMIN"]}', h: '{}' }),
      applications: hash({ claims: '{"roles":["USER"]}' }),
      'members:g': set('alice', 'bob', 'app:claims'),
      'members:lost': set('bob'),
      'grants:USER:alice': hash({ 'PROMPT:t': 'READ', 'PROMPT:u': 'READ' }),
      'grants:GROUP:g': hash({ 'PROMPT:t': 'READ' }),
      'grants:GROUP:lost': hash({ 'PROMPT:v': 'READ' }),
      'grants:ROLE:curator': hash({ 'PROMPT:t': 'EXECUTE' }),
    });
    const emptied = [...full].map(([key, { kind }]) => [key, kind === 'set' ? set() : hash({})] as const);
    let parts = NOTHING;
    for (let turn = 0; turn < 20; turn += 1) {
      parts = await rebuild(parts, names, full);
      const given = parts.access.parts;
      expect([given.users.free.next, given.others.free.next, given.targets.free.next]).toEqual([4, 6, 4]);
      // In another order each time.
      const from = turn % emptied.length;
      parts = await rebuild(parts, names, new Map([...emptied.slice(from), ...emptied.slice(0, from)]));
      const { users, others, targets } = parts.access.parts;
      expect(users.names.size + others.numbers.GROUP.size + targets.uses.size).toBe(0);
      expect([...others.numbers.ROLE.keys()]).toEqual(['ADMIN']);
    }
    expect(NOTHING.access.parts.others.numbers.ROLE.size).toBe(1);
  });

  it('knows nothing of a key that turned out to be something else while it was read', async () => {
    const before = await rebuild(NOTHING, names, contents({ 'members:g': set('alice') }));
    const rebuilding = createRebuilding(before, names);
    const part = (name: string, ...items: string[]) => ({
      key: `cohere:${name}`,
      content: { kind: 'items', items } as const,
      last: false,
    });
    const wrong = (name: string) => ({
      key: `cohere:${name}`,
      content: { kind: 'wrong', message: 'another type' } as const,
      last: true,
    });
    await rebuilding.take([part('users', 'bob', '{"roles":["ADMIN"]}'), wrong('users')]);
    await rebuilding.take([part('members:g', 'bob'), wrong('members:g')]);
    await rebuilding.take([part('grants:USER:bob', 'PROMPT:t', 'READ'), wrong('grants:USER:bob')]);
    const { users, others, targets } = rebuilding.done().access.parts;
    expect(users.names.size).toBe(0);
    expect([...others.numbers.GROUP.keys(), ...targets.uses.keys()]).toEqual([]);
  });

  it('shares all pages but those of the holders that change', async () => {
    const grants = Array.from(
      { length: 4_000 },
      (_, n) => [`grants:USER:u${n}`, hash({ 'PROMPT:t': 'READ' })] as const,
    );
    const before = await rebuild(NOTHING, names, contents(Object.fromEntries(grants)));
    const after = await rebuild(before, names, contents({ 'grants:USER:u500': hash({ 'PROMPT:t': 'EXECUTE' }) }));
    const [old, fresh] = [before.access.parts.users.pages, after.access.parts.users.pages];
    expect(old.length).toBeGreaterThan(5);
    expect(fresh.filter((page, n) => page !== old[n])).toHaveLength(1);
  });

  it('is the very same where records change in what does not count', async () => {
    const before = await rebuild(
      NOTHING,
      names,
      contents({ users: hash({ alice: '{"roles":["curator"]}' }), groups: hash({ g: '{}' }), 'members:g': set('bob') }),
    );
    const after = await rebuild(
      before,
      names,
      contents({
        users: hash({ alice: '{"roles":["curator"],"name":"Alice"}' }),
        groups: hash({ g: '{"description":"G"}' }),
      }),
    );
    expect(after).not.toBe(before);
    expect(after.access).toBe(before.access);
  });
});
