import { describe, expect, it } from 'vitest';
import type { TextRequest } from '../../../src/integrations/codec.ts';
import { fieldsOf, textCodec } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const codec = textCodec('converse');
const encode = (parameters: Omit<TextRequest, 'prompt'> = {}) => codec.encode({ prompt: 'Say hi', ...parameters });
const configOf = (parameters: Omit<TextRequest, 'prompt'>): Record<string, unknown> => ({
  ...fieldsOf(encode(parameters)).inferenceConfig,
});

describe('a request to Converse', () => {
  it('is one message of the user, and always says how many tokens', () => {
    expect(encode()).toEqual({
      operation: 'Converse',
      input: { messages: [{ role: 'user', content: [{ text: 'Say hi' }] }], inferenceConfig: { maxTokens: 1024 } },
    });
  });

  it('carries what Converse has a common field for', () => {
    expect(configOf({ maxTokens: 100_000, temperature: 0.5, topP: 0.9, stopWords: ['END'], maxResults: 1 })).toEqual({
      maxTokens: 100_000,
      temperature: 0.5,
      topP: 0.9,
      stopSequences: ['END'],
    });
  });

  it.each([
    ['topK', 40],
    ['frequencyPenalty', 0],
    ['presencePenalty', 0.5],
    ['seed', 1],
  ])('refuses %s, for which there is none, and lists what it knows', (field, value) => {
    expect(refusal(() => encode({ [field]: value }))).toEqual({
      code: 'INPUT_INVALID',
      field,
      message: `Bedrock Converse has no ${field} (given: ${value}). It knows maxTokens, temperature, topP, stopWords, maxResults.`,
    });
  });

  it.each(['temperature', 'topP'])('takes %s from 0 to 1, edges included', (field) => {
    expect(configOf({ [field]: 0 })[field]).toBe(0);
    expect(configOf({ [field]: 1 })[field]).toBe(1);
    for (const value of [-0.001, 1.001, Number.NaN]) {
      expect(refusal(() => encode({ [field]: value }))).toEqual({
        code: 'INPUT_INVALID',
        field,
        message: `${field} must be a number from 0 to 1 for Bedrock Converse, not ${value}.`,
      });
    }
  });

  it('takes any whole number of tokens from 1', () => {
    expect(configOf({ maxTokens: 1 })).toEqual({ maxTokens: 1 });
    for (const maxTokens of [0, -1, 1.5]) {
      expect(refusal(() => encode({ maxTokens }))).toEqual({
        code: 'INPUT_INVALID',
        field: 'maxTokens',
        message: `maxTokens must be a whole number from 1 for Bedrock Converse, not ${maxTokens}.`,
      });
    }
  });

  it('takes 2500 stop words, none empty', () => {
    const stopWords = Array.from({ length: 2500 }, (_, index) => `stop ${index}`);
    expect(configOf({ stopWords }).stopSequences).toEqual(stopWords);
    expect(refusal(() => encode({ stopWords: [...stopWords, 'one more'] }))).toMatchObject({ field: 'stopWords' });
    expect(refusal(() => encode({ stopWords: [''] }))).toMatchObject({ field: 'stopWords' });
  });

  it('gives one result only, and refuses an empty prompt', () => {
    expect(refusal(() => encode({ maxResults: 2 }))).toMatchObject({ code: 'INPUT_INVALID', field: 'maxResults' });
    expect(refusal(() => codec.encode({ prompt: '' }))).toMatchObject({ code: 'INPUT_INVALID', field: 'prompt' });
  });
});

describe('an answer of Converse', () => {
  const body = (content: unknown, rest: object = {}) => ({
    output: { message: { role: 'assistant', content } },
    stopReason: 'end_turn',
    ...rest,
  });

  it('is its text blocks, joined, without reasoning and tool calls, and its usage', () => {
    expect(
      codec.decode({
        body: body(
          [
            { reasoningContent: { reasoningText: { text: 'think' } } },
            { text: 'Hel' },
            { toolUse: { toolUseId: 'a', name: 'b', input: {} } },
            { text: 'lo' },
          ],
          { usage: { inputTokens: 5, outputTokens: 2, totalTokens: 7 }, metrics: { latencyMs: 3 } },
        ),
        tokens: {},
      }),
    ).toStrictEqual({
      completions: [{ text: 'Hello', finishReason: 'STOP' }],
      tokens: { prompt: 5, completion: 2 },
    });
  });

  it.each([
    ['end_turn', 'STOP'],
    ['tool_use', 'TOOL_CALLS'],
    ['max_tokens', 'MAX_TOKENS'],
    ['stop_sequence', 'STOP_SEQUENCE'],
    ['guardrail_intervened', 'CONTENT_FILTER'],
    ['content_filtered', 'CONTENT_FILTER'],
    ['model_context_window_exceeded', 'MAX_TOKENS'],
    ['malformed_model_output', 'ERROR'],
    ['malformed_tool_use', 'ERROR'],
  ])('reads stopReason %s as %s', (stopReason, finishReason) => {
    expect(codec.decode({ body: body([{ text: 'hi' }], { stopReason }), tokens: {} }).completions).toEqual([
      { text: 'hi', finishReason },
    ]);
  });

  it('leaves out counts that usage does not give', () => {
    for (const usage of [undefined, null, {}, { inputTokens: null }]) {
      expect(codec.decode({ body: body([{ text: 'hi' }], { usage }), tokens: {} }).tokens).toStrictEqual({});
    }
  });

  it('is an empty text where the tokens ran out before a text block', () => {
    const spent = body([{ reasoningContent: {} }], { stopReason: 'max_tokens' });
    expect(codec.decode({ body: spent, tokens: {} }).completions).toEqual([{ text: '', finishReason: 'MAX_TOKENS' }]);
  });

  it.each([[{}], [{ output: {} }], [{ output: { message: {} } }], [body('hi')], [body([{ text: 7 }])], [null]])(
    'is ANSWER_INVALID as %j',
    (invalid) => {
      expect(refusal(() => codec.decode({ body: invalid, tokens: {} }))?.code).toBe('ANSWER_INVALID');
    },
  );
});
