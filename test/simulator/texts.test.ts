import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateText } from '../../simulator/texts.ts';
import { countTokens, firstTokens, lastTokens } from '../../simulator/tokens.ts';

describe('tokens', () => {
  test('are counted by short runs of letters and by signs', () => {
    expect(countTokens('')).toBe(0);
    expect(countTokens('two words')).toBe(2);
    expect(countTokens('internationally, yes.')).toBe(6);
  });

  test('cut a text at either end to no more than asked for', () => {
    fc.assert(
      fc.property(fc.lorem({ maxCount: 30 }), fc.integer({ min: 1, max: 40 }), (text, limit) => {
        const expected = Math.min(limit, countTokens(text));
        expect(countTokens(firstTokens(text, limit))).toBe(expected);
        expect(countTokens(lastTokens(text, limit))).toBe(expected);
        expect(text.startsWith(firstTokens(text, limit))).toBe(true);
        expect(text.endsWith(lastTokens(text, limit))).toBe(true);
      }),
    );
  });
});

describe('a generated text', () => {
  const prompt = 'Please summarise the attached contract between the two companies in a few plain words for me';

  test('repeats the gist of the prompt, always in the same way', () => {
    const one = generateText({ prompt, maxTokens: 1000 });
    expect(one.text).toContain(
      'Simulated answer to: "Please summarise the attached contract between the two companies in a few …"',
    );
    expect(one).toMatchObject({ ending: 'end', tokens: countTokens(one.text) });
    expect(generateText({ prompt, maxTokens: 1000 })).toEqual(one);
    expect(generateText({ prompt, maxTokens: 1000, variant: 1 }).text).not.toBe(one.text);
  });

  test('ends at the limit of tokens', () => {
    expect(generateText({ prompt, maxTokens: 7 })).toMatchObject({ ending: 'max tokens', tokens: 7 });
  });

  test('ends before the first stop sequence', () => {
    const { text } = generateText({ prompt, maxTokens: 1000 });
    expect(generateText({ prompt, maxTokens: 1000, stopSequences: ['".', 'contract', 'none'] })).toEqual({
      text: text.slice(0, text.indexOf('contract')),
      ending: 'stop sequence',
      tokens: expect.any(Number),
      stopSequence: 'contract',
    });
  });

  test('is JSON where the prompt asks for JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (topic) => {
        const { text } = generateText({ prompt: `Answer in JSON: ${topic}`, maxTokens: 1000 });
        expect(JSON.parse(text)).toMatchObject({ answer: expect.any(String), confidence: expect.any(Number) });
      }),
    );
  });
});
