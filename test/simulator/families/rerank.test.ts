import { describe, expect, test } from 'vitest';
import { answerRerank } from '../../../simulator/families/rerank.ts';

const INPUT = {
  api_version: 2,
  query: 'unpaid invoices',
  documents: ['sunny weather', 'invoices unpaid since May', 'an invoice'],
};

describe('Rerank', () => {
  test('puts documents that share words first, by index and score', () => {
    const results = answerRerank(INPUT).body['results'] as { index: number; relevance_score: number }[];
    expect(results.map(({ index }) => index)).toEqual([1, 2, 0]);
    for (const { relevance_score } of results) expect(Math.abs(relevance_score - 0.5)).toBeLessThanOrEqual(0.5);
  });

  test('gives the best ones only', () => {
    expect(answerRerank({ ...INPUT, top_n: 1 }).body['results']).toMatchObject([{ index: 1 }]);
  });

  test.each([
    ['no api_version', { query: 'x', documents: ['x'] }, '#: required key [api_version] not found'],
    ['api_version 1', { ...INPUT, api_version: 1 }, '#/api_version: 1 is not greater or equal to 2'],
    ['no query', { ...INPUT, query: '' }, '#/query: expected minLength: 1, actual: 0'],
    ['no documents', { ...INPUT, documents: [] }, '#/documents: expected minimum item count: 1, found: 0'],
    [
      'documents that are no texts',
      { ...INPUT, documents: [{}] },
      '#/documents/0: expected type: String, found: JSONObject',
    ],
    ['top_n 0', { ...INPUT, top_n: 0 }, '#/top_n: 0 is not greater or equal to 1'],
    ['more than there are', { ...INPUT, top_n: INPUT.documents.length + 1 }, '#/top_n: '],
    ['a model', { ...INPUT, model: 'x' }, '#: extraneous key [model] is not permitted'],
  ])('refuses %s', (_, body, words) => {
    expect(() => answerRerank(body)).toThrow(`Malformed input request: ${words}`);
  });
});
