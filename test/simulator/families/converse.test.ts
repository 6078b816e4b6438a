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
    ['the other documented members', { messages: [USER], requestMetadata: { a: 'b' }, performanceConfig: {} }, NOVA],
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
      { messages: [{ role: 'user', content: [{ text: 'x', document: {} }] }] },
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

describe('tools through Converse', () => {
  const toolSpec = {
    name: 'weather',
    inputSchema: { json: { type: 'object', properties: { place: { type: 'string' }, days: { type: 'integer' } } } },
  };
  const toolConfig = { tools: [{ toolSpec }] };
  const use = (toolUseId = 'a') => ({ toolUse: { toolUseId, name: 'weather', input: {} } });
  const result = (toolUseId = 'a') => ({ toolResult: { toolUseId, content: [{ json: {} }] } });
  const talk = (...content: readonly unknown[][]) => ({
    toolConfig,
    messages: content.map((blocks, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content: blocks })),
  });
  const text = [{ text: 'Weather?' }];

  test('are called with a value of the right type for each parameter, and not once there is a result', () => {
    expect(answerConverse(talk(text), NOVA).body).toMatchObject({
      stopReason: 'tool_use',
      output: {
        message: {
          content: [
            { text: expect.any(String) },
            { toolUse: { toolUseId: expect.stringMatching(/^[\w-]{1,64}$/), input: { place: 'simulated', days: 1 } } },
          ],
        },
      },
    });
    expect(answerConverse(talk(text, [use()], [result()]), NOVA).body).toMatchObject({ stopReason: 'end_turn' });
  });

  test.each<[string, unknown, string]>([
    ['calls without tools', { ...talk(text, [use()], [result()]), toolConfig: undefined }, 'toolConfig field must be'],
    ['no tools at all', { ...talk(text), toolConfig: { tools: [] } }, "at 'toolConfig.tools'"],
    ['a tool twice', { ...talk(text), toolConfig: { tools: [{ toolSpec }, { toolSpec }] } }, 'duplicate tool names'],
    ['a call without its result', talk(text, [use()], text), 'Expected toolResult blocks at messages.2.content'],
    ['a result without its call', talk(text, text, [result()]), 'exceeds the number of toolUse blocks'],
    ['another result than that of the call', talk(text, [use()], [result('b')]), 'for the following Ids: a'],
    ['the same id twice', talk(text, [use(), use()], [result()]), 'ids must be unique'],
    ['an end with a call', talk(text, [use()]), 'must not end with a toolUse block'],
    ['a call of the user', talk([use()]), 'User messages cannot contain tool uses'],
    ['a result of the assistant', talk(text, [result()]), 'Assistant messages cannot contain tool results'],
    [
      'an id of other characters',
      talk(text, [use('a.b')], [result('a.b')]),
      "at 'messages.1.content.0.toolUse.toolUseId'",
    ],
    ['an image of the assistant', talk(text, [{ image: { format: 'png', source: { bytes: 'AA==' } } }]), 'images'],
    ['an image without bytes', talk([{ image: { format: 'png', source: {} } }]), 'exactly one key'],
    ['an image of another format', talk([{ image: { format: 'bmp', source: { bytes: 'AA==' } } }]), 'image.format'],
    ['an empty instruction', { ...talk(text), system: [{ text: '' }] }, "at 'system.0.text'"],
  ])('refuses %s', (_, body, words) => {
    expect(() => answerConverse(body, NOVA)).toThrow(words);
    expect(() => answerConverse(body, NOVA)).toThrow(expect.objectContaining({ name: 'ValidationException' }));
  });
});
