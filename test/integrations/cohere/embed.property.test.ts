/** Whatever a codec lets through, the simulator takes, which is written from AWS's documents and knows no codec. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerEmbedV3 } from '../../../simulator/families/embed-v3.ts';
import { answerEmbedV4 } from '../../../simulator/families/embed-v4.ts';
import { DEFAULT_ANSWERS } from '../../../simulator/families/family.ts';
import { ServiceError } from '../../../src/errors.ts';
import { EMBEDDING_TYPES, type EmbeddingsRequest } from '../../../src/integrations/codec.ts';
import { codecFor } from '../../../src/integrations/codecs.ts';

const RUNS = 1_500;

const answers = {
  'embed-v3': (body: unknown) => answerEmbedV3(body),
  'embed-v4': (body: unknown) => answerEmbedV4(body, { settings: DEFAULT_ANSWERS }),
};
const FAMILIES = ['embed-v3', 'embed-v4'] as const;
type EmbedFamily = (typeof FAMILIES)[number];

const TRUNCATIONS = { 'embed-v3': ['NONE', 'START', 'END'], 'embed-v4': ['NONE', 'LEFT', 'RIGHT'] } as const;
const FORMATS = { 'embed-v3': ['jpeg', 'png'], 'embed-v4': ['jpeg', 'png', 'webp', 'gif'] } as const;
const TEXT_TYPES = ['search_document', 'search_query', 'classification', 'clustering'] as const;

const image = (family: EmbedFamily) =>
  fc
    .record({ format: fc.constantFrom(...FORMATS[family]), bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }) })
    .map(({ format, bytes }) => `data:image/${format};base64,${Buffer.from(bytes).toString('base64')}`);
/** Few enough tokens for any model; long ones are for where they may be cut. */
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
const longText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((unit) => unit.repeat(400));

function content(family: EmbedFamily): fc.Arbitrary<EmbeddingsRequest> {
  const texts = fc.array(text, { minLength: 1, maxLength: 96 }).map((given) => ({ texts: given }));
  if (family === 'embed-v3')
    return fc.oneof(
      texts,
      fc.tuple(image(family)).map((images) => ({ images })),
    );
  const part = fc.oneof(
    text.map((one) => ({ type: 'text' as const, text: one })),
    image(family).map((url) => ({ type: 'image_url' as const, image_url: { url } })),
  );
  const input = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => ({ content: parts }));
  return fc.oneof(
    texts,
    fc.array(image(family), { minLength: 1, maxLength: 96 }).map((images) => ({ images })),
    fc.array(input, { minLength: 1, maxLength: 8 }).map((inputs) => ({ inputs })),
  );
}

/** Every request that a family should take. */
function validRequest(family: EmbedFamily): fc.Arbitrary<EmbeddingsRequest> {
  const options = fc.record(
    {
      inputType: fc.constantFrom(...TEXT_TYPES),
      truncate: fc.constantFrom(...TRUNCATIONS[family]),
      embeddingTypes: fc.subarray([...EMBEDDING_TYPES], { minLength: 1 }),
      ...(family === 'embed-v4' ? { dimensions: fc.constantFrom(256, 512, 1024, 1536) } : {}),
    },
    { requiredKeys: [] },
  );
  return fc
    .record({ content: content(family), options })
    .map(({ content: given, options: { inputType, ...others } }) => ({
      ...given,
      ...others,
      ...(family === 'embed-v3' && given.images !== undefined ? {} : { inputType }),
    }));
}

function codecOf(family: EmbedFamily) {
  const { embeddings } = codecFor(family);
  if (embeddings === undefined) throw new Error(`${family} makes embeddings`);
  return embeddings;
}

const sizeOf = ({ texts, images, inputs }: EmbeddingsRequest) => (texts ?? images ?? inputs ?? []).length;

describe.each(FAMILIES)('any request to %s', (family) => {
  const codec = codecOf(family);
  const bodyOf = (request: EmbeddingsRequest) => {
    const call = codec.encode(request);
    if (call.operation !== 'InvokeModel') throw new Error('embeddings are made by InvokeModel');
    return call.body;
  };

  it('that should be taken is, by Bedrock, too, and has its vectors in the forms that were asked for', () => {
    fc.assert(
      fc.property(validRequest(family), (request) => {
        const { body } = answers[family](bodyOf(request));
        const types = request.embeddingTypes;
        const { vectors } = codec.decode({ body, tokens: {} }, sizeOf(request), types);
        expect(vectors).toHaveLength(sizeOf(request));
        for (const vector of vectors) {
          if (vector instanceof ServiceError) throw vector;
          if (types === undefined) expect(vector).toHaveLength(request.dimensions ?? codec.dimensions);
          else expect(Object.keys(vector).sort()).toEqual([...types].sort());
        }
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  it('of texts of any length is taken where they may be cut, and where none is lost beyond the end that may be', () => {
    const truncate = fc.constantFrom(...TRUNCATIONS[family].slice(1));
    fc.assert(
      fc.property(fc.array(longText, { minLength: 1, maxLength: 3 }), truncate, (texts, cut) => {
        const body = bodyOf({ texts, truncate: cut });
        answers[family](body);
        for (const [index, sent] of (body['texts'] as string[]).entries()) {
          const whole = texts[index] ?? '';
          expect(cut === 'START' || cut === 'LEFT' ? whole.endsWith(sent) : whole.startsWith(sent)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  }, 120_000);

  it('that is spoilt in one place is refused before it could be sent', () => {
    const empty = { texts: undefined, images: undefined, inputs: undefined };
    const other = family === 'embed-v3' ? 'LEFT' : 'START';
    const spoilt = fc.constantFrom<Record<string, unknown>>(
      { ...empty, texts: [] },
      { ...empty, texts: [''] },
      { ...empty, texts: Array.from({ length: 97 }, () => 'a') },
      { ...empty, images: [] },
      { ...empty, images: ['https://example.com/a.png'] },
      { ...empty, images: ['data:image/tiff;base64,AAAA'] },
      { ...empty, images: Array.from({ length: family === 'embed-v3' ? 2 : 97 }, () => 'data:image/png;base64,AAAA') },
      { ...empty, inputs: [{ content: [] }] },
      empty,
      { texts: ['a'], images: ['data:image/png;base64,AAAA'] },
      { truncate: other },
      { truncate: 'end' },
      { embeddingTypes: [] },
      { embeddingTypes: ['float64'] },
      { inputType: 'query' },
      ...(family === 'embed-v3'
        ? [{ dimensions: 512 }, { dimensions: 1024 }, { ...empty, texts: ['x'.repeat(2049)], truncate: 'NONE' }]
        : [{ dimensions: 1000 }, { dimensions: 0 }, { inputType: 'image' }]),
    );
    fc.assert(
      fc.property(validRequest(family), spoilt, (request, change) => {
        try {
          bodyOf({ ...request, ...change });
        } catch (error) {
          if (error instanceof ServiceError && error.code === 'INPUT_INVALID') return;
          throw error;
        }
        throw new Error(`let through: ${JSON.stringify(change)}`);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
