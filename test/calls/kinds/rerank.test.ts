import { describe, expect, it } from 'vitest';
import { EMBED, errorOf, llmHandler, outputOf, type Sent, WORLD } from '../../workers/support/llm.ts';

const RERANK = 'cohere.rerank-v3-5:0';
const world = {
  ...WORLD,
  models: {
    ...WORLD.models,
    [`prod:${RERANK}`]: {},
    'prod:best': { configuration: { modelId: RERANK, defaults: { topN: 1 } } },
  },
};
/** The last document is the best, and so on backwards; `top_n` is not looked at, as an odd answer might not. */
const answer = ({ body }: Sent) => {
  const documents = body['documents'] as string[];
  const results = documents.map((_, index) => ({ index, relevance_score: (index + 1) / documents.length }));
  return { body: { results }, tokens: { prompt: 11 } };
};
const handler = () => llmHandler('rerank', { world, answer });
const documentsOf = (sent: readonly Sent[]) => sent[0]?.body['documents'];

describe('a rerank task', () => {
  it('puts out index and score, the best first, and the tokens that Bedrock counted', async () => {
    const { run, sent } = await handler();
    expect(outputOf(await run({ model: RERANK, query: 'roof', documents: ['a', 'b'] }))).toEqual({
      result: [
        { index: 1, score: 1 },
        { index: 0, score: 0.5 },
      ],
      promptTokens: 11,
      tokenUsed: 11,
    });
    expect(sent).toEqual([{ modelId: RERANK, body: { api_version: 2, query: 'roof', documents: ['a', 'b'] } }]);
  });

  it('gives the best few, with the documents as they were given where they are asked for', async () => {
    const { run, sent } = await handler();
    const documents = [{ id: 7, title: 'one' }, 'two', { id: 9, title: 'three' }];
    const input = { model: RERANK, query: 'roof', documents, topN: '2', returnDocuments: 'true' };
    expect(outputOf(await run(input))['result']).toEqual([
      { index: 2, score: 1, document: { id: 9, title: 'three' } },
      { index: 1, score: 2 / 3, document: 'two' },
    ]);
    expect(sent[0]?.body['top_n']).toBe(2);
  });

  it('takes how many from its model’s defaults where it does not say', async () => {
    const { run } = await handler();
    expect(outputOf(await run({ model: 'best', query: 'q', documents: ['a', 'b'] }))['result']).toHaveLength(1);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['all fields as YAML', {}, 'title: Roofs\ntext: "They leak: often"\nyear: 2024\ntags:\n  - a\n'],
    ['the one field that is named, as it is', { rankFields: 'text' }, 'They leak: often'],
    ['the fields that are named, in that order', { rankFields: ['year', 'title'] }, 'year: 2024\ntitle: Roofs\n'],
    ['a field that is no text as YAML', { rankFields: ['tags'] }, 'tags:\n  - a\n'],
    ['those that it has', { rankFields: ['gone', 'none', 'title'] }, 'title: Roofs\n'],
  ])('ranks an object by %s', async (_, more, text) => {
    const { run, sent } = await handler();
    const document = { title: 'Roofs', text: 'They leak: often', none: null, year: 2024, tags: ['a'] };
    await run({ model: RERANK, query: 'roof', documents: [document], ...more });
    expect(documentsOf(sent)).toEqual([text]);
  });

  it('never breaks a long line of YAML', async () => {
    const { run, sent } = await handler();
    const text = 'word '.repeat(100).trim();
    await run({ model: RERANK, query: 'q', documents: [{ title: 'a', text }] });
    expect(documentsOf(sent)).toEqual([`title: a\ntext: ${text}\n`]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no query', { query: null }, 'query'],
    ['an empty query', { query: '' }, 'query'],
    ['no documents', { documents: null }, 'documents'],
    ['an empty list', { documents: [] }, 'documents'],
    ['an empty document', { documents: ['a', ''] }, 'documents'],
    ['a number for a document', { documents: ['a', 7] }, 'documents.1'],
    ['a list for a document', { documents: [['a']] }, 'documents.0'],
    ['an object of nothing', { documents: ['a', {}] }, 'documents.1'],
    ['an object without the field', { documents: [{ title: 'a' }], rankFields: ['text'] }, 'documents.0'],
    ['a field that objects inherit', { documents: [{ title: 'a' }], rankFields: ['constructor'] }, 'documents.0'],
    ['no fields', { rankFields: [] }, 'rankFields'],
    ['none to give', { topN: 0 }, 'topN'],
    ['more than can be ranked', { documents: Array.from({ length: 1001 }, () => 'a') }, 'documents'],
  ])('is refused before any call: %s', async (_, input, field) => {
    const { run, sent } = await handler();
    const error = errorOf(await run({ model: RERANK, query: 'q', documents: ['a'], ...input }));
    expect([error.code, error.field]).toEqual(['INPUT_INVALID', field]);
    expect(sent).toEqual([]);
  });

  it('needs a model that reranks', async () => {
    const { run } = await handler();
    expect(errorOf(await run({ model: EMBED, query: 'q', documents: ['a'] }))).toMatchObject({
      code: 'MODEL_UNFIT',
      field: 'model',
      message: expect.stringMatching(/\(family embed-v4\) cannot rerank documents: .* for LLM_GENERATE_EMBEDDINGS\./),
    });
  });
});
