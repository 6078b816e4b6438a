import { describe, expect, it } from 'vitest';
import type { RerankRequest } from '../../../src/integrations/codec.ts';
import { rerankCodec } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const codec = rerankCodec();

const many = (count: number) => Array.from({ length: count }, (_, index) => `document ${index}`);

describe('a request to Rerank', () => {
  it('has the version that Bedrock takes, and no more than is given', () => {
    expect(codec.encode({ query: 'roof', documents: ['a', 'b'] })).toEqual({
      operation: 'InvokeModel',
      body: { api_version: 2, query: 'roof', documents: ['a', 'b'] },
    });
    expect(codec.encode({ query: 'roof', documents: ['a', 'b'], topN: 1 })).toEqual({
      operation: 'InvokeModel',
      body: { api_version: 2, query: 'roof', documents: ['a', 'b'], top_n: 1 },
    });
  });

  it('asks for no more than there is, which Bedrock would refuse', () => {
    expect(codec.encode({ query: 'roof', documents: ['a', 'b'], topN: 3 })).toMatchObject({ body: { top_n: 2 } });
    expect(codec.encode({ query: 'roof', documents: ['a', 'b'], topN: 1000 })).toMatchObject({ body: { top_n: 2 } });
  });

  it.each<[string, RerankRequest, string, string]>([
    ['no query', { query: '', documents: ['a'] }, 'query', 'The query is empty'],
    ['no documents', { query: 'q', documents: [] }, 'documents', 'takes 1 to 1000 documents at once, not 0.'],
    ['too many', { query: 'q', documents: many(1001) }, 'documents', 'takes 1 to 1000 documents at once, not 1001.'],
    ['an empty one', { query: 'q', documents: ['a', ''] }, 'documents', 'Document 2 of 2 is empty'],
    ['none to give', { query: 'q', documents: ['a'], topN: 0 }, 'topN', 'a whole number from 1 to 1000'],
    ['part of one', { query: 'q', documents: ['a'], topN: 1.5 }, 'topN', 'a whole number from 1 to 1000'],
  ])('is refused with %s', (_, request, field, message) => {
    const fault = refusal(() => codec.encode(request));
    expect(fault).toMatchObject({ code: 'INPUT_INVALID', field });
    expect(fault?.message).toContain(message);
  });
});

describe('an answer of Rerank', () => {
  const answer = (results: unknown, tokens = {}) => ({ body: { results }, tokens });

  it('is read in the order of the scores, whatever order it has and whatever else it holds', () => {
    const results = [
      { index: 0, relevance_score: 0.25 },
      { index: 2, relevance_score: 0.5, document: { text: 'never asked for' } },
      { index: 1, relevance_score: 0.25 },
    ];
    expect(codec.decode({ body: { id: 'x', results, meta: {} }, tokens: { prompt: 7 } }, 3)).toStrictEqual({
      results: [
        { index: 2, score: 0.5 },
        { index: 0, score: 0.25 },
        { index: 1, score: 0.25 },
      ],
      tokens: { prompt: 7 },
    });
  });

  it('without counted tokens has none', () => {
    expect(codec.decode(answer([{ index: 0, relevance_score: 1 }]), 1).tokens).toStrictEqual({});
  });

  it.each([
    ['no results', undefined],
    ['a document that was not sent', [{ index: 1, relevance_score: 1 }]],
    ['a document before the first', [{ index: -1, relevance_score: 1 }]],
    [
      'a document twice',
      [
        { index: 0, relevance_score: 1 },
        { index: 0, relevance_score: 0 },
      ],
    ],
    ['a score that is none', [{ index: 0, relevance_score: null }]],
    ['an index that is none', [{ index: '0', relevance_score: 1 }]],
  ])('is ANSWER_INVALID with %s', (_, results) => {
    expect(refusal(() => codec.decode(answer(results), 1))?.code).toBe('ANSWER_INVALID');
  });
});
