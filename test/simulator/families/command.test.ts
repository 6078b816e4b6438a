import { describe, expect, test } from 'vitest';
import { answerCommand } from '../../../simulator/families/command.ts';

const PROMPT = { prompt: 'Say hello to everybody' };

describe('Command', () => {
  test('answers with every documented parameter at both ends of its range', () => {
    const least = { temperature: 0, p: 0, k: 0, max_tokens: 1, stop_sequences: [], num_generations: 1 };
    const most = {
      temperature: 5,
      p: 1,
      k: 500,
      max_tokens: 4096,
      stop_sequences: ['~', '@', '#', '%'],
      num_generations: 5,
    };
    const words = { return_likelihoods: 'ALL', truncate: 'NONE', logit_bias: { 11: -10, 12: 10 }, stream: false };
    expect(answerCommand({ ...PROMPT, ...least }).body).toHaveProperty('generations');
    expect(answerCommand({ ...PROMPT, ...most, ...words }).body).toHaveProperty('generations');
  });

  test('has the documented form', () => {
    expect(answerCommand(PROMPT)).toEqual({
      body: {
        id: expect.any(String),
        prompt: PROMPT.prompt,
        generations: [
          { id: expect.any(String), text: expect.stringContaining(PROMPT.prompt), finish_reason: 'COMPLETE' },
        ],
      },
      inputTokens: 5,
      outputTokens: expect.any(Number),
    });
  });

  test('gives as many generations as asked for, each ending as it did', () => {
    const { body, outputTokens } = answerCommand({ ...PROMPT, num_generations: 3, max_tokens: 4 });
    expect(body['generations']).toHaveLength(3);
    expect(body).toMatchObject({ generations: Array(3).fill({ finish_reason: 'MAX_TOKENS' }) });
    expect(outputTokens).toBe(12);
    expect(answerCommand({ ...PROMPT, stop_sequences: ['answer'] }).body).toMatchObject({
      generations: [{ text: 'Simulated ', finish_reason: 'COMPLETE' }],
    });
  });

  test('cuts a prompt that is too long, or refuses it with truncate NONE', () => {
    const prompt = 'word '.repeat(5000);
    expect(answerCommand({ prompt }).inputTokens).toBe(4096);
    expect(() => answerCommand({ prompt, truncate: 'NONE' })).toThrow('too many tokens');
  });

  test.each([
    ['no prompt', {}, '#: required key [prompt] not found'],
    ['an empty prompt', { prompt: '' }, '#/prompt: expected minLength: 1, actual: 0'],
    ['a prompt that is no text', { prompt: 7 }, '#/prompt: expected type: String, found: Integer'],
    ['a key of Command R', { ...PROMPT, message: 'x' }, '#: extraneous key [message] is not permitted'],
    ['temperature', { ...PROMPT, temperature: 7 }, '#/temperature: 7.0 is not less or equal to 5.0'],
    ['p', { ...PROMPT, p: -0.5 }, '#/p: -0.5 is not greater or equal to 0.0'],
    ['k', { ...PROMPT, k: 501 }, '#/k: 501.0 is not less or equal to 500.0'],
    ['max_tokens', { ...PROMPT, max_tokens: 4097 }, '#/max_tokens: 4097 is not less or equal to 4096'],
    ['max_tokens 0', { ...PROMPT, max_tokens: 0 }, '#/max_tokens: 0 is not greater or equal to 1'],
    ['a broken max_tokens', { ...PROMPT, max_tokens: 1.5 }, '#/max_tokens: expected type: Integer, found: BigDecimal'],
    [
      'stop_sequences',
      { ...PROMPT, stop_sequences: Array(5).fill('x') },
      '#/stop_sequences: expected maximum item count: 4, found: 5',
    ],
    ['num_generations', { ...PROMPT, num_generations: 6 }, '#/num_generations: 6 is not less or equal to 5'],
    [
      'return_likelihoods',
      { ...PROMPT, return_likelihoods: 'SOME' },
      '#/return_likelihoods: SOME is not a valid enum value',
    ],
    ['truncate of Embed v4', { ...PROMPT, truncate: 'LEFT' }, '#/truncate: LEFT is not a valid enum value'],
    ['logit_bias', { ...PROMPT, logit_bias: { 11: 11 } }, '#/logit_bias/11: 11.0 is not less or equal to 10.0'],
    ['stream', { ...PROMPT, stream: true }, '#/stream'],
    ['no object', 'text', '#: expected type: JSONObject, found: String'],
  ])('refuses %s', (_, body, words) => {
    expect(() => answerCommand(body)).toThrow(`Malformed input request: ${words}`);
    expect(() => answerCommand(body)).toThrow(expect.objectContaining({ name: 'ValidationException', status: 400 }));
  });

  test('names every fault at once', () => {
    expect(() => answerCommand({ texts: [], stream: 1 })).toThrow(
      'Malformed input request: #: required key [prompt] not found#/stream: expected type: Boolean, found: Integer#: extraneous key [texts] is not permitted, please reformat your input and try again.',
    );
  });
});
