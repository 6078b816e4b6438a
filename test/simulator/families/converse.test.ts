import { describe, expect, test } from 'vitest';
import { answerConverse } from '../../../simulator/families/converse.ts';
import { DEFAULT_ANSWERS, type FamilyContext } from '../../../simulator/families/family.ts';

const NOVA: FamilyContext = {
  settings: DEFAULT_ANSWERS,
  family: 'converse',
  modelName: 'amazon.nova-lite-v1:0',
  maxTokens: 10_000,
};
const CLAUDE = { ...NOVA, modelName: 'anthropic.claude-sonnet-4-5-20250929-v1:0' };
const COMMAND_R = { ...NOVA, family: 'command-r', modelName: 'arn:x', maxTokens: undefined } as const;
const USER = { role: 'user', content: [{ text: 'Say hello' }] };
const ASSISTANT = { role: 'assistant', content: [{ text: 'Hello' }] };

describe('Converse', () => {
  test('has the documented form', () => {
    const { body } = answerConverse({ messages: [USER], system: [{ text: 'Be kind' }] }, NOVA);
    expect(body).toEqual({
      output: { message: { role: 'assistant', content: [{ text: expect.stringContaining('Say hello') }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: 4, outputTokens: expect.any(Number), totalTokens: expect.any(Number) },
    });
  });

  test('says why it ended', () => {
    const ending = (inferenceConfig: unknown) =>
      answerConverse({ messages: [USER], inferenceConfig }, NOVA).body['stopReason'];
    expect(ending({ maxTokens: 2 })).toBe('max_tokens');
    expect(ending({ stopSequences: ['answer'] })).toBe('stop_sequence');
  });

  test.each([
    ['a longer conversation', { messages: [USER, ASSISTANT, USER] }, NOVA],
    [
      'all inference parameters',
      { messages: [USER], inferenceConfig: { maxTokens: 10_000, temperature: 1, topP: 1, stopSequences: [] } },
      NOVA,
    ],
    [
      'fields that Nova has',
      { messages: [USER], additionalModelRequestFields: { inferenceConfig: { topK: 5 } } },
      NOVA,
    ],
    ['fields that Claude has', { messages: [USER], additionalModelRequestFields: { top_k: 5 } }, CLAUDE],
    ['fields that Command R has', { messages: [USER], additionalModelRequestFields: { k: 5, seed: 1 } }, COMMAND_R],
    [
      'any fields for a model of unknown make',
      { messages: [USER], additionalModelRequestFields: { x: 1 } },
      { ...NOVA, modelName: 'arn:x' },
    ],
    [
      'the other documented members',
      { messages: [USER], toolConfig: { tools: [] }, requestMetadata: { a: 'b' }, performanceConfig: {} },
      NOVA,
    ],
  ])('takes %s', (_, body, context) => {
    expect(answerConverse(body, context).body).toHaveProperty('output');
  });

  const config = (inferenceConfig: Record<string, unknown>) => ({ messages: [USER], inferenceConfig });
  test.each<[string, unknown, FamilyContext, string]>([
    ['no messages', {}, NOVA, 'must start with a user message'],
    ['a conversation that the assistant starts', { messages: [ASSISTANT] }, NOVA, 'must start with a user message'],
    ['two users in a row', { messages: [USER, USER] }, NOVA, 'must alternate'],
    ['a message without content', { messages: [{ role: 'user', content: [] }] }, NOVA, 'messages.0 is empty'],
    ['a blank text', { messages: [{ role: 'user', content: [{ text: ' ' }] }] }, NOVA, 'messages.0.content.0 is blank'],
    [
      'a block of two kinds',
      { messages: [{ role: 'user', content: [{ text: 'x', image: {} }] }] },
      NOVA,
      'exactly one key',
    ],
    [
      'a block of unknown kind',
      { messages: [{ role: 'user', content: [{ type: 'text' }] }] },
      NOVA,
      "at 'messages.0.content.0'",
    ],
    ['a role of Command R', { messages: [{ ...USER, role: 'USER' }] }, NOVA, "at 'messages.0.role'"],
    ['an unknown member', { messages: [USER], max_tokens: 5 }, NOVA, 'validation error'],
    ['an unknown parameter', config({ topK: 5 }), NOVA, "at 'inferenceConfig'"],
    ['maxTokens', config({ maxTokens: 0 }), NOVA, "at 'inferenceConfig.maxTokens'"],
    ['temperature', config({ temperature: 1.5 }), NOVA, "at 'inferenceConfig.temperature'"],
    ['topP', config({ topP: -1 }), NOVA, "at 'inferenceConfig.topP'"],
    ['an empty stop sequence', config({ stopSequences: [''] }), NOVA, "at 'inferenceConfig.stopSequences.0'"],
    ['more tokens than the model gives', config({ maxTokens: 10_001 }), NOVA, 'exceeds the model limit of 10000'],
    ['more tokens than Command R gives', config({ maxTokens: 4001 }), COMMAND_R, 'exceeds the model limit of 4000'],
    ['topP 1 for Command R', config({ topP: 1 }), COMMAND_R, '#/p'],
    ['temperature with topP for Claude', config({ temperature: 0.5, topP: 0.5 }), CLAUDE, 'cannot both be specified'],
    [
      'fields that Nova has not',
      { messages: [USER], additionalModelRequestFields: { top_k: 5 } },
      NOVA,
      'extraneous key [top_k]',
    ],
    [
      'documents for Command R',
      { messages: [USER], additionalModelRequestFields: { documents: [] } },
      COMMAND_R,
      'extraneous key [documents]',
    ],
  ])('refuses %s', (_, body, context, words) => {
    expect(() => answerConverse(body, context)).toThrow(words);
    expect(() => answerConverse(body, context)).toThrow(expect.objectContaining({ name: 'ValidationException' }));
  });
});
