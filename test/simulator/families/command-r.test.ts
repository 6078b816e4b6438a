import { describe, expect, test } from 'vitest';
import { answerCommandR } from '../../../simulator/families/command-r.ts';
import { DEFAULT_ANSWERS } from '../../../simulator/families/family.ts';

const CONTEXT = { settings: DEFAULT_ANSWERS };
const MESSAGE = { message: 'Say hello to everybody' };
const TOOL = {
  name: 'weather',
  description: 'Weather of a place',
  parameter_definitions: {
    place: { description: 'Where', type: 'str', required: true },
    days: { description: 'For', type: 'int' },
  },
};

describe('Command R', () => {
  test('has the documented form, the conversation so far in it', () => {
    const chat_history = [
      { role: 'USER', message: 'Hi' },
      { role: 'CHATBOT', message: 'Hello' },
    ];
    const { body } = answerCommandR({ ...MESSAGE, chat_history }, CONTEXT);
    expect(body).toMatchObject({
      response_id: expect.any(String),
      generation_id: expect.any(String),
      text: expect.stringContaining(MESSAGE.message),
      finish_reason: 'COMPLETE',
      chat_history: [...chat_history, { role: 'USER' }, { role: 'CHATBOT', message: body['text'] }],
    });
  });

  test('takes every documented parameter', () => {
    const most = {
      temperature: 1,
      p: 0.99,
      k: 500,
      max_tokens: 4000,
      frequency_penalty: 1,
      presence_penalty: 1,
      seed: 7,
    };
    const more = {
      preamble: 'Be kind',
      stop_sequences: ['~'],
      prompt_truncation: 'OFF',
      raw_prompting: false,
      return_prompt: true,
    };
    const documents = [{ title: 'Penguins', snippet: 'They live in the south' }];
    expect(answerCommandR({ ...MESSAGE, ...most, ...more, documents }, CONTEXT).body).toMatchObject({
      citations: [{ document_ids: ['doc_0'] }],
      prompt: expect.stringContaining('Be kind'),
    });
  });

  test('calls a tool, and speaks once it has the result', () => {
    expect(answerCommandR({ ...MESSAGE, tools: [TOOL] }, CONTEXT).body).toMatchObject({
      text: '',
      tool_calls: [{ name: 'weather', parameters: { place: 'simulated', days: 1 } }],
    });
    const tool_results = [{ call: { name: 'weather', parameters: {} }, outputs: [{ sun: true }] }];
    expect(answerCommandR({ ...MESSAGE, tools: [TOOL], tool_results }, CONTEXT).body).not.toHaveProperty('tool_calls');
  });

  test('gives only search queries where those are asked for', () => {
    expect(answerCommandR({ ...MESSAGE, search_queries_only: true }, CONTEXT).body).toMatchObject({
      search_queries: [{ text: MESSAGE.message }],
    });
  });

  test('says why it ended, in the case that is set', () => {
    const short = { ...MESSAGE, max_tokens: 3 };
    expect(answerCommandR(short, CONTEXT)).toMatchObject({ body: { finish_reason: 'MAX_TOKENS' }, outputTokens: 3 });
    const lower = { settings: { ...DEFAULT_ANSWERS, commandRFinishReasons: 'lower' } } as const;
    expect(answerCommandR(short, lower).body).toMatchObject({ finish_reason: 'max_tokens' });
  });

  test.each([
    ['no message', {}, '#: required key [message] not found'],
    ['stream', { ...MESSAGE, stream: false }, '#: extraneous key [stream] is not permitted'],
    ['a key of Command', { ...MESSAGE, prompt: 'x' }, '#: extraneous key [prompt] is not permitted'],
    ['num_generations', { ...MESSAGE, num_generations: 2 }, '#: extraneous key [num_generations] is not permitted'],
    ['p of 1', { ...MESSAGE, p: 1 }, '#/p: 1.0 is not less or equal to 0.99'],
    ['p of 0', { ...MESSAGE, p: 0 }, '#/p: 0.0 is not greater or equal to 0.01'],
    ['temperature', { ...MESSAGE, temperature: 1.1 }, '#/temperature: 1.1 is not less or equal to 1.0'],
    ['max_tokens', { ...MESSAGE, max_tokens: 4001 }, '#/max_tokens: 4001 is not less or equal to 4000'],
    ['frequency_penalty', { ...MESSAGE, frequency_penalty: -1 }, '#/frequency_penalty'],
    ['presence_penalty', { ...MESSAGE, presence_penalty: 2 }, '#/presence_penalty'],
    [
      'prompt_truncation',
      { ...MESSAGE, prompt_truncation: 'AUTO' },
      '#/prompt_truncation: AUTO is not a valid enum value',
    ],
    ['a role of Converse', { ...MESSAGE, chat_history: [{ role: 'user', message: 'x' }] }, '#/chat_history/0/role'],
    [
      'a tool without description',
      { ...MESSAGE, tools: [{ name: 'x' }] },
      '#/tools/0: required key [description] not found',
    ],
  ])('refuses %s', (_, body, words) => {
    expect(() => answerCommandR(body, CONTEXT)).toThrow(`Malformed input request: ${words}`);
  });

  test('refuses results of tools without the tools', () => {
    const tool_results = [{ call: { name: 'x', parameters: {} }, outputs: [] }];
    expect(() => answerCommandR({ ...MESSAGE, tool_results }, CONTEXT)).toThrow('without specifying tools');
  });
});
