import { describe, expect, it } from 'vitest';
import { COMMAND, COMMAND_R, errorOf } from '../../workers/support/llm.ts';
import { CONFIGURATION, cachedCalls, NOVA, worldWith } from './support/cached-calls.ts';

const calls = cachedCalls();
const { redis, handler } = calls;

const answered = (text: string, finish = 'COMPLETE') => ({
  body: { text, finish_reason: finish },
  tokens: { prompt: 5, completion: 7 },
});

describe.each([
  ['text', 'prompt', 'Hello'],
  ['chat', 'messages', [{ role: 'user', message: 'Hello' }]],
] as const)('completions (%s) of a model that has a cache', (type, field, said) => {
  const input = { [field]: said, temperature: 0 };

  it('at temperature 0 are asked for once, and marked', async () => {
    const { output, sent, hits } = await handler(type, { answer: () => answered(`answer ${sent.length}`) });
    expect(await output(input)).toEqual({
      ...{ result: 'answer 1', finishReason: 'STOP' },
      ...{ promptTokens: 5, completionTokens: 7, tokenUsed: 12 },
    });
    expect(await output(input)).toEqual({ result: 'answer 1', finishReason: 'STOP', cached: true });
    expect(sent).toHaveLength(1);
    expect(hits.map((one) => one.hits)).toEqual([0, 1]);
  });

  it('at another temperature, or at the model’s own, are never kept', async () => {
    const { output, sent } = await handler(type);
    for (const temperature of [0.01, undefined]) {
      await output({ ...input, temperature });
      expect(await output({ ...input, temperature })).not.toHaveProperty('cached');
    }
    expect(sent).toHaveLength(4);
    expect(await calls.keys()).toEqual([]);
  });

  it('are kept where the model’s defaults say temperature 0', async () => {
    const { output, sent } = await handler(type, {
      world: worldWith({ ...CONFIGURATION, defaults: { temperature: 0 } }),
    });
    const silent = { [field]: said };
    await output(silent);
    expect(await output(silent)).toHaveProperty('cached', true);
    expect(sent).toHaveLength(1);
  });

  it.each([
    { maxTokens: 9 },
    { topP: 0.5 },
    { stopWords: ['x'] },
    { seed: 4 },
    { frequencyPenalty: 0.5 },
    { jsonOutput: true },
    { [field]: type === 'text' ? 'hello' : [{ role: 'user', message: 'hello' }] },
  ])('are not those of a task with %j', async (other) => {
    const { output, sent } = await handler(type, { answer: () => answered('{"a":1}') });
    await output(input);
    expect(await output({ ...input, ...other })).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
  });

  it('with jsonOutput are given again as the value that they are', async () => {
    const { output, sent } = await handler(type, { answer: () => answered('{"a":[1]}') });
    await output({ ...input, jsonOutput: true });
    expect(await output({ ...input, jsonOutput: true })).toEqual({
      ...{ result: { a: [1] }, finishReason: 'STOP', cached: true },
    });
    expect(sent).toHaveLength(1);
  });

  it.each(['ERROR', 'ERROR_TOXIC'])('that end with %s are not kept', async (finish) => {
    const { output, sent } = await handler(type, { answer: () => answered('half', finish) });
    await output(input);
    expect(await output(input)).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
  });

  it('that fail are not kept', async () => {
    const { run, output, sent } = await handler(type, { answer: () => answered('no JSON') });
    errorOf(await run({ ...input, jsonOutput: true }));
    errorOf(await run({ ...input, jsonOutput: true }));
    await calls.cache.settled();
    expect(sent).toHaveLength(2);
    expect(await output(input)).not.toHaveProperty('cached');
  });

  it('are asked for again where what stands in Redis is none', async () => {
    const { output, sent } = await handler(type);
    await output(input);
    const values = calls.valuesOf(COMMAND_R);
    const [field = ''] = (await redis.hkeys(values)).filter((name) => name.length > 20);
    const bad = [
      '[]',
      '"x"',
      '{"result":"x"}',
      '{"result":"x","finishReason":"TOOL_CALLS"}',
      '{"finishReason":"STOP"}',
    ];
    for (const value of bad) {
      await redis.hset(values, field, `9999999999999${value}`);
      expect(await output(input)).not.toHaveProperty('cached');
    }
    expect(sent).toHaveLength(bad.length + 1);
  });
});

describe('completions of a model that has a cache', () => {
  it('that ask for tools are not kept: their ids are for one conversation', async () => {
    const tool_calls = [{ name: 'now', parameters: {} }];
    const { output, sent } = await handler('chat', {
      answer: () => ({ body: { text: '', finish_reason: 'COMPLETE', tool_calls }, tokens: {} }),
    });
    const input = {
      ...{ messages: [{ role: 'user', message: 'When?' }], temperature: 0 },
      tools: [{ name: 'now', description: 'the time' }],
    };
    expect(await output(input)).toHaveProperty('toolCalls');
    expect(await output(input)).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
  });

  it('that were cut short while they asked for tools are not kept either', async () => {
    const { output, sent } = await handler('chat', {
      answer: () => ({
        body: {
          output: {
            message: { role: 'assistant', content: [{ toolUse: { toolUseId: 't1', name: 'now', input: {} } }] },
          },
          stopReason: 'max_tokens',
        },
        tokens: {},
      }),
    });
    const input = {
      ...{ model: NOVA, messages: [{ role: 'user', message: 'When?' }], temperature: 0 },
      tools: [{ name: 'now', description: 'the time' }],
    };
    expect(await output(input)).toMatchObject({ finishReason: 'MAX_TOKENS', toolCalls: [{ name: 'now' }] });
    expect(await output(input)).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
  });

  it('are told apart by the bytes of their images', async () => {
    const { output, sent } = await handler('chat', {
      answer: () => ({
        body: { output: { message: { role: 'assistant', content: [{ text: 'a cat' }] } }, stopReason: 'end_turn' },
        tokens: {},
      }),
    });
    const withImage = (base64: string) => ({
      ...{ model: NOVA, temperature: 0 },
      messages: [{ role: 'user', message: 'What is it?', media: [`data:image/png;base64,${base64}`] }],
    });
    await output(withImage('iVBORw0KGgoAAAAA'));
    expect(await output(withImage('iVBORw0KGgoAAAAB'))).not.toHaveProperty('cached');
    expect(await output(withImage('iVBORw0KGgoAAAAA'))).toHaveProperty('cached', true);
    expect(sent).toHaveLength(2);
  });

  it('are all given again where several were asked for', async () => {
    const { output, sent } = await handler('text', {
      answer: () => ({
        body: {
          generations: [
            { text: 'one', finish_reason: 'COMPLETE' },
            { text: 'two', finish_reason: 'MAX_TOKENS' },
          ],
        },
        tokens: {},
      }),
    });
    const input = { model: COMMAND, prompt: 'Say', temperature: 0, maxResults: 2 };
    const first = await output(input);
    expect(first['results']).toEqual(['one', 'two']);
    expect(await output(input)).toEqual({ ...first, cached: true });
    expect(sent).toHaveLength(1);
  });

  it('are those of the text of the prompt, whichever prompt it is of; another version is another text', async () => {
    const { output, sent } = await handler('text');
    const named = { promptName: 'summarize', promptVariables: { text: 'x', who: 'y' }, temperature: 0 };
    await output({ ...named, promptVersion: 1 });
    expect(await output({ prompt: 'One: x', temperature: 0 })).toHaveProperty('cached', true);
    expect(await output({ ...named, promptVersion: 2 })).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
  });
});
