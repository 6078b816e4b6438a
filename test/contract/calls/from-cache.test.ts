import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createAnswerCache, type SharedAnswers } from '../../../src/cluster/answer-cache.ts';
import { ServiceError } from '../../../src/errors.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import type {} from '../../support/redis-for-all.ts';
import { capturedLog, until } from '../../workers/support/harness.ts';
import {
  COMMAND,
  COMMAND_R,
  EMBED,
  errorOf,
  type HandlerOptions,
  llmHandler,
  outputOf,
  type Sent,
  WORLD,
  type World,
} from '../../workers/support/llm.ts';
import { freshPrefix } from '../support/live-catalog.ts';

let redis: Redis;
let cache: SharedAnswers;
let prefix: string;
beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());
beforeEach(() => {
  prefix = freshPrefix();
  cache = createAnswerCache({ redis, names: keyNames(prefix), log: capturedLog().log });
});

const CONFIGURATION = { cache: { ttlSeconds: 60 } };
const NOVA = 'amazon.nova-micro-v1:0';
const worldWith = (configuration: object = CONFIGURATION): World => ({
  ...WORLD,
  integrations: { ...WORLD.integrations, other: WORLD.integrations.prod },
  models: {
    ...WORLD.models,
    [`prod:${EMBED}`]: { configuration },
    [`prod:${COMMAND}`]: { configuration },
    [`prod:${COMMAND_R}`]: { configuration },
    [`prod:${NOVA}`]: { configuration },
    [`other:${EMBED}`]: { configuration },
    'prod:cohere.embed-english-v3': { configuration },
  },
  grants: { 'USER:app:claims': { ...WORLD.grants['USER:app:claims'], 'INTEGRATION_PROVIDER:other': 'EXECUTE' } },
});

const textsOf = ({ body }: Sent) => (body['texts'] ?? body['images'] ?? body['inputs']) as string[];
/** The vector of `text 7` is [7]; of anything else [length]. */
const vectorOf = (text: string) => [Number(/^text (\d+)$/.exec(text)?.[1] ?? JSON.stringify(text).length)];
const embedded = (sent: Sent) => ({
  body: { embeddings: { float: textsOf(sent).map(vectorOf) } },
  tokens: { prompt: textsOf(sent).length },
});
const texts = (...numbers: number[]) => numbers.map((number) => `text ${number}`);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

async function handler(type: Parameters<typeof llmHandler>[0], options: HandlerOptions = {}) {
  const made = await llmHandler(type, { world: worldWith(), cache, ...options });
  return {
    ...made,
    /** The output, once what is to be kept is. */
    async output(input: Record<string, unknown>) {
      const output = outputOf(await made.run(input));
      await cache.settled();
      return output;
    },
  };
}
const embeddings = (options: HandlerOptions = {}) => handler('embeddings', { answer: embedded, ...options });

describe('embeddings of a model that has a cache', () => {
  it('are asked for once: the second task has the same vector, marked, and without counts', async () => {
    const { output, sent, used, hits, metrics } = await embeddings();
    const input = { model: EMBED, text: 'text 1' };
    expect(await output(input)).toEqual({ result: [1], promptTokens: 1, tokenUsed: 1 });
    expect(await output(input)).toEqual({ result: [1], cached: true });
    expect([sent.length, used.length]).toEqual([1, 1]);
    expect(hits.filter((one) => one.hits > 0)).toEqual([
      { integration: 'prod', model: EMBED, subject: 'USER:app:claims', hits: 1 },
    ]);
    const shown = await metrics.registry.metrics();
    for (const result of ['hit', 'miss']) {
      expect(shown).toContain(`cache_answers_total{integration="prod",model="${EMBED}",result="${result}"} 1`);
    }
  });

  it('are the same of a text by itself and of one in a list; a list asks for what is missing, in order', async () => {
    const { output, sent, used, hits } = await embeddings();
    await output({ model: EMBED, text: 'text 3' });
    await output({ model: EMBED, texts: texts(5, 1) });
    expect(await output({ model: EMBED, texts: texts(1, 2, 3, 4, 5) })).toEqual({
      result: [[1], [2], [3], [4], [5]],
      cachedCount: 3,
      promptTokens: 2,
      tokenUsed: 2,
    });
    expect(textsOf(sent[2] as Sent)).toEqual(texts(2, 4));
    expect(await output({ model: EMBED, texts: texts(4, 4, 2) })).toEqual({ result: [[4], [4], [2]], cached: true });
    expect(sent).toHaveLength(3);
    expect(used.map(({ tokens }) => tokens.prompt)).toEqual([1, 2, 2]);
    expect(hits.map((one) => one.hits)).toEqual([0, 0, 3, 3]);
  });

  it('of what a long list misses go in as few requests as that takes', async () => {
    const { output, sent } = await embeddings();
    await output({ model: EMBED, texts: texts(...range(0, 300).filter((number) => number % 2 === 0)) });
    expect(sent.map((one) => textsOf(one).length)).toEqual([96, 54]);
    const all = await output({ model: EMBED, texts: texts(...range(0, 300)) });
    expect(all['result']).toEqual(range(0, 300).map((number) => [number]));
    expect(all['cachedCount']).toBe(150);
    expect(sent.slice(2).map((one) => textsOf(one).length)).toEqual([96, 54]);
  });

  it('that were answered stay where a list fails: the next try asks for the rest', async () => {
    let broken = true;
    const { run, output, sent } = await embeddings({
      answer(one) {
        if (broken && textsOf(one).includes('text 150')) throw new ServiceError('REQUEST_REFUSED', 'no');
        return embedded(one);
      },
    });
    expect(errorOf(await run({ model: EMBED, texts: texts(...range(0, 200)) })).code).toBe('REQUEST_REFUSED');
    await cache.settled();
    const before = sent.length;
    broken = false;
    const all = await output({ model: EMBED, texts: texts(...range(0, 200)) });
    expect(all['result']).toEqual(range(0, 200).map((number) => [number]));
    expect(sent.slice(before).flatMap(textsOf)).not.toContain('text 0');
  });

  it.each([
    ['another text', { text: 'text 2' }],
    ['another purpose', { inputType: 'search_query' }],
    ['another length', { dimensions: 256 }],
    ['another way to cut', { truncate: 'LEFT' }],
    ['other forms', { embeddingTypes: ['float'] }],
    ['another integration', { llmProvider: 'other' }],
    ['another model', { model: 'cohere.embed-english-v3' }],
  ])('are not those of %s', async (_, other) => {
    const { output, sent } = await embeddings();
    const input = { model: EMBED, text: 'text 1' };
    await output(input);
    expect(await output({ ...input, ...other })).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
    expect(await output(input)).toHaveProperty('cached', true);
  });

  it.each([
    ['images', { images: ['data:image/png;base64,aaaa', 'data:image/png;base64,bbbbbbbb'] }],
    [
      'mixed inputs',
      {
        inputs: [
          { content: [{ type: 'text', text: 'a' }] },
          { content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,aaaa' } }] },
        ],
      },
    ],
  ])('of %s are kept, each by itself', async (_, input) => {
    const { output, sent } = await embeddings();
    const [field, pieces] = Object.entries(input)[0] as [string, unknown[]];
    const first = await output({ model: EMBED, ...input });
    const turned = await output({ model: EMBED, [field]: pieces.toReversed() });
    expect(turned).toEqual({ result: (first['result'] as unknown[]).toReversed(), cached: true });
    expect(sent).toHaveLength(1);
  });

  it('by type are given again by type', async () => {
    const { output, sent } = await embeddings({
      answer: (one) => ({
        body: { embeddings: { int8: textsOf(one).map(() => [-7]), float: textsOf(one).map(() => [0.5]) } },
        tokens: {},
      }),
    });
    const input = { model: EMBED, text: 'text 1', embeddingTypes: ['int8', 'float'] };
    const first = await output(input);
    expect(first['result']).toEqual({ int8: [-7], float: [0.5] });
    expect(await output(input)).toEqual({ result: first['result'], cached: true });
    expect(sent).toHaveLength(1);

    const { values } = keyNames(prefix).answers(`prod:${EMBED}`);
    const [field = ''] = (await redis.hkeys(values)).filter((name) => name.length > 20);
    const bad = ['[1]', '{"int8":[1]}', '{"int8":[1],"float":[]}', '{"int8":[1],"float":[1],"binary":[1]}'];
    for (const value of bad) {
      await redis.hset(values, field, `9999999999999${value}`);
      expect(await output(input)).not.toHaveProperty('cached');
    }
    expect(sent).toHaveLength(1 + bad.length);
  });

  it('that travelled with others are kept each by itself', async () => {
    const gates: (() => void)[] = [];
    const { run, sent, lanes } = await embeddings({
      world: worldWith({ ...CONFIGURATION, maxConcurrencyPerWorker: 1 }),
      async answer(one) {
        await new Promise<void>((resolve) => gates.push(resolve));
        return embedded(one);
      },
    });
    const ahead = run({ model: EMBED, text: 'text 9' });
    await until(() => gates.length === 1);
    const tasks = range(0, 4).map((number) => run({ model: EMBED, text: `text ${number}` }));
    await until(() => [...lanes.loads()].some(([, { waiting }]) => waiting === 4));
    gates[0]?.();
    await until(() => gates.length === 2);
    gates[1]?.();
    await Promise.all([ahead, ...tasks]);
    expect(sent.map((one) => textsOf(one).length)).toEqual([1, 4]);
    await cache.settled();
    const more = await Promise.all(range(0, 4).map((number) => run({ model: EMBED, text: `text ${number}` })));
    expect(more.map(outputOf)).toEqual(range(0, 4).map((number) => ({ result: [number], cached: true })));
  });

  it('are asked for again where what stands in Redis is no vector', async () => {
    const { output, sent } = await embeddings();
    await output({ model: EMBED, text: 'text 1' });
    const { values } = keyNames(prefix).answers(`prod:${EMBED}`);
    const fields = (await redis.hkeys(values)).filter((field) => field.length > 20);
    expect(fields).toHaveLength(1);
    for (const value of ['"text"', '[]', '["1"]', '[null]', '{"float":[1]}', 'null', '[1']) {
      await redis.hset(values, fields[0] as string, `9999999999999${value}`);
      expect(await output({ model: EMBED, text: 'text 1' })).toMatchObject({ result: [1], tokenUsed: 1 });
    }
    expect(sent).toHaveLength(8);
  });
});

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
    expect(await redis.keys(`${prefix}*`)).toEqual([]);
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
    await cache.settled();
    expect(sent).toHaveLength(2);
    expect(await output(input)).not.toHaveProperty('cached');
  });

  it('are asked for again where what stands in Redis is none', async () => {
    const { output, sent } = await handler(type);
    await output(input);
    const { values } = keyNames(prefix).answers(`prod:${COMMAND_R}`);
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

describe('what is kept', () => {
  const input = { model: EMBED, text: 'text 1' };

  it('is nothing where the model’s record says nothing of a cache', async () => {
    const { output, sent } = await embeddings({ world: worldWith({}) });
    await output(input);
    expect(await output(input)).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
    expect(await redis.keys(`${prefix}*`)).toEqual([]);
  });

  it('is given to nobody who may not use the model', async () => {
    const { output } = await embeddings();
    await output(input);
    const stranger = await embeddings({ world: { ...worldWith(), grants: {} } });
    expect(errorOf(await stranger.run(input)).code).toBe('PERMISSION_DENIED');
    expect(stranger.hits).toEqual([]);
  });

  it('is not given where calls go to another endpoint', async () => {
    const simulated = await embeddings({ endpoint: 'http://localhost:4566' });
    await simulated.output(input);
    const { output, sent } = await embeddings();
    expect(await output(input)).not.toHaveProperty('cached');
    expect(await output(input)).toHaveProperty('cached', true);
    expect(await simulated.output(input)).toHaveProperty('cached', true);
    expect(sent).toHaveLength(1);
  });

  it('is given to nobody whose right went while it was looked for', async () => {
    const { output } = await embeddings();
    await output(input);
    const slow = { ...cache };
    const made = await embeddings({
      cache: {
        ...slow,
        async find(...asked) {
          await made.change({ ...worldWith(), grants: { 'USER:app:claims': {} } });
          return await cache.find(...asked);
        },
      },
    });
    expect(errorOf(await made.run(input)).code).toBe('PERMISSION_DENIED');
  });

  it('is looked for again where the model’s record, or the prompt, changed meanwhile', async () => {
    const { output } = await handler('text');
    const named = { promptName: 'summarize', promptVersion: 1, promptVariables: { text: 'x' }, temperature: 0 };
    await output(named);
    const changed = (prompt: string, configuration = CONFIGURATION): World => ({
      ...worldWith(configuration),
      prompts: { ...WORLD.prompts, summarize: { ...WORLD.prompts.summarize, template: prompt } },
    });
    const looks: unknown[] = [];
    const worlds = [changed('Other: ${text}'), changed('Other: ${text}', { cache: { ttlSeconds: 61 } })];
    const made = await handler('text', {
      cache: {
        ...cache,
        async find(...asked) {
          looks.push(asked[1]);
          const next = worlds.shift();
          if (next !== undefined) await made.change(next);
          return await cache.find(...asked);
        },
      },
    });
    expect(await made.output(named)).not.toHaveProperty('cached');
    expect(looks).toHaveLength(3);
    expect(made.sent.map(({ body }) => body['message'])).toEqual(['Other: x']);
  });

  it('is looked for no further where Redis does not answer: a long list waits for one look', async () => {
    const looks: number[] = [];
    const { output, sent } = await embeddings({
      cache: {
        ...cache,
        async find(_, digests) {
          looks.push(digests.length);
          return undefined;
        },
      },
    });
    const all = await output({ model: EMBED, texts: texts(...range(0, 300)) });
    expect(all).toMatchObject({ result: range(0, 300).map((number) => [number]), promptTokens: 300 });
    expect(sent).toHaveLength(4);
    expect(looks).toEqual([96]);
  });

  it('takes no turn in the lane, and neither waits nor counts for a limit', async () => {
    const { output } = await embeddings();
    await output(input);
    const world = {
      ...worldWith(),
      groups: { all: { maxTokens: 1, frequency: 'daily' } },
      members: { all: ['app:claims'] },
    } as World;
    const made = await embeddings({ world });
    made.tokenLimits.spent.set('GROUP:all' as never, 5);
    made.laneState.mayStart = false;
    expect(outputOf(await made.run(input))).toEqual({ result: [1], cached: true });
    expect(made.tokenLimits.asked).toEqual([]);
    expect(made.sent).toEqual([]);
  });

  it('gives up the place in line of a task that waited', async () => {
    const { output } = await embeddings();
    await output(input);
    const made = await embeddings();
    const ticket = { taskId: 'task-1', lane: `prod:${EMBED}`, order: 1, firstThrottledAt: undefined, throttles: 0 };
    await made.run(input, {}, { ticket });
    expect(made.forgotten).toEqual(['task-1']);
  });

  it('holds no prompt: what was asked is a digest', async () => {
    const { output } = await handler('text');
    await output({ prompt: 'a-very-private-question', temperature: 0 });
    const { values } = keyNames(prefix).answers(`prod:${COMMAND_R}`);
    expect(JSON.stringify(await redis.hgetall(values))).not.toContain('private');
  });
});
