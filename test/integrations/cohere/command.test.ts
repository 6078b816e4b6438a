import { describe, expect, it } from 'vitest';
import type { TextRequest } from '../../../src/integrations/codec.ts';
import { bodyOf, textCodec } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const codec = textCodec('command');
const encode = (parameters: Omit<TextRequest, 'prompt'> = {}) => codec.encode({ prompt: 'Say hi', ...parameters });
const bodyFor = (parameters: Omit<TextRequest, 'prompt'>) => bodyOf(encode(parameters));

describe('a request to Command', () => {
  it('has the prompt and 1024 tokens where nothing else is asked for', () => {
    expect(encode()).toEqual({ operation: 'InvokeModel', body: { prompt: 'Say hi', max_tokens: 1024 } });
  });

  it('carries every parameter in Command’s own words', () => {
    expect(
      encode({ maxTokens: 7, temperature: 0.5, topP: 0.25, topK: 40, stopWords: ['END', '\n'], maxResults: 2 }),
    ).toEqual({
      operation: 'InvokeModel',
      body: {
        prompt: 'Say hi',
        max_tokens: 7,
        temperature: 0.5,
        p: 0.25,
        k: 40,
        stop_sequences: ['END', '\n'],
        num_generations: 2,
      },
    });
  });

  it('leaves out an input that is null and an empty list of stop words', () => {
    const unset = { temperature: null, stopWords: [] } as unknown as TextRequest;
    expect(bodyFor(unset)).toEqual({ prompt: 'Say hi', max_tokens: 1024 });
  });

  it.each([
    ['frequencyPenalty', 0.5],
    ['presencePenalty', 0.25],
    ['seed', 42],
  ])('refuses %s, which Command does not know, and lists what it knows', (field, value) => {
    expect(refusal(() => encode({ [field]: value }))).toEqual({
      code: 'INPUT_INVALID',
      field,
      message: `Cohere Command has no ${field} (given: ${value}). It knows maxTokens, temperature, topP, topK, stopWords, maxResults.`,
    });
  });

  it.each([
    ['temperature', 'temperature', 0, 5, 'a number from 0 to 5'],
    ['topP', 'p', 0, 1, 'a number from 0 to 1'],
    ['topK', 'k', 0, 500, 'a number from 0 to 500'],
    ['maxTokens', 'max_tokens', 1, 4096, 'a whole number from 1 to 4096'],
    ['maxResults', 'num_generations', 1, 5, 'a whole number from 1 to 5'],
  ])('takes %s as `%s` from %d to %d, edges included, and refuses what is outside', (field, word, low, high, range) => {
    expect(bodyFor({ [field]: low })[word]).toBe(low);
    expect(bodyFor({ [field]: high })[word]).toBe(high);
    const step = range.includes('whole') ? 1 : 0.001;
    for (const value of [low - step, high + step, Number.NaN, Number.POSITIVE_INFINITY, '1']) {
      expect(refusal(() => encode({ [field]: value }))).toEqual({
        code: 'INPUT_INVALID',
        field,
        message: `${field} must be ${range} for Cohere Command, not ${value === '1' ? '"1"' : value}.`,
      });
    }
  });

  it('refuses a fraction of a token or of a result', () => {
    expect(refusal(() => encode({ maxTokens: 1.5 }))).toMatchObject({ field: 'maxTokens' });
    expect(refusal(() => encode({ maxResults: 1.5 }))).toMatchObject({ field: 'maxResults' });
  });

  it('takes four stop words, none empty', () => {
    expect(bodyFor({ stopWords: ['a', 'b', 'c', 'd'] }).stop_sequences).toEqual(['a', 'b', 'c', 'd']);
    expect(refusal(() => encode({ stopWords: ['a', 'b', 'c', 'd', 'e'] }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'stopWords',
      message: 'stopWords must be a list of at most 4 non-empty texts for Cohere Command, not ["a","b","c","d","e"].',
    });
    expect(refusal(() => encode({ stopWords: [''] }))).toMatchObject({ field: 'stopWords' });
    expect(refusal(() => encode({ stopWords: 'END' as unknown as string[] }))).toMatchObject({ field: 'stopWords' });
  });

  it('cuts a long value short in its message', () => {
    const message = refusal(() => encode({ stopWords: ['x'.repeat(10_000), ''] }))?.message ?? '';
    expect(message.length).toBeLessThan(250);
    expect(message).toContain('…');
  });

  it('refuses an empty prompt', () => {
    expect(refusal(() => codec.encode({ prompt: '' }))).toMatchObject({ code: 'INPUT_INVALID', field: 'prompt' });
  });
});

describe('an answer of Command', () => {
  const answer = (generations: unknown) => ({
    body: { id: 'a', prompt: 'Say hi', generations },
    tokens: { prompt: 3, completion: 2 },
  });

  it('gives every generation with its finish reason, and the tokens that Bedrock counted', () => {
    expect(
      codec.decode(
        answer([
          { id: 'b', text: ' hi', finish_reason: 'COMPLETE', likelihood: -1 },
          { id: 'c', text: ' hello', finish_reason: 'MAX_TOKENS' },
          { id: 'd', text: '', finish_reason: 'ERROR_TOXIC' },
          { id: 'e', text: ' he', finish_reason: 'ERROR' },
        ]),
      ),
    ).toEqual({
      completions: [
        { text: ' hi', finishReason: 'STOP' },
        { text: ' hello', finishReason: 'MAX_TOKENS' },
        { text: '', finishReason: 'CONTENT_FILTER' },
        { text: ' he', finishReason: 'ERROR' },
      ],
      tokens: { prompt: 3, completion: 2 },
    });
  });

  it('leaves out a token count that was not given or is not a count', () => {
    const body = { generations: [{ text: 'hi', finish_reason: 'COMPLETE' }] };
    expect(codec.decode({ body, tokens: {} }).tokens).toStrictEqual({});
    expect(codec.decode({ body, tokens: { prompt: undefined, completion: 0 } }).tokens).toStrictEqual({
      completion: 0,
    });
    expect(codec.decode({ body, tokens: { prompt: Number.NaN, completion: 1 } }).tokens).toStrictEqual({
      completion: 1,
    });
  });

  it.each([
    ['no generation', { generations: [] }],
    ['no generations', { text: 'SECRET' }],
    ['a generation without text', { generations: [{ text: null, finish_reason: 'SECRET' }] }],
    ['not an object', 'SECRET'],
    ['nothing', undefined],
  ])('is ANSWER_INVALID with %s, without repeating the answer', (_, body) => {
    const refused = refusal(() => codec.decode({ body, tokens: {} }));
    expect(refused?.code).toBe('ANSWER_INVALID');
    expect(refused?.message).toContain('Cohere Command');
    expect(refused?.message).not.toContain('SECRET');
  });
});
