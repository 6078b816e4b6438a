/** Whatever a codec lets through, the simulator takes, which is written from AWS's documents and knows no codec. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerEmbedV3 } from '../../../simulator/families/embed-v3.ts';
import { answerEmbedV4 } from '../../../simulator/families/embed-v4.ts';
import { DEFAULT_ANSWERS } from '../../../simulator/families/family.ts';
import { ServiceError } from '../../../src/errors.ts';
import { EMBEDDING_TYPES, type EmbeddingsRequest } from '../../../src/integrations/codec.ts';
import { bodyOf, embeddingsCodec } from '../support/codecs.ts';
import { fieldRefused } from '../support/refusal.ts';

const RUNS = 2_000;

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

/** A request with one thing wrong in it. `word`: Bedrock's own for the parameter that is, where Bedrock refuses its value, too. */
interface Spoilt {
  readonly change: Record<string, unknown>;
  readonly field: string;
  readonly word?: string;
}

/** An input type goes with what is embedded: an image of Embed v3 has its own. */
const NOTHING = { texts: undefined, images: undefined, inputs: undefined, inputType: undefined };
const PNG = 'data:image/png;base64,AAAA';

/** One that is wrong, somewhere among others that are right. */
const among = <T>(wrong: fc.Arbitrary<T>, right: fc.Arbitrary<T>, most = 20) =>
  fc
    .record({ wrong, others: fc.array(right, { maxLength: most }), at: fc.nat() })
    .map(({ wrong: one, others, at }) => others.toSpliced(at % (others.length + 1), 0, one));

function wrongImage(family: EmbedFamily): fc.Arbitrary<string> {
  const types = ['tiff', 'bmp', 'svg+xml', 'PNG', 'jpg', ...(family === 'embed-v3' ? ['webp', 'gif'] : [])];
  return fc.oneof(
    fc.constantFrom(...types).map((type) => `data:image/${type};base64,AAAA`),
    fc.webUrl(),
    fc.string().filter((one) => !one.startsWith('data:image/')),
    // No base64: another character, or nothing.
    fc.stringMatching(/^[A-Za-z]{0,8}[ .,_-][A-Za-z]{0,8}$/).map((data) => `data:image/png;base64,${data}`),
    fc.constant('data:image/png;base64,'),
    fc.stringMatching(/^[a-z]{1,5}$/).map((data) => `data:text/plain;base64,${data}`),
  );
}

function spoilt(family: EmbedFamily): fc.Arbitrary<Spoilt> {
  const isV3 = family === 'embed-v3';
  const choice = (field: string, word: string, known: readonly unknown[], values: fc.Arbitrary<unknown>) =>
    values
      .filter((value) => !known.includes(value))
      .map((value): Spoilt => ({ change: { [field]: value }, field, word }));
  const content = (field: 'texts' | 'images' | 'inputs', pieces: fc.Arbitrary<unknown>) =>
    pieces.map((value): Spoilt => ({ change: { ...NOTHING, [field]: value }, field }));
  const words = [...TRUNCATIONS['embed-v3'], ...TRUNCATIONS['embed-v4']] as const;
  const spoilType = fc.oneof(
    fc.constant([]),
    fc.constantFrom(...EMBEDDING_TYPES).map((type) => [type, type]),
    among<string>(
      fc.string().filter((type) => !(EMBEDDING_TYPES as readonly string[]).includes(type)),
      fc.constant('float'),
      1,
    ),
  );
  const textParts = text.map((one) => ({ type: 'text' as const, text: one }));
  const wrongPart = fc.oneof(
    fc.constant({ type: 'text' as const, text: '' }),
    wrongImage(family).map((url) => ({ type: 'image_url' as const, image_url: { url } })),
  );
  const input = fc.array(textParts, { minLength: 1, maxLength: 2 }).map((parts) => ({ content: parts as object[] }));
  const wrongInput = fc.oneof(
    fc.constant({ content: [] as object[] }),
    among<object>(wrongPart, textParts, 3).map((parts) => ({ content: parts })),
  );
  const tooMany = fc.integer({ min: 97, max: 120 });
  return fc.oneof(
    choice(
      'truncate',
      'truncate',
      TRUNCATIONS[family],
      fc.oneof(fc.string(), fc.constantFrom<unknown>(...words, 'end', 1, true)),
    ),
    choice(
      'inputType',
      'input_type',
      TEXT_TYPES,
      fc.oneof(fc.string(), fc.constantFrom<unknown>('query', 'image', 'SEARCH_QUERY', 5)),
    ),
    // Types twice are refused here alone.
    spoilType.map((value): Spoilt => ({ change: { embeddingTypes: value }, field: 'embeddingTypes' })),
    isV3
      ? fc.oneof(fc.integer(), fc.constantFrom(256, 512, 1024, 1536)).map(
          (value): Spoilt => ({
            change: { dimensions: value },
            field: 'dimensions',
            word: 'output_dimension',
          }),
        )
      : choice(
          'dimensions',
          'output_dimension',
          [256, 512, 1024, 1536],
          fc.oneof(
            fc.integer({ min: -1, max: 2000 }),
            fc.constantFrom(0, 128, 255, 257, 384, 768, 2048),
            fc.constantFrom<unknown>('512', 0.5),
          ),
        ),
    content('texts', fc.constant([])),
    content('texts', among(fc.constant(''), text)),
    content(
      'texts',
      tooMany.map((count) => Array(count).fill('a')),
    ),
    content('images', fc.constant([])),
    content('images', among(wrongImage(family), image(family), isV3 ? 0 : 20)),
    content(
      'images',
      isV3
        ? fc.constantFrom(2, 3, 96, 97).map((count) => Array(count).fill(PNG))
        : tooMany.map((count) => Array(count).fill(PNG)),
    ),
    content('inputs', isV3 ? fc.array(input, { minLength: 1, maxLength: 3 }) : among(wrongInput, input, 5)),
    content(
      'inputs',
      tooMany.map((count) => Array(count).fill({ content: [{ type: 'text', text: 'a' }] })),
    ),
    fc.constant({ change: NOTHING, field: 'texts' }),
    fc.constant({ change: { ...NOTHING, texts: ['a'], images: [PNG] }, field: 'texts' }),
    ...(isV3
      ? [
          among(
            longText.filter((one) => [...one].length > 2048),
            text,
            5,
          ).map(
            (texts): Spoilt => ({
              change: { ...NOTHING, texts, truncate: 'NONE' },
              field: 'texts',
            }),
          ),
        ]
      : []),
  );
}

const sizeOf = ({ texts, images, inputs }: EmbeddingsRequest) => (texts ?? images ?? inputs ?? []).length;

describe.each(FAMILIES)('any request to %s', (family) => {
  const codec = embeddingsCodec(family);
  const encoded = (request: EmbeddingsRequest) => bodyOf(codec.encode(request));

  it('that should be taken is, by Bedrock, too, and has its vectors in the forms that were asked for', () => {
    fc.assert(
      fc.property(validRequest(family), (request) => {
        const { body } = answers[family](encoded(request));
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
        const body = encoded({ texts, truncate: cut });
        answers[family](body);
        for (const [index, sent] of (body['texts'] as string[]).entries()) {
          const whole = texts[index] ?? '';
          expect(cut === 'START' || cut === 'LEFT' ? whole.endsWith(sent) : whole.startsWith(sent)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  }, 120_000);

  it('that is spoilt in one place is refused before it could be sent, and by Bedrock, too, where its own words are', () => {
    fc.assert(
      fc.property(validRequest(family), spoilt(family), (request, { change, field, word }) => {
        const base = field === 'inputType' ? { ...request, ...NOTHING, texts: ['a'] } : request;
        expect(fieldRefused(() => codec.encode({ ...base, ...change }))).toBe(field);
        if (word === undefined) return;
        const body = { ...encoded({ ...base, [field]: undefined }), [word]: change[field] };
        expect(() => answers[family](body)).toThrow(/Malformed input request/);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
