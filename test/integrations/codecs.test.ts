import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../../src/integrations/codec.ts';
import { codecFor } from '../../src/integrations/codecs.ts';
import { finishReasonOf } from '../../src/integrations/finish-reasons.ts';
import { defaultMaxTokens, describeRule } from '../../src/integrations/parameters.ts';

describe('the codec of a family', () => {
  it.each(FAMILIES)('says that it is %s', (family) => {
    expect(codecFor(family).family).toBe(family);
  });

  it('does text, chat, embeddings and reranking as far as it can', () => {
    const can = Object.fromEntries(
      FAMILIES.map((family) => {
        const { text, chat, embeddings, rerank } = codecFor(family);
        const abilities = Object.entries({ text, chat, embeddings, rerank });
        return [family, abilities.flatMap(([what, codec]) => (codec ? [what] : []))];
      }),
    );
    expect(can).toEqual({
      command: ['text'],
      'command-r': ['text', 'chat'],
      'embed-v3': ['embeddings'],
      'embed-v4': ['embeddings'],
      rerank: ['rerank'],
      converse: ['text', 'chat'],
    });
  });
});

const TEXT_FAMILIES = ['command', 'command-r', 'converse'] as const;

describe('the default of maxTokens', () => {
  it.each(TEXT_FAMILIES)('is 1024 for %s, whose maximum is higher', (family) => {
    expect(defaultMaxTokens(family)).toBe(1024);
  });
});

describe('a finish reason', () => {
  it('is ERROR when nobody knows it, also where its name is one that objects inherit', () => {
    for (const word of ['', 'finished', 'constructor', '__proto__', 'toString', null, undefined]) {
      expect(finishReasonOf(word)).toBe('ERROR');
    }
  });

  it('is read in any casing', () => {
    for (const word of ['COMPLETE', 'complete', 'Complete']) expect(finishReasonOf(word)).toBe('STOP');
  });
});

describe('a rule in words', () => {
  it.each([
    [{ kind: 'number', minimum: 0, maximum: 1 }, 'a number from 0 to 1'],
    [{ kind: 'whole', minimum: 1 }, 'a whole number from 1'],
    [{ kind: 'number', maximum: 2 }, 'a number up to 2'],
    [{ kind: 'whole' }, 'a whole number'],
    [{ kind: 'whole', minimum: 1, maximum: 1 }, '1'],
    [{ kind: 'texts', word: 'stop' }, 'a list of non-empty texts'],
    [{ kind: 'choice', word: 'size', choices: [1, 2] }, 'one of 1, 2'],
    [{ kind: 'choices', word: 'forms', choices: ['a', 'b'] }, 'a list of a, b'],
    [{ kind: 'refused' }, 'not known'],
  ] as const)('%j', (rule, words) => {
    expect(describeRule(rule)).toBe(words);
  });
});
