import { describe, expect, it } from 'vitest';
import { shown, typeOf } from '../../src/commands/run-forms.ts';
import { TASK_TYPES } from '../../src/config.ts';
import { ServiceError } from '../../src/errors.ts';

const INPUTS = [
  ['LLM_TEXT_COMPLETE', { prompt: 'Hi' }],
  ['LLM_TEXT_COMPLETE', { promptName: 'greet' }],
  ['LLM_CHAT_COMPLETE', { messages: [], documents: ['a'] }],
  ['LLM_CHAT_COMPLETE', { userInput: 'Hi' }],
  ['LLM_GENERATE_EMBEDDINGS', { text: 'a' }],
  ['LLM_GENERATE_EMBEDDINGS', { texts: ['a'] }],
  ['LLM_GENERATE_EMBEDDINGS', { images: ['data:'] }],
  ['LLM_GENERATE_EMBEDDINGS', { inputs: [] }],
  ['LLM_RERANK', { query: 'a', documents: ['a'] }],
] as const;

describe('what the inputs of run are for', () => {
  it.each(INPUTS)('%s: %j', (type, input) => {
    expect(typeOf(input)).toBe(type);
  });

  it('can be any type that is served', () => {
    expect([...new Set(INPUTS.map(([type]) => type))]).toEqual(TASK_TYPES);
  });

  it('must be said', () => {
    expect(() => typeOf({ temperature: 1 })).toThrow(ServiceError);
  });
});

describe('what run shows', () => {
  const many = [1, 2, 3, 4, 5, 6];

  it.each([
    ['text as it is', 'Hi\n', 'Hi\n'],
    ['a short vector', [1, 2], '2 numbers: 1, 2'],
    ['how a vector begins', many, '6 numbers: 1, 2, 3, 4, 5, …  (all of them with --output json)'],
    [
      'how each vector begins',
      [many, [7]],
      '2 vectors  (all of them with --output json)\n6 numbers: 1, 2, 3, 4, 5, …\n1 numbers: 7',
    ],
    ['other JSON as JSON', [{ index: 0, score: 0.5 }], '[\n  {\n    "index": 0,\n    "score": 0.5\n  }\n]'],
    ['an empty list as JSON', [], '[]'],
  ])('%s', (_, result, text) => {
    expect(shown(result)).toBe(text);
  });

  it('the first of very many vectors', () => {
    expect(shown(Array.from({ length: 2_000 }, () => many)).split('\n')).toHaveLength(7);
  });
});
