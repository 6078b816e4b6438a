import { describe, expect, it } from 'vitest';
import type { EmbeddingsRequest } from '../../../src/integrations/codec.ts';
import { embeddingsCodec } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const v3 = embeddingsCodec('embed-v3');
const v4 = embeddingsCodec('embed-v4');

describe('a request to Embed v3', () => {
  it('says what the vectors are for, that floats are wanted and that nothing may be cut', () => {
    expect(v3.encode({ texts: ['a', 'b'] })).toEqual({
      operation: 'InvokeModel',
      body: { texts: ['a', 'b'], input_type: 'search_document', truncate: 'NONE', embedding_types: ['float'] },
    });
  });

  it('refuses dimensions, even its own, and names the family that has them', () => {
    for (const dimensions of [512, 1024]) {
      expect(refusal(() => v3.encode({ texts: ['a'], dimensions }))).toEqual({
        code: 'INPUT_INVALID',
        field: 'dimensions',
        message:
          `Cohere Embed v3 has no dimensions (given: ${dimensions}). Its vectors always have 1024 numbers; ` +
          'cohere.embed-v4:0 lets one choose 256, 512, 1024 or 1536. It knows inputType, truncate, embeddingTypes.',
      });
    }
  });

  it('takes a text of 2048 characters, an emoji being one, and names the length of a longer one', () => {
    const longest = ['x'.repeat(2048), '😀'.repeat(2048)];
    expect(v3.encode({ texts: longest })).toMatchObject({ body: { texts: longest } });
    expect(refusal(() => v3.encode({ texts: ['x'.repeat(2049)] }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'texts',
      message:
        'The text has 2049 characters; Cohere Embed v3 takes at most 2048. ' +
        'Split it, or set truncate to END or START to have the rest cut off.',
    });
    expect(refusal(() => v3.encode({ texts: ['a', '😀'.repeat(3000)] }))?.message).toMatch(
      /^Text 2 of 2 has 3000 characters; Cohere Embed v3 takes at most 2048\. Split it/,
    );
  });
});

describe('a request to Embed v4', () => {
  it('leaves the length of vectors to Bedrock where the task does not choose', () => {
    expect(v4.encode({ texts: ['a'], inputType: 'search_query' })).toEqual({
      operation: 'InvokeModel',
      body: { texts: ['a'], input_type: 'search_query', truncate: 'NONE', embedding_types: ['float'] },
    });
  });

  it.each([256, 512, 1024, 1536])('sends dimensions %d as output_dimension', (dimensions) => {
    expect(v4.encode({ texts: ['a'], dimensions })).toMatchObject({ body: { output_dimension: dimensions } });
  });

  it.each([0, 255, 257, 1000, 1537, Number.NaN])('refuses %d dimensions', (dimensions) => {
    expect(refusal(() => v4.encode({ texts: ['a'], dimensions }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'dimensions',
      message: `dimensions must be one of 256, 512, 1024, 1536 for Cohere Embed v4, not ${dimensions}.`,
    });
  });

  it('takes texts far longer than v3 does', () => {
    const texts = ['x'.repeat(100_000)];
    expect(v4.encode({ texts })).toMatchObject({ body: { texts } });
  });
});

describe.each([
  ['Embed v3', v3],
  ['Embed v4', v4],
])('a request to either: %s', (name, codec) => {
  it.each(['search_document', 'search_query', 'classification', 'clustering'] as const)('sends %s', (inputType) => {
    expect(codec.encode({ texts: ['a'], inputType })).toMatchObject({ body: { input_type: inputType } });
  });

  it('sends the types that are asked for, and refuses others, none, and one twice', () => {
    expect(codec.encode({ texts: ['a'], embeddingTypes: ['int8', 'ubinary'] })).toMatchObject({
      body: { embedding_types: ['int8', 'ubinary'] },
    });
    for (const types of [[], ['int4'], ['float', 'float'], 'float']) {
      const request = { texts: ['a'], embeddingTypes: types } as unknown as EmbeddingsRequest;
      expect(refusal(() => codec.encode(request))).toMatchObject({ code: 'INPUT_INVALID', field: 'embeddingTypes' });
    }
  });

  it('refuses an input type for which texts are not meant', () => {
    const request = { texts: ['a'], inputType: 'image' } as unknown as EmbeddingsRequest;
    expect(refusal(() => codec.encode(request))).toEqual({
      code: 'INPUT_INVALID',
      field: 'inputType',
      message: `inputType must be one of search_document, search_query, classification, clustering for Cohere ${name}, not "image".`,
    });
  });

  it('takes 1 to 96 texts', () => {
    const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);
    expect(codec.encode({ texts: texts(96) })).toMatchObject({ body: { texts: texts(96) } });
    expect(refusal(() => codec.encode({ texts: texts(97) }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'texts',
      message: `Cohere ${name} takes 1 to 96 texts at once, not 97.`,
    });
    expect(refusal(() => codec.encode({ texts: [] }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'texts',
      message: 'texts is an empty list: there is nothing to embed.',
    });
  });

  it('refuses an empty text, for which Bedrock would make up a vector', () => {
    expect(refusal(() => codec.encode({ texts: ['a', ''] }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'texts',
      message: `Text 2 of 2 is empty; Cohere ${name} needs at least one character.`,
    });
  });
});

describe.each([
  ['Embed v3', v3],
  ['Embed v4', v4],
])('an answer of %s', (_, codec) => {
  const vectors = [
    [0.25, -1],
    [0, 3e-9],
  ];

  it.each([
    ['embeddings_floats', vectors],
    ['embeddings_by_type', { float: vectors, int8: [[1, 2]] }],
  ])('is read as %s', (response_type, embeddings) => {
    const body = { id: 'a', texts: ['a', 'b'], response_type, embeddings };
    expect(codec.decode({ body, tokens: { prompt: 4 } }, 2)).toStrictEqual({ vectors, tokens: { prompt: 4 } });
  });

  it('is read by its shape where it does not say its type', () => {
    expect(codec.decode({ body: { embeddings: { float: vectors } }, tokens: {} }, 2)).toStrictEqual({
      vectors,
      tokens: {},
    });
  });

  it('is read by type where types were asked for, each text with all of its forms', () => {
    const embeddings = { float: vectors, int8: [[1], [2]], ubinary: [[3], [4]] };
    const body = { id: 'a', texts: ['a', 'b'], response_type: 'embeddings_by_type', embeddings };
    expect(codec.decode({ body, tokens: {} }, 2, ['int8', 'float'])).toStrictEqual({
      vectors: [
        { int8: [1], float: [0.25, -1] },
        { int8: [2], float: [0, 3e-9] },
      ],
      tokens: {},
    });
  });

  it('of bare vectors answers those who asked for floats alone', () => {
    expect(codec.decode({ body: { embeddings: vectors }, tokens: {} }, 2, ['float']).vectors).toEqual(
      vectors.map((float) => ({ float })),
    );
    expect(refusal(() => codec.decode({ body: { embeddings: vectors }, tokens: {} }, 2, ['int8']))).toMatchObject({
      code: 'ANSWER_INVALID',
      message: expect.stringContaining('it holds no int8 vectors'),
    });
  });

  it('that holds one type for fewer texts than another is ANSWER_INVALID', () => {
    const embeddings = { float: vectors, int8: [[1]] };
    expect(refusal(() => codec.decode({ body: { embeddings }, tokens: {} }, 2, ['float', 'int8']))?.code).toBe(
      'ANSWER_INVALID',
    );
  });

  it('without counted tokens has none: never 0, never NaN', () => {
    for (const tokens of [{}, { prompt: undefined }, { prompt: Number.NaN }]) {
      expect(codec.decode({ body: { embeddings: vectors }, tokens }, 2).tokens).toStrictEqual({});
    }
  });

  it.each([
    ['one vector too few', [[1]]],
    ['one vector too many', [[1], [2], [3]]],
    ['no float vectors', { int8: [[1], [2]] }],
    ['nothing', undefined],
  ])('is ANSWER_INVALID with %s', (_, embeddings) => {
    expect(refusal(() => codec.decode({ body: { embeddings }, tokens: {} }, 2))?.code).toBe('ANSWER_INVALID');
  });

  it.each([
    ['an empty vector', [[1], []]],
    ['an infinite number', [[1], [Number.POSITIVE_INFINITY]]],
    ['a number that is none', [[1], [Number.NaN]]],
    ['null for a number', [[1], [null]]],
    ['a text for a number', [[1], ['2']]],
    ['something else for a vector', [[1], 2]],
    ['an empty by-type vector', { float: [[1], []] }],
  ])('is ANSWER_INVALID for its text alone with %s', (_, embeddings) => {
    const { vectors: read } = codec.decode({ body: { embeddings }, tokens: {} }, 2);
    expect(read).toMatchObject([[1], { code: 'ANSWER_INVALID', message: expect.stringContaining('vector 2 of 2') }]);
  });
});
