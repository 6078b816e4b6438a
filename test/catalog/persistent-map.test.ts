import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentMap } from '../../src/catalog/persistent-map.ts';

const key = fc.integer({ min: 0, max: 600 }).map((n) => `key-${n}`);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ key, value: fc.option(fc.integer({ min: 0, max: 3 })) }) },
  // Enough at once that leaves become branches, and lose all they hold.
  { weight: 1, arbitrary: fc.record({ key: fc.constant('*'), value: fc.option(fc.integer({ min: 0, max: 3 })) }) },
);

function changed(map: PersistentMap<number>, steps: readonly { key: string; value: number | null }[]) {
  const edit = map.edit();
  const plain = new Map(map);
  for (const { key, value } of steps) {
    const keys = key === '*' ? Array.from({ length: 400 }, (_, n) => `key-${n}`) : [key];
    for (const each of keys) {
      if (value === null) edit.delete(each);
      else edit.set(each, value);
      if (value === null) plain.delete(each);
      else plain.set(each, value);
      expect(edit.get(each)).toBe(plain.get(each));
    }
    expect(edit.size).toBe(plain.size);
  }
  return { map: edit.done(), plain };
}

function expectSame(map: PersistentMap<number>, plain: ReadonlyMap<string, number>): void {
  expect(map.size).toBe(plain.size);
  expect(new Map(map)).toEqual(plain);
  expect(new Map(map.entries())).toEqual(plain);
  expect(new Set(map.keys())).toEqual(new Set(plain.keys()));
  expect([...map.values()].sort()).toEqual([...plain.values()].sort());
  const visited = new Map<string, number>();
  map.forEach((value, key) => void visited.set(key, value));
  expect(visited).toEqual(plain);
  for (const [key, value] of plain) expect([map.has(key), map.get(key)]).toEqual([true, value]);
  for (const absent of ['', 'key-601', 'constructor', '__proto__'])
    expect([map.has(absent), map.get(absent)]).toEqual([false, undefined]);
}

describe('a persistent map', () => {
  it('holds what a map would, whatever is set and deleted, and so do all that it was made from', () => {
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 12 }), { maxLength: 5 }), (edits) => {
        const made: { map: PersistentMap<number>; plain: ReadonlyMap<string, number> }[] = [];
        let map = new PersistentMap<number>();
        for (const steps of edits) {
          const next = changed(map, steps);
          made.push(next);
          map = next.map;
        }
        for (const { map, plain } of made) expectSame(map, plain);
      }),
      { numRuns: 60 },
    );
  });

  it('is itself where nothing was changed', () => {
    const edit = new PersistentMap<number>().edit();
    for (let n = 0; n < 1_000; n += 1) edit.set(`key-${n}`, n);
    const map = edit.done();
    const again = map.edit();
    for (let n = 0; n < 1_000; n += 1) again.set(`key-${n}`, n);
    again.delete('key-1001');
    expect(again.done()).toBe(map);
  });

  it('keeps the order of few entries', () => {
    const edit = new PersistentMap<number>().edit();
    const names = Array.from({ length: 64 }, (_, n) => `key-${(n * 37) % 64}`);
    for (const [index, name] of names.entries()) edit.set(name, index);
    expect([...edit.done().keys()]).toEqual(names);
  });

  it('holds keys whose hashes are the same, more of them than a leaf takes', () => {
    const names = collidingKeys();
    expect(new Set(names).size).toBe(128);
    const edit = new PersistentMap<number>().edit();
    for (const [index, name] of names.entries()) edit.set(name, index);
    const map = edit.done();
    expectSame(map, new Map(names.map((name, index) => [name, index])));
    const fewer = map.edit();
    for (const name of names.slice(1)) fewer.delete(name);
    expectSame(fewer.done(), new Map([[names[0] ?? '', 0]]));
  });
});

/** 128 keys with one FNV-1a hash: seven pairs of pieces, each of which leads from one state to the same next. */
function collidingKeys(): string[] {
  let keys = [''];
  let state = 0x811c9dc5;
  for (let pair = 0; pair < 7; pair += 1) {
    const seen = new Map<number, string>();
    for (let n = 0; ; n += 1) {
      const mixed = Math.imul(n, 0x9e3779b1);
      const piece = String.fromCharCode(mixed & 0xffff, mixed >>> 16, n & 0xffff);
      let hash = state;
      for (const character of piece) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
      const other = seen.get(hash);
      seen.set(hash, piece);
      if (other === undefined) continue;
      keys = keys.flatMap((key) => [`${key}${other}`, `${key}${piece}`]);
      state = hash;
      break;
    }
  }
  return keys;
}
