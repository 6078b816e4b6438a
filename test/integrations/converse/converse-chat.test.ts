import { describe, expect, it } from 'vitest';
import type { ChatRequest, ChatTurn, ToolCall } from '../../../src/integrations/codec.ts';
import { chatCodec, fieldsOf } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const codec = chatCodec('converse');

const user = (text: string, field = 'messages.0'): ChatTurn => ({ role: 'user', field, text, images: [] });
const assistant = (text: string): ChatTurn => ({ role: 'assistant', field: 'messages.1', text });
const call = (id: string | undefined): ToolCall => ({ id, name: 'weather', parameters: { place: 'Oslo' } });
const exchange = (output: unknown, ...calls: readonly ToolCall[]): ChatTurn[] => [
  { role: 'tool-calls', field: 'messages.1', calls },
  { role: 'tool-results', field: 'messages.1', results: calls.map((one) => ({ call: one, output })) },
];
const SCHEMA = { type: 'object', properties: { place: { type: 'string' } } };
const WEATHER = { name: 'weather', description: 'Weather of a place', inputSchema: SCHEMA };

const request = (parts: Partial<ChatRequest>): ChatRequest => ({
  system: [],
  turns: [user('Hi')],
  tools: [],
  documents: [],
  ...parts,
});
const inputOf = (parts: Partial<ChatRequest>) => fieldsOf(codec.encode(request(parts)));

describe('a conversation through Converse', () => {
  it('is the message alone where there is nothing else, with 1024 tokens', () => {
    expect(inputOf({})).toStrictEqual({
      messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
      inferenceConfig: { maxTokens: 1024 },
    });
  });

  it('has everything in Converse’s words, neighbours of one role in one message', () => {
    const image = { format: 'png', bytes: new Uint8Array([1]) } as const;
    const turns: ChatTurn[] = [
      user('Hi'),
      { role: 'user', field: 'messages.1', images: [image] },
      assistant('I look.'),
      ...exchange({ degrees: 3 }, call('tooluse_1')),
      user('And?'),
      assistant('Cold, I'),
    ];
    const parts = { system: ['Be kind.', 'Be brief.'], turns, tools: [WEATHER, { name: 'now' }] };
    expect(inputOf({ ...parts, maxTokens: 9, temperature: 0.5, stopWords: ['.'] })).toStrictEqual({
      system: [{ text: 'Be kind.' }, { text: 'Be brief.' }],
      messages: [
        { role: 'user', content: [{ text: 'Hi' }, { image: { format: 'png', source: { bytes: image.bytes } } }] },
        {
          role: 'assistant',
          content: [
            { text: 'I look.' },
            { toolUse: { toolUseId: 'tooluse_1', name: 'weather', input: { place: 'Oslo' } } },
          ],
        },
        {
          role: 'user',
          content: [{ toolResult: { toolUseId: 'tooluse_1', content: [{ json: { degrees: 3 } }] } }, { text: 'And?' }],
        },
        { role: 'assistant', content: [{ text: 'Cold, I' }] },
      ],
      toolConfig: {
        tools: [
          { toolSpec: { name: 'weather', description: 'Weather of a place', inputSchema: { json: SCHEMA } } },
          { toolSpec: { name: 'now', inputSchema: { json: { type: 'object', properties: {} } } } },
        ],
      },
      inferenceConfig: { maxTokens: 9, temperature: 0.5, stopSequences: ['.'] },
    });
  });

  it.each([
    [{ a: 1 }, { json: { a: 1 } }],
    [undefined, { json: {} }],
    [null, { json: {} }],
    ['cold', { text: 'cold' }],
    [' ', { json: { output: ' ' } }],
    [[1], { text: '[1]' }],
    [3, { text: '3' }],
  ])('has the result %j of a tool as %j', (output, block) => {
    const { messages } = inputOf({ turns: [user('Hi'), ...exchange(output, call('a'))], tools: [WEATHER] });
    expect(messages.at(-1)?.content).toStrictEqual([{ toolResult: { toolUseId: 'a', content: [block] } }]);
  });

  it('gives calls ids that Bedrock takes, the same to their results, and no two the same', () => {
    const calls = [call('a.b'), call('call_1'), call('x'.repeat(65)), call(undefined), call('ok'), call('ok')];
    const { messages } = inputOf({ turns: [user('Hi'), ...exchange({}, ...calls)], tools: [WEATHER] });
    const used = messages[1]?.content.map((block) => ('toolUse' in block ? block.toolUse.toolUseId : ''));
    expect(used).toEqual(['call_2', 'call_1', 'call_3', 'call_4', 'ok', 'call_5']);
    expect(messages[2]?.content.map((block) => ('toolResult' in block ? block.toolResult.toolUseId : ''))).toEqual(
      used,
    );
  });

  it.each<[string, Partial<ChatRequest>, string, RegExp]>([
    [
      'a beginning of the assistant',
      { turns: [assistant('Hi'), user('Hi')] },
      'messages.1',
      /begins with a message of the user/,
    ],
    ['documents', { documents: [{ snippet: 'x' }] }, 'documents', /has no documents; Cohere Command R/],
    ['results without tools', { turns: [user('Hi'), ...exchange({}, call('a'))] }, 'tools', /wants the tools/],
    ['a tool’s name that Bedrock does not take', { tools: [{ name: 'a b' }] }, 'tools', /"a b" is not of 1 to 64/],
    ['a parameter that it does not know', { topK: 5 }, 'topK', /has no topK .* It knows maxTokens, temperature/],
  ])('is refused with %s', (_, parts, field, message) => {
    expect(refusal(() => codec.encode(request(parts)))).toEqual({
      code: 'INPUT_INVALID',
      field,
      message: expect.stringMatching(message),
    });
  });
});

describe('a reply of Converse', () => {
  const reply = (content: unknown, rest: object = {}) =>
    codec.decode({
      body: { output: { message: { role: 'assistant', content } }, stopReason: 'end_turn', ...rest },
      tokens: {},
    });

  it('is its texts, joined, its calls of tools and its usage', () => {
    const content = [
      { reasoningContent: { reasoningText: { text: 'think' } } },
      { text: 'I ' },
      { text: 'look.' },
      { toolUse: { toolUseId: 't1', name: 'weather', input: { place: 'Oslo' } } },
      { toolUse: { toolUseId: 't2', name: 'now' } },
    ];
    expect(reply(content, { stopReason: 'tool_use', usage: { inputTokens: 5, outputTokens: 2 } })).toStrictEqual({
      text: 'I look.',
      finishReason: 'TOOL_CALLS',
      toolCalls: [
        { id: 't1', name: 'weather', parameters: { place: 'Oslo' } },
        { id: 't2', name: 'now', parameters: {} },
      ],
      citations: [],
      tokens: { prompt: 5, completion: 2 },
    });
  });

  it('says TOOL_CALLS wherever there are some, but for one that was cut', () => {
    const content = [{ toolUse: { toolUseId: 't', name: 'now', input: {} } }];
    expect(reply(content).finishReason).toBe('TOOL_CALLS');
    expect(reply(content, { stopReason: 'max_tokens' }).finishReason).toBe('MAX_TOKENS');
    expect(reply([{ text: 'x' }], { stopReason: 'stop_sequence' }).finishReason).toBe('STOP_SEQUENCE');
    expect(reply([{ text: 'x' }], { usage: null }).tokens).toStrictEqual({});
  });

  it.each([['hi'], [[{ toolUse: { name: 'x' } }]], [[{ text: 7 }]]])('is ANSWER_INVALID as %j', (content) => {
    expect(refusal(() => reply(content))?.code).toBe('ANSWER_INVALID');
  });
});
