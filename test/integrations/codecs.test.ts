import { describe, expect, it } from 'vitest';
import { FAMILIES, type FinishReason } from '../../src/integrations/codec.ts';
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

  /** Every word that AWS documents for a family, and what it is to a task. */
  const WORDS: Readonly<Record<'command' | 'command-r' | 'converse', Readonly<Record<string, FinishReason>>>> = {
    command: { COMPLETE: 'STOP', MAX_TOKENS: 'MAX_TOKENS', ERROR: 'ERROR', ERROR_TOXIC: 'CONTENT_FILTER' },
    'command-r': {
      complete: 'STOP',
      max_tokens: 'MAX_TOKENS',
      error: 'ERROR',
      error_limit: 'ERROR',
      error_toxic: 'CONTENT_FILTER',
      user_cancel: 'ERROR',
    },
    converse: {
      end_turn: 'STOP',
      tool_use: 'TOOL_CALLS',
      max_tokens: 'MAX_TOKENS',
      stop_sequence: 'STOP_SEQUENCE',
      guardrail_intervened: 'CONTENT_FILTER',
      content_filtered: 'CONTENT_FILTER',
      malformed_model_output: 'ERROR',
      malformed_tool_use: 'ERROR',
      model_context_window_exceeded: 'MAX_TOKENS',
    },
  };
  const answers = {
    command: (finish_reason: unknown) => ({ generations: [{ text: 'hi', finish_reason }] }),
    'command-r': (finish_reason: unknown) => ({ text: 'hi', finish_reason }),
    converse: (stopReason: unknown) => ({ output: { message: { content: [{ text: 'hi' }] } }, stopReason }),
  };

  it.each(TEXT_FAMILIES)(
    'of %s is read in lower, upper and mixed case; one that is unknown or missing is ERROR',
    (family) => {
      const { text, chat } = codecFor(family);
      const read = (word: unknown) => {
        const answer = { body: answers[family](word), tokens: {} };
        const reasons = [text?.decode(answer).completions[0]?.finishReason, chat?.decode(answer).finishReason];
        return reasons.filter((reason) => reason !== undefined);
      };
      for (const [word, reason] of Object.entries(WORDS[family])) {
        const cased = [
          word.toLowerCase(),
          word.toUpperCase(),
          `${word.charAt(0).toUpperCase()}${word.slice(1).toLowerCase()}`,
        ];
        for (const one of cased) expect([one, ...new Set(read(one))]).toEqual([one, reason]);
      }
      for (const word of ['finished', '', null, undefined]) expect(new Set(read(word))).toEqual(new Set(['ERROR']));
    },
  );
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
