import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareTokens } from '../../../src/calls/kinds/shared-tokens.ts';

describe('tokens of a shared request', () => {
  it('go by the lengths of the texts', () => {
    expect(shareTokens(30, ['a'.repeat(10), 'b'.repeat(20)])).toEqual([10, 20]);
    expect(shareTokens(10, ['aaa', 'bbb', 'ccc'])).toEqual([4, 3, 3]);
  });

  it('go by bytes, so that a text in Chinese pays for what it takes beside one in English', () => {
    expect(shareTokens(40, ['\u6f22'.repeat(10), 'b'.repeat(10)])).toEqual([30, 10]);
  });

  it('add up exactly, in whole tokens, and no longer text gets less', () => {
    const texts = fc.array(fc.string({ maxLength: 50, unit: 'grapheme' }), { minLength: 1, maxLength: 96 });
    fc.assert(
      fc.property(fc.nat({ max: 100_000 }), texts, (total, given) => {
        const shares = shareTokens(total, given);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
        expect(shares.every((share) => Number.isInteger(share) && share >= 0)).toBe(true);
        const byLength = given.map((text, index) => ({
          length: Math.max(1, Buffer.byteLength(text)),
          share: shares[index] ?? -1,
        }));
        byLength.sort((one, other) => one.length - other.length);
        for (const [index, one] of byLength.entries()) {
          const next = byLength[index + 1];
          if (next !== undefined && next.length > one.length) expect(next.share).toBeGreaterThanOrEqual(one.share - 1);
        }
      }),
    );
  });
});
