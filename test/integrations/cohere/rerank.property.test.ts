/** Whatever the codec lets through, the simulator takes, which is written from AWS's documents and knows no codec. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerRerank } from '../../../simulator/families/rerank.ts';
import type { RerankRequest } from '../../../src/integrations/codec.ts';
import { bodyOf, rerankCodec } from '../support/codecs.ts';
import { fieldRefused } from '../support/refusal.ts';

const RUNS = { numRuns: 2_000 };
const codec = rerankCodec();

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
const request: fc.Arbitrary<RerankRequest> = fc.record({
  query: text,
  documents: fc.array(text, { minLength: 1, maxLength: 30 }),
  topN: fc.option(fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(1, 1000)), { nil: undefined }),
});

interface Spoilt {
  readonly change: Record<string, unknown>;
  readonly field: keyof RerankRequest;
  /** Bedrock's own word for it, where Bedrock refuses the value, too. */
  readonly word?: string;
}

const outside = fc
  .oneof(
    fc.integer({ max: 0 }),
    fc.integer({ min: 1001 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
    fc.constantFrom<unknown>('1', true, [1]),
  )
  .map((value): Spoilt => ({ change: { topN: value }, field: 'topN', word: 'top_n' }));
const spoilt = fc.oneof(
  outside,
  fc.constant<Spoilt>({ change: { query: '' }, field: 'query', word: 'query' }),
  fc
    .constantFrom(0, 1001, 1500)
    .map((count): Spoilt => ({ change: { documents: Array(count).fill('a') }, field: 'documents', word: 'documents' })),
  fc
    .record({ others: fc.array(text, { maxLength: 20 }), at: fc.nat() })
    .map(({ others, at }) => others.toSpliced(at % (others.length + 1), 0, ''))
    .map((documents): Spoilt => ({ change: { documents }, field: 'documents' })),
);

describe('any request to Rerank', () => {
  it('that is valid is taken by Bedrock, too, and every document has its place in the answer', () => {
    fc.assert(
      fc.property(request, (given) => {
        const { body } = answerRerank(bodyOf(codec.encode(given)));
        const { results } = codec.decode({ body, tokens: {} }, given.documents.length);
        expect(results).toHaveLength(Math.min(given.topN ?? 1000, given.documents.length));
        expect(results.map(({ score }) => score)).toEqual(results.map(({ score }) => score).sort((a, b) => b - a));
      }),
      RUNS,
    );
  });

  it('that is spoilt in one place does not get through the codec; the simulator would refuse it, too', () => {
    fc.assert(
      fc.property(request, spoilt, (given, { change, field, word }) => {
        expect(fieldRefused(() => codec.encode({ ...given, ...change }))).toBe(field);
        if (word === undefined) return;
        const body = { ...bodyOf(codec.encode({ ...given, topN: undefined })), [word]: change[field] };
        expect(() => answerRerank(body)).toThrow(/Malformed input request/);
      }),
      RUNS,
    );
  });
});
