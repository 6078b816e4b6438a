import { describe, expect, it } from 'vitest';
import type { ChatRequest, ChatTurn } from '../../../src/integrations/codec.ts';
import { chatCodec } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const codec = chatCodec('command-r');

const user = (text: string, field = 'messages.0'): ChatTurn => ({ role: 'user', field, text, images: [] });
const assistant = (text: string, field = 'messages.1'): ChatTurn => ({ role: 'assistant', field, text });
const CALL = { id: 'ref', name: 'weather', parameters: { place: 'Oslo' } };
const exchange = (output: unknown, field = 'messages.1'): ChatTurn[] => [
  { role: 'tool-calls', field, calls: [CALL] },
  { role: 'tool-results', field, results: [{ call: CALL, output }] },
];
const WEATHER = {
  name: 'weather',
  description: 'Weather of a place',
  inputSchema: {
    type: 'object',
    properties: {
      place: { type: 'string', description: 'Where' },
      days: { type: 'integer' },
      share: { type: 'number' },
      sure: { type: 'boolean' },
      units: { type: 'string', description: 'In', enum: ['C', 'F'] },
      near: { type: 'array', items: { type: 'string' } },
      at: { type: 'object', properties: { x: { type: 'number' } } },
      odd: { type: ['string', 'null'] },
    },
    required: ['place'],
  },
};

const request = (parts: Partial<ChatRequest>): ChatRequest => ({
  system: [],
  turns: [user('Hi')],
  tools: [],
  documents: [],
  ...parts,
});
const bodyOf = (parts: Partial<ChatRequest>) => {
  const call = codec.encode(request(parts));
  return call.operation === 'InvokeModel' ? call.body : undefined;
};

describe('a conversation with Command R', () => {
  it('is its message alone where there is nothing else, with 1024 tokens', () => {
    expect(codec.encode(request({}))).toStrictEqual({
      operation: 'InvokeModel',
      body: { message: 'Hi', max_tokens: 1024 },
    });
  });

  it('has all that was said before, instructions, documents and parameters in Command R’s own words', () => {
    const turns = [user('Hi'), assistant('Hello'), user('And now?'), user('Well?', 'messages.3')];
    const documents = [{ title: 'Penguins', snippet: 'They live in the south' }];
    expect(
      bodyOf({ system: ['Be kind.', 'Be brief.'], turns, documents, maxTokens: 9, topP: 0.5, seed: 1 }),
    ).toStrictEqual({
      message: 'Well?',
      chat_history: [
        { role: 'USER', message: 'Hi' },
        { role: 'CHATBOT', message: 'Hello' },
        { role: 'USER', message: 'And now?' },
      ],
      preamble: 'Be kind.\n\nBe brief.',
      documents,
      max_tokens: 9,
      p: 0.5,
      seed: 1,
    });
  });

  it('has tools with Python’s types; what a schema says beyond them is in the description', () => {
    const parameter = (type: string, description = '', required = false) => ({ description, type, required });
    expect(bodyOf({ tools: [WEATHER, { name: 'now' }] })?.['tools']).toStrictEqual([
      {
        name: 'weather',
        description: 'Weather of a place',
        parameter_definitions: {
          place: parameter('str', 'Where', true),
          days: parameter('int'),
          share: parameter('float'),
          sure: parameter('bool'),
          units: parameter('str', 'In\nJSON Schema: {"enum":["C","F"]}'),
          near: parameter('list', 'JSON Schema: {"items":{"type":"string"}}'),
          at: parameter('dict', 'JSON Schema: {"properties":{"x":{"type":"number"}}}'),
          odd: parameter('str', 'JSON Schema: {"type":["string","null"]}'),
        },
      },
      { name: 'now', description: 'now' },
    ]);
  });

  it.each([
    [{ degrees: 3 }, [{ degrees: 3 }]],
    [
      [{ degrees: 3 }, 'cold'],
      [{ degrees: 3 }, { result: 'cold' }],
    ],
    ['cold', [{ result: 'cold' }]],
    [null, [{ result: null }]],
    [undefined, []],
  ])('has the result %j of a tool as a list of objects', (output, outputs) => {
    expect(bodyOf({ turns: [user('Hi'), ...exchange(output)], tools: [WEATHER] })?.['tool_results']).toStrictEqual([
      { call: { name: 'weather', parameters: { place: 'Oslo' } }, outputs },
    ]);
  });

  it.each<[string, Partial<ChatRequest>, string, RegExp]>([
    ['no message of the user', { turns: [assistant('Hello')] }, 'messages', /needs a message of the user/],
    [
      'an end with the assistant',
      { turns: [user('Hi'), assistant('Hello')] },
      'messages.1',
      /goes on after the user's/,
    ],
    [
      'calls before the last message',
      { turns: [user('Hi'), ...exchange({}), user('And?', 'messages.3')], tools: [WEATHER] },
      'messages.1',
      /only after the user's last message/,
    ],
    ['results without tools', { turns: [user('Hi'), ...exchange({})] }, 'tools', /wants the tools/],
    [
      'images',
      { turns: [{ role: 'user', field: 'messages.0', images: [{ format: 'png', bytes: new Uint8Array(1) }] }] },
      'messages.0.media',
      /takes no images/,
    ],
    ['a schema of another form', { tools: [{ name: 'x', inputSchema: { properties: 1 } }] }, 'tools', /tool x must be/],
    ['a value out of range', { topP: 1 }, 'topP', /from 0.01 to 0.99/],
    ['several results', { maxResults: 2 }, 'maxResults', /must be 1/],
  ])('is refused with %s', (_, parts, field, message) => {
    expect(refusal(() => codec.encode(request(parts)))).toEqual({
      code: 'INPUT_INVALID',
      field,
      message: expect.stringMatching(message),
    });
  });
});

describe('a reply of Command R', () => {
  const reply = (body: unknown, tokens = {}) => codec.decode({ body, tokens });
  const ODD = { response_id: 'a', generation_id: 'b', chat_history: [], meta: { billed_units: {} } };

  it.each([
    ['COMPLETE', 'STOP'],
    ['complete', 'STOP'],
    ['MAX_TOKENS', 'MAX_TOKENS'],
    ['error_toxic', 'CONTENT_FILTER'],
    ['ERROR_LIMIT', 'ERROR'],
  ])('has its text, and reads %s as %s', (finish_reason, finishReason) => {
    expect(reply({ ...ODD, text: 'hi', finish_reason }, { prompt: 3, completion: 1 })).toStrictEqual({
      text: 'hi',
      finishReason,
      toolCalls: [],
      citations: [],
      tokens: { prompt: 3, completion: 1 },
    });
  });

  it('has calls of tools, and says TOOL_CALLS, which Command R itself does not; absent counts stay absent', () => {
    const tool_calls = [{ name: 'weather', parameters: { place: 'Oslo' } }, { name: 'now' }];
    expect(reply({ text: '', finish_reason: 'COMPLETE', tool_calls })).toStrictEqual({
      text: '',
      finishReason: 'TOOL_CALLS',
      toolCalls: [
        { name: 'weather', parameters: { place: 'Oslo' } },
        { name: 'now', parameters: {} },
      ],
      citations: [],
      tokens: {},
    });
    expect(reply({ text: 'none', finish_reason: 'COMPLETE', tool_calls: [] })).toMatchObject({ finishReason: 'STOP' });
  });

  it('has citations with the documents they rest on', () => {
    const citations = [
      { start: 0, end: 2, text: 'hi', document_ids: ['doc_0'] },
      { start: 1, end: 2, text: 'i' },
    ];
    expect(reply({ text: 'hi', finish_reason: 'COMPLETE', citations }).citations).toStrictEqual([
      { start: 0, end: 2, text: 'hi', documentIds: ['doc_0'] },
      { start: 1, end: 2, text: 'i', documentIds: [] },
    ]);
  });

  it.each([[{}], [{ text: 7 }], [{ text: '', tool_calls: [{ parameters: {} }] }], [{ text: '', citations: [{}] }]])(
    'is ANSWER_INVALID as %j',
    (body) => {
      expect(refusal(() => reply(body))?.code).toBe('ANSWER_INVALID');
    },
  );
});
