import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { embedText, mergeVectors, quantise, similarity } from '../../simulator/vectors.ts';

const length = (vector: readonly number[]) => Math.hypot(...vector);

describe('vectors', () => {
  test('have length 1 and the dimensions asked for, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom(1, 2, 256, 1024, 1536), (text, dimensions) => {
        const vector = embedText(text, dimensions);
        expect(vector).toHaveLength(dimensions);
        expect(length(vector)).toBeCloseTo(1, 4);
      }),
    );
  });

  test('are the same for the same text, and for its words in another order or case', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1 }), (words) => {
        const vector = embedText(words.join(' '), 256);
        expect(embedText(words.join(' '), 256)).toEqual(vector);
        expect(similarity(embedText(words.toReversed().join(', ').toUpperCase(), 256), vector)).toBeCloseTo(1, 4);
      }),
    );
  });

  test('of texts that share words lie closer than those of texts that share none', () => {
    const words = (alphabet: string) =>
      fc.uniqueArray(fc.stringMatching(new RegExp(`^[${alphabet}]{5,9}$`)), { minLength: 4, maxLength: 12 });
    fc.assert(
      fc.property(words('abcdefghij'), words('klmnopqrst'), (ours, theirs) => {
        const text = embedText(ours.join(' '), 1024);
        const like = embedText([...ours.slice(1), theirs[0]].join(' '), 1024);
        const unlike = embedText(theirs.join(' '), 1024);
        expect(similarity(text, like)).toBeGreaterThan(similarity(text, unlike));
      }),
      { seed: 1 },
    );
  });

  test('of inflected words are neighbours', () => {
    const one = embedText('unpaid invoices', 1024);
    expect(similarity(one, embedText('an unpaid invoice', 1024))).toBeGreaterThan(0.5);
    expect(similarity(one, embedText('sunny weather', 1024))).toBeLessThan(0.3);
  });

  test('merge to one of length 1', () => {
    const one = embedText('a picture of a cat', 256);
    expect(length(mergeVectors([one, embedText('and a dog', 256)], 256))).toBeCloseTo(1, 4);
    expect(length(mergeVectors([one, one.map((value) => -value)], 256))).toBeCloseTo(1, 4);
  });
});

describe('quantising', () => {
  const vector = [0.5, -0.5, 0.25, 0, 0, 0, 0, 0.1];
  test.each([
    ['float', vector],
    ['int8', [127, -127, 64, 0, 0, 0, 0, 25]],
    ['uint8', [255, 1, 192, 128, 128, 128, 128, 153]],
    ['ubinary', [0b10100001]],
    ['binary', [0b10100001 - 128]],
  ] as const)('gives %s in its range', (type, expected) => {
    expect(quantise(vector, type)).toEqual(expected);
  });
});
