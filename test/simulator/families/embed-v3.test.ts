import { describe, expect, test } from 'vitest';
import { answerEmbedV3 } from '../../../simulator/families/embed-v3.ts';

const INPUT = { input_type: 'search_document', texts: ['first text', 'second'] };
const IMAGE = { input_type: 'image', images: ['data:image/png;base64,iVBORw0KGgo='] };

describe('Embed v3', () => {
  test('answers bare vectors unasked', () => {
    const { body, inputTokens } = answerEmbedV3(INPUT);
    expect(body).toMatchObject({ id: expect.any(String), texts: INPUT.texts, response_type: 'embeddings_floats' });
    expect((body['embeddings'] as number[][]).map((vector) => vector.length)).toEqual([1024, 1024]);
    expect(inputTokens).toBe(3);
  });

  test('answers by type where types are asked for', () => {
    const { body } = answerEmbedV3({ ...INPUT, embedding_types: ['float', 'int8', 'uint8', 'binary', 'ubinary'] });
    const embeddings = body['embeddings'] as Record<string, number[][]>;
    expect(body['response_type']).toBe('embeddings_by_type');
    expect(Object.entries(embeddings).map(([type, [vector]]) => [type, vector?.length])).toEqual([
      ['float', 1024],
      ['int8', 1024],
      ['uint8', 1024],
      ['binary', 128],
      ['ubinary', 128],
    ]);
  });

  test('takes 96 texts of 2048 characters, counted as code points, the empty one too', () => {
    const texts = [...Array(94).fill('x'.repeat(2048)), '🙂'.repeat(2048), ''];
    expect(answerEmbedV3({ ...INPUT, texts, truncate: 'END' }).body['embeddings']).toHaveLength(96);
  });

  test('takes one image alone', () => {
    expect(answerEmbedV3(IMAGE).body['embeddings']).toHaveLength(1);
  });

  test('cuts a text of over 512 tokens at the end that is named, and refuses it with NONE', () => {
    const texts = [`first ${'a '.repeat(600)} last`];
    const vector = (truncate: string) => answerEmbedV3({ ...INPUT, texts, truncate }).body['embeddings'];
    expect(vector('START')).not.toEqual(vector('END'));
    expect(answerEmbedV3({ ...INPUT, texts, truncate: 'END' }).inputTokens).toBe(512);
    expect(() => vector('NONE')).toThrow('too many tokens');
  });

  test.each([
    ['no input_type', { texts: ['x'] }, '#: required key [input_type] not found'],
    ['another input_type', { ...INPUT, input_type: 'document' }, '#/input_type: document is not a valid enum value'],
    ['97 texts', { ...INPUT, texts: Array(97).fill('x') }, '#/texts: expected maximum item count: 96, found: 97'],
    [
      '2049 characters',
      { ...INPUT, texts: ['x', 'y'.repeat(2049)] },
      '#/texts/1: expected maxLength: 2048, actual: 2049',
    ],
    ['no texts', { ...INPUT, texts: [] }, '#: required key [images] not found#: required key [texts] not found'],
    ['neither texts nor images', { input_type: 'clustering' }, '#: required key [images] not found'],
    ['a truncate word of v4', { ...INPUT, truncate: 'RIGHT' }, '#/truncate: RIGHT is not a valid enum value'],
    ['output_dimension', { ...INPUT, output_dimension: 256 }, '#: extraneous key [output_dimension] is not permitted'],
    ['inputs of v4', { ...INPUT, inputs: [] }, '#: extraneous key [inputs] is not permitted'],
    [
      'an unknown embedding type',
      { ...INPUT, embedding_types: ['float16'] },
      '#/embedding_types/0: float16 is not a valid enum value',
    ],
    ['a text that is none', { ...INPUT, texts: [null] }, '#/texts/0: expected type: String, found: Null'],
    [
      'two images',
      { ...IMAGE, images: [...IMAGE.images, ...IMAGE.images] },
      '#/images: expected maximum item count: 1, found: 2',
    ],
    ['an image by its address', { ...IMAGE, images: ['https://example.com/a.png'] }, '#/images/0'],
    ['an image of another format', { ...IMAGE, images: ['data:image/gif;base64,AAAA'] }, '#/images/0'],
    ['an image over 5 MB', { ...IMAGE, images: [`data:image/png;base64,${'A'.repeat(7_100_000)}`] }, '#/images/0'],
    ['images and texts', { ...IMAGE, texts: ['x'] }, '#: 2 subschemas matched'],
    ['texts as images', { ...INPUT, input_type: 'image' }, '#/input_type'],
    ['images as documents', { ...IMAGE, input_type: 'search_document' }, '#/input_type'],
  ])('refuses %s', (_, body, words) => {
    expect(() => answerEmbedV3(body)).toThrow(`Malformed input request: ${words}`);
  });
});
