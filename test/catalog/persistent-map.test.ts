import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentMap } from '../../src/catalog/persistent-map.ts';

const key = fc.integer({ min: 0, max: 600 }).map((n) => `key-${n}`);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ key, value: fc.option(fc.integer({ min: 0, max: 3 })) }) },
  // Enough at once that there are more shards, and that they lose all they hold.
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
  for (const absent of ['', 'key-', 'constructor', '__proto__'])
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

  it('grows and shrinks through thousands, and leaves each map that it was made from as it was', () => {
    const names = Array.from({ length: 5_000 }, (_, n) => `key-${n}`);
    const made = [0, 1, 64, 65, 2_048, 2_049, 5_000].map((size) => {
      const edit = new PersistentMap<number>().edit();
      for (const [index, name] of names.slice(0, size).entries()) edit.set(name, index);
      return edit.done();
    });
    for (const map of made) {
      const plain = new Map(map);
      const more = map.edit();
      for (const name of names) more.set(name, -1);
      expectSame(more.done(), new Map(names.map((name) => [name, -1])));
      const fewer = map.edit();
      for (const name of names) fewer.delete(name);
      expectSame(fewer.done(), new Map());
      expectSame(map, plain);
    }
  });
});
