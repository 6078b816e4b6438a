import { describe, expect, it } from 'vitest';
import type { EmbeddingsRequest, Truncation } from '../../../src/integrations/codec.ts';
import { MAXIMUM_IMAGE_BYTES } from '../../../src/integrations/cohere/data-uri.ts';
import { embeddingsCodec } from '../support/codecs.ts';
import { refusal } from '../support/refusal.ts';

const v3 = embeddingsCodec('embed-v3');
const v4 = embeddingsCodec('embed-v4');

const PNG = 'data:image/png;base64,iVBORw0KGgo=';
const GIF = 'data:image/gif;base64,R0lGODlh';

describe('a text of more than 2048 characters at Embed v3', () => {
  const sent = (text: string, truncate: Truncation) => {
    const call = v3.encode({ texts: [text], truncate });
    return call.operation === 'InvokeModel' ? (call.body['texts'] as string[])[0] : undefined;
  };

  it.each([
    ['END', `${'a'.repeat(2048)}`],
    ['START', `${'a'.repeat(1048)}${'b'.repeat(1000)}`],
  ] as const)('is cut where truncate is %s', (truncate, left) => {
    expect(sent(`${'a'.repeat(2048)}${'b'.repeat(1000)}`, truncate)).toBe(left);
  });

  it.each(['END', 'START'] as const)('is cut between characters, never within one: %s', (truncate) => {
    // Each of these is two UTF-16 units.
    expect(sent('😀'.repeat(2049), truncate)).toBe('😀'.repeat(2048));
    expect(sent(`x${'😀'.repeat(2048)}y`, truncate)).toHaveLength(2048 * 2 - 1);
  });

  it('is refused where nothing may be cut, and what may be done is said', () => {
    for (const truncate of ['NONE', undefined] as const) {
      expect(refusal(() => v3.encode({ texts: ['x'.repeat(2049)], truncate }))).toMatchObject({
        code: 'INPUT_INVALID',
        field: 'texts',
        message: expect.stringContaining('set truncate to END or START'),
      });
    }
  });

  it('is of no matter to Embed v4, where Bedrock cuts by tokens', () => {
    const texts = ['x'.repeat(100_000)];
    expect(v4.encode({ texts, truncate: 'LEFT' })).toMatchObject({ body: { texts, truncate: 'LEFT' } });
  });
});

describe('what is cut off', () => {
  it.each([
    [v3, 'Cohere Embed v3', ['NONE', 'START', 'END'], ['LEFT', 'RIGHT']],
    [v4, 'Cohere Embed v4', ['NONE', 'LEFT', 'RIGHT'], ['START', 'END']],
  ] as const)('is said in the words of each family: %#', (codec, name, known, others) => {
    for (const truncate of known) {
      expect(codec.encode({ texts: ['a'], truncate })).toMatchObject({ body: { truncate } });
    }
    for (const truncate of others) {
      expect(refusal(() => codec.encode({ texts: ['a'], truncate }))).toEqual({
        code: 'INPUT_INVALID',
        field: 'truncate',
        message: `truncate must be one of ${known.join(', ')} for ${name}, not "${truncate}".`,
      });
    }
  });
});

describe('an image', () => {
  it('goes to Embed v3 alone, for the one purpose that it has there', () => {
    const body = { images: [PNG], input_type: 'image', truncate: 'NONE', embedding_types: ['float'] };
    expect(v3.encode({ images: [PNG] })).toEqual({ operation: 'InvokeModel', body });
    expect(v3.encode({ images: [PNG], inputType: 'image' })).toEqual({ operation: 'InvokeModel', body });
    expect(refusal(() => v3.encode({ images: [PNG], inputType: 'search_query' }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'inputType',
      message: 'inputType of an image must be image for Cohere Embed v3, not "search_query".',
    });
    expect(refusal(() => v3.encode({ images: [PNG, PNG] }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'images',
      message: 'Cohere Embed v3 takes 1 image at once, not 2.',
    });
  });

  it('goes to Embed v4 with up to 95 others, for a purpose like that of a text', () => {
    expect(v4.encode({ images: [PNG, GIF], inputType: 'clustering', dimensions: 256 })).toEqual({
      operation: 'InvokeModel',
      body: {
        images: [PNG, GIF],
        input_type: 'clustering',
        output_dimension: 256,
        truncate: 'NONE',
        embedding_types: ['float'],
      },
    });
    expect(refusal(() => v4.encode({ images: [PNG], inputType: 'image' }))?.field).toBe('inputType');
    expect(refusal(() => v4.encode({ images: Array.from({ length: 97 }, () => PNG) }))?.message).toBe(
      'Cohere Embed v4 takes 1 to 96 images at once, not 97.',
    );
  });

  it.each([
    ['an address', 'https://images.example.com/a.png', 'The image is an address, and nothing is fetched'],
    ['a file', 'file:///etc/passwd', 'The image is an address, and nothing is fetched'],
    ['bare base64', 'iVBORw0KGgo=', 'The image is not a data URI'],
    ['a data URI of text', 'data:text/plain;base64,aGk=', 'The image is not a data URI'],
    ['one without base64', 'data:image/png,abc', 'The image is not a data URI'],
    ['an unknown type', 'data:image/bmp;base64,Qk0=', 'The image is of the type image/bmp'],
    ['a type in capitals', 'data:image/PNG;base64,iVBORw0KGgo=', 'The image is of the type image/PNG'],
    ['no data', 'data:image/png;base64,', 'The image holds no base64 data'],
    ['spaces in the data', 'data:image/png;base64,iVBO Rw0K', 'The image holds no base64 data'],
  ])('is refused as %s, and never repeated', (_, image, message) => {
    for (const codec of [v3, v4]) {
      const fault = refusal(() => codec.encode({ images: [image] }));
      expect(fault).toMatchObject({ code: 'INPUT_INVALID', field: 'images' });
      expect(fault?.message).toContain(message);
      expect(fault?.message).not.toContain('example.com');
    }
  });

  it('of a type that only Embed v4 reads is refused by v3', () => {
    expect(refusal(() => v3.encode({ images: [GIF] }))?.message).toBe(
      'The image is of the type image/gif; one of image/jpeg, image/png is taken (Cohere Embed v3).',
    );
    expect(v4.encode({ images: [GIF] })).toMatchObject({ body: { images: [GIF] } });
  });

  it('may have 5 MB, and not a byte more', () => {
    const ofBytes = (bytes: number) => `data:image/png;base64,${Buffer.alloc(bytes).toString('base64')}`;
    expect(v3.encode({ images: [ofBytes(MAXIMUM_IMAGE_BYTES)] })).toMatchObject({ operation: 'InvokeModel' });
    expect(refusal(() => v4.encode({ images: [PNG, ofBytes(MAXIMUM_IMAGE_BYTES + 1)] }))?.message).toBe(
      'Image 2 of 2 has 5242881 bytes; an image may have 5242880 (5 MB) at most (Cohere Embed v4).',
    );
  });
});

describe('texts and images that become one vector', () => {
  const inputs = [
    {
      content: [
        { type: 'text', text: 'page 1' },
        { type: 'image_url', image_url: { url: PNG } },
      ],
    },
    { content: [{ type: 'text', text: 'page 2' }] },
  ] as const;

  it('go to Embed v4 in Cohere’s own words', () => {
    expect(v4.encode({ inputs })).toEqual({
      operation: 'InvokeModel',
      body: { inputs, input_type: 'search_document', truncate: 'NONE', embedding_types: ['float'] },
    });
  });

  it('are refused by Embed v3, which names the model that takes them', () => {
    expect(refusal(() => v3.encode({ inputs }))).toEqual({
      code: 'INPUT_INVALID',
      field: 'inputs',
      message: 'Cohere Embed v3 embeds no texts and images together; cohere.embed-v4:0 does.',
    });
  });

  it.each([
    ['an input of nothing', [{ content: [] }], 'The input is empty'],
    ['an empty text', [{ content: [{ type: 'text', text: '' }] }], 'The input holds an empty text'],
    [
      'an image by its address',
      [{ content: [{ type: 'image_url', image_url: { url: 'http://a/b.png' } }] }],
      'The input: an image is an address',
    ],
    ['no input', [], 'inputs is an empty list'],
  ])('are refused with %s', (_, given, message) => {
    const request = { inputs: given } as unknown as EmbeddingsRequest;
    expect(refusal(() => v4.encode(request))).toMatchObject({ code: 'INPUT_INVALID', field: 'inputs' });
    expect(refusal(() => v4.encode(request))?.message).toContain(message);
  });
});

describe('what is embedded', () => {
  it('is given in one way only', () => {
    for (const codec of [v3, v4]) {
      expect(refusal(() => codec.encode({ texts: ['a'], images: [PNG] }))?.message).toMatch(
        /takes one of texts, images and inputs at once, not 2\.$/,
      );
      expect(refusal(() => codec.encode({}))?.message).toMatch(/not 0\.$/);
    }
  });
});
