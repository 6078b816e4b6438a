import { describe, expect, test } from 'vitest';
import { answerEmbedV4 } from '../../../simulator/families/embed-v4.ts';
import { DEFAULT_ANSWERS } from '../../../simulator/families/family.ts';

const CONTEXT = { settings: DEFAULT_ANSWERS };
const FLOATS = { settings: { ...DEFAULT_ANSWERS, embedV4Unasked: 'floats' } } as const;
const INPUT = { input_type: 'search_query', texts: ['first text', 'second'] };
const IMAGE = 'data:image/webp;base64,iVBORw0KGgo=';

describe('Embed v4', () => {
  test('answers by type even unasked, unless set otherwise', () => {
    expect(answerEmbedV4(INPUT, CONTEXT)).toMatchObject({
      body: {
        texts: INPUT.texts,
        response_type: 'embeddings_by_type',
        embeddings: { float: [{ length: 1536 }, { length: 1536 }] },
      },
      inputTokens: 3,
    });
    expect(answerEmbedV4(INPUT, FLOATS).body).toMatchObject({
      response_type: 'embeddings_floats',
      embeddings: [{ length: 1536 }, { length: 1536 }],
    });
  });

  test.each([256, 512, 1024, 1536])('gives %i dimensions where asked for', (output_dimension) => {
    expect(answerEmbedV4({ ...INPUT, output_dimension, truncate: 'RIGHT' }, FLOATS).body).toMatchObject({
      embeddings: [{ length: output_dimension }, { length: output_dimension }],
    });
  });

  test('takes images, and inputs of several parts', () => {
    const { texts: _, ...rest } = INPUT;
    expect(answerEmbedV4({ ...rest, images: [IMAGE, IMAGE] }, FLOATS).body['embeddings']).toHaveLength(2);
    const content = [
      { type: 'text', text: 'a cat' },
      { type: 'image_url', image_url: { url: IMAGE } },
    ];
    expect(answerEmbedV4({ ...rest, inputs: [{ content }] }, FLOATS).body['embeddings']).toHaveLength(1);
  });

  test('takes a text longer than any of v3', () => {
    expect(answerEmbedV4({ ...INPUT, texts: ['word '.repeat(10_000)] }, CONTEXT).inputTokens).toBe(10_000);
  });

  test.each([
    ['no input_type', { texts: ['x'] }, '#: required key [input_type] not found'],
    ['input_type image', { ...INPUT, input_type: 'image' }, '#/input_type: image is not a valid enum value'],
    ['97 texts', { ...INPUT, texts: Array(97).fill('x') }, '#/texts: expected maximum item count: 96, found: 97'],
    ['no texts', { ...INPUT, texts: [] }, '#/texts: expected minimum item count: 1, found: 0'],
    ['nothing to embed', { input_type: 'clustering' }, '#: required key [texts] not found'],
    ['two ways at once', { ...INPUT, images: [IMAGE] }, '#: 2 subschemas matched'],
    ['truncate words of v3', { ...INPUT, truncate: 'END' }, '#/truncate: END is not a valid enum value'],
    ['other dimensions', { ...INPUT, output_dimension: 768 }, '#/output_dimension'],
    ['a key of Cohere’s own API', { ...INPUT, model: 'x' }, '#: extraneous key [model] is not permitted'],
    [
      'a part of unknown type',
      { input_type: 'clustering', inputs: [{ content: [{ type: 'audio' }] }] },
      '#/inputs/0/content/0',
    ],
    ['an image by its address', { input_type: 'clustering', images: ['https://example.com/a.png'] }, '#/images/0'],
  ])('refuses %s', (_, body, words) => {
    expect(() => answerEmbedV4(body, CONTEXT)).toThrow(`Malformed input request: ${words}`);
  });
});
