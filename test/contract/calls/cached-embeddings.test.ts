import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { until } from '../../workers/support/harness.ts';
import { EMBED, errorOf, outputOf, type Sent } from '../../workers/support/llm.ts';
import { CONFIGURATION, cachedCalls, embedded, range, texts, textsOf, worldWith } from './support/cached-calls.ts';

const calls = cachedCalls();
const { redis, embeddings } = calls;

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
    await calls.cache.settled();
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

    const values = calls.valuesOf(EMBED);
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
    await calls.cache.settled();
    const more = await Promise.all(range(0, 4).map((number) => run({ model: EMBED, text: `text ${number}` })));
    expect(more.map(outputOf)).toEqual(range(0, 4).map((number) => ({ result: [number], cached: true })));
  });

  it('are asked for again where what stands in Redis is no vector', async () => {
    const { output, sent } = await embeddings();
    await output({ model: EMBED, text: 'text 1' });
    const values = calls.valuesOf(EMBED);
    const fields = (await redis.hkeys(values)).filter((field) => field.length > 20);
    expect(fields).toHaveLength(1);
    for (const value of ['"text"', '[]', '["1"]', '[null]', '{"float":[1]}', 'null', '[1']) {
      await redis.hset(values, fields[0] as string, `9999999999999${value}`);
      expect(await output({ model: EMBED, text: 'text 1' })).toMatchObject({ result: [1], tokenUsed: 1 });
    }
    expect(sent).toHaveLength(8);
  });
});
