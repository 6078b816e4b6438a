import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editPages, type HolderRow, packedName } from '../../../src/catalog/access/holder-pages.ts';

function isNamed(held: string, asked: string): boolean {
  const none = new Int32Array(0);
  const row: HolderRow = { counts: true, uses: 0, name: packedName(held), roles: none, groups: none, grants: none };
  const pages = editPages([], 'users');
  pages.set(1, row);
  return pages.isNamed(1, asked);
}

/** Characters that share bytes with others, and few lengths, so that what is drawn is often nearly the same. */
const name = fc.string({ unit: fc.constantFrom('a', 'b', '\0', 'ÿ', 'Ā', '慢', '愀', '\ud83d'), maxLength: 6 });

describe('a name in a row', () => {
  it('is that one and no other, whatever characters they are of', () => {
    fc.assert(
      fc.property(name, name, (held, asked) => {
        expect(isNamed(held, asked)).toBe(held === asked);
        expect(isNamed(held, held)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['ab\0\0', '慢\0\0\0'],
    ['a\0\0\0', 'a\0\0\0\0'],
    ['abcd', '扡bcd'],
    ['Āb', '\0b'],
  ])('of %j is not %j, whose bytes look like it', (held, asked) => {
    expect([isNamed(held, asked), isNamed(asked, held)]).toEqual([false, false]);
  });
});
