import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editUserNames, findUser, NO_USERS, type UserNames } from '../../../src/catalog/access/user-names.ts';
import { hashOf } from '../../../src/catalog/persistent-map.ts';

/** Two names of the same hash: the last two characters of the second undo what its first two have changed. */
function namesAlike(): readonly [string, string] {
  const step = (characters: number): number => Math.imul(0x811c9dc5 ^ characters, 0x01000193);
  const twice = ['ab', 'ba'].map((two) => step(two.charCodeAt(0) | (two.charCodeAt(1) << 16)));
  const last = (twice[0] ?? 0) ^ (twice[1] ?? 0);
  return ['ab\0\0', `ba${String.fromCharCode(last & 0xffff, last >>> 16)}`];
}

const ALIKE = namesAlike();
/** Few enough that they come again. Numbers are given once and for all, as the rows of an index would name them. */
const NAMES = [...ALIKE, '', ...Array.from({ length: 300 }, (_, n) => `u${n}`)];
const numberOf = new Map(NAMES.map((name, index) => [name, index + 1]));
const is = (name: string) => (user: number) => numberOf.get(name) === user;
const held = (names: UserNames): string[] => NAMES.filter((name) => findUser(names, name, is(name)) !== 0);

describe('users by name', () => {
  it('tells two apart whose hashes are the same', () => {
    const [one, other] = ALIKE;
    expect(hashOf(one)).toBe(hashOf(other));
    const edit = editUserNames(NO_USERS);
    edit.add(one, 1);
    const alone = edit.done();
    expect(held(alone)).toEqual([one]);

    const second = editUserNames(alone);
    second.add(other, 2);
    const both = second.done();
    expect([findUser(both, one, is(one)), findUser(both, other, is(other))]).toEqual([1, 2]);

    const third = editUserNames(both);
    third.delete(one, is(one));
    expect(held(third.done())).toEqual([other]);
    expect([held(NO_USERS), held(alone), held(both)]).toEqual([[], [one], [one, other]]);
  });

  it('holds what a map would, whatever is added and deleted, and leaves each state before as it was', () => {
    const change = fc.record({ name: fc.constantFrom(...NAMES), keep: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 400 }), { maxLength: 6 }), (edits) => {
        let names = NO_USERS;
        const model = new Set<string>();
        const states: { readonly names: UserNames; readonly held: readonly string[] }[] = [];
        for (const changes of edits) {
          const edit = editUserNames(names);
          for (const { name, keep } of changes) {
            const number = edit.find(name, is(name));
            expect(number !== 0).toBe(model.has(name));
            if (keep && number === 0) edit.add(name, numberOf.get(name) ?? 0);
            if (!keep && number !== 0) edit.delete(name, is(name));
            if (keep) model.add(name);
            else model.delete(name);
          }
          names = edit.done();
          expect(names.size).toBe(model.size);
          states.push({ names, held: NAMES.filter((name) => model.has(name)) });
        }
        for (const { names, held: expected } of states) expect(held(names)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
