import { describe, expect, it } from 'vitest';
import type { TextRequest } from '../../../src/integrations/codec.ts';
import { bodyOf, textCodec } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const codec = textCodec('command-r');
const encode = (parameters: Omit<TextRequest, 'prompt'> = {}) => codec.encode({ prompt: 'Say hi', ...parameters });
const bodyFor = (parameters: Omit<TextRequest, 'prompt'>) => bodyOf(encode(parameters));

describe('a request to Command R', () => {
  it('has the message and 1024 tokens, and no `stream` key', () => {
    expect(encode()).toEqual({ operation: 'InvokeModel', body: { message: 'Say hi', max_tokens: 1024 } });
  });

  it('carries every parameter in Command R’s own words; a single result needs none', () => {
    expect(
      encode({
        maxTokens: 9,
        temperature: 0.5,
        topP: 0.25,
        topK: 40,
        frequencyPenalty: 0.1,
        presencePenalty: 0.2,
        seed: 42,
        stopWords: ['END'],
        maxResults: 1,
      }),
    ).toEqual({
      operation: 'InvokeModel',
      body: {
        message: 'Say hi',
        max_tokens: 9,
        temperature: 0.5,
        p: 0.25,
        k: 40,
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
        seed: 42,
        stop_sequences: ['END'],
      },
    });
  });

  it.each([
    ['temperature', 'temperature', 0, 1, 'a number from 0 to 1'],
    ['topP', 'p', 0.01, 0.99, 'a number from 0.01 to 0.99'],
    ['topK', 'k', 0, 500, 'a number from 0 to 500'],
    ['frequencyPenalty', 'frequency_penalty', 0, 1, 'a number from 0 to 1'],
    ['presencePenalty', 'presence_penalty', 0, 1, 'a number from 0 to 1'],
    ['maxTokens', 'max_tokens', 1, 4000, 'a whole number from 1 to 4000'],
  ])('takes %s as `%s` from %d to %d, edges included, and refuses what is outside', (field, word, low, high, range) => {
    expect(bodyFor({ [field]: low })[word]).toBe(low);
    expect(bodyFor({ [field]: high })[word]).toBe(high);
    const step = range.includes('whole') ? 1 : 0.001;
    for (const value of [low - step, high + step, Number.NaN]) {
      expect(refusal(() => encode({ [field]: value }))).toEqual({
        code: 'INPUT_INVALID',
        field,
        message: `${field} must be ${range} for Cohere Command R, not ${value}.`,
      });
    }
  });

  it('takes any whole seed from 0, and no other', () => {
    expect(bodyFor({ seed: 0 }).seed).toBe(0);
    expect(bodyFor({ seed: Number.MAX_SAFE_INTEGER }).seed).toBe(Number.MAX_SAFE_INTEGER);
    for (const seed of [-1, 0.5, Number.MAX_SAFE_INTEGER + 1, Number.NaN]) {
      expect(refusal(() => encode({ seed }))).toMatchObject({ code: 'INPUT_INVALID', field: 'seed' });
    }
  });

  it('takes any number of stop words, none empty', () => {
    const stopWords = ['a', 'b', 'c', 'd', 'e', 'f'];
    expect(bodyFor({ stopWords }).stop_sequences).toEqual(stopWords);
    expect(refusal(() => encode({ stopWords: ['a', ''] }))).toMatchObject({ field: 'stopWords' });
  });

  it('gives one result only', () => {
    expect(refusal(() => encode({ maxResults: 2 }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'maxResults',
      message: 'maxResults must be 1 for Cohere Command R, not 2.',
    });
  });
});

describe('an answer of Command R', () => {
  it.each([
    ['COMPLETE', 'STOP'],
    ['complete', 'STOP'],
    ['MAX_TOKENS', 'MAX_TOKENS'],
    ['max_tokens', 'MAX_TOKENS'],
    ['ERROR_TOXIC', 'CONTENT_FILTER'],
    ['error_toxic', 'CONTENT_FILTER'],
    ['ERROR_LIMIT', 'ERROR'],
    ['error', 'ERROR'],
    ['USER_CANCEL', 'ERROR'],
  ])('has its text and reads finish_reason %s as %s', (finish_reason, finishReason) => {
    const body = { response_id: 'a', generation_id: 'b', text: 'hi', finish_reason, chat_history: [], meta: null };
    expect(codec.decode({ body, tokens: { prompt: 3, completion: 1 } })).toEqual({
      completions: [{ text: 'hi', finishReason }],
      tokens: { prompt: 3, completion: 1 },
    });
  });

  it('has no token count where Bedrock gave none', () => {
    expect(codec.decode({ body: { text: 'hi', finish_reason: 'COMPLETE' }, tokens: {} }).tokens).toStrictEqual({});
  });

  it.each([[{}], [{ text: 7 }], [null], [[]], [{ generations: [{ text: 'hi' }] }]])(
    'is ANSWER_INVALID as %j',
    (body) => {
      expect(refusal(() => codec.decode({ body, tokens: {} }))?.code).toBe('ANSWER_INVALID');
    },
  );
});
