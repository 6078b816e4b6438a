import { describe, expect, it } from 'vitest';
import { generateEmbeddings } from '../../../src/calls/kinds/generate-embeddings.ts';
import { modelRecord } from '../../../src/integrations/model.ts';
import { resolveModel } from '../../../src/integrations/resolve.ts';
import { EMBED, errorOf, llmHandler, outputOf, type Sent, snapshotOf, WORLD } from '../../workers/support/llm.ts';

const VECTOR = [0.25, -1, 3];
const answer = () => ({ body: { embeddings: { float: [VECTOR] } }, tokens: { prompt: 3 } });

describe('an embeddings task', () => {
  it('puts out the one vector, and the tokens that Bedrock counted', async () => {
    const { run } = await llmHandler('embeddings', { answer });
    expect(outputOf(await run({ model: EMBED, text: 'hello' }))).toEqual({
      result: VECTOR,
      promptTokens: 3,
      tokenUsed: 3,
    });
  });

  it('sends the text as a document, or as what the task says', async () => {
    const { run, sent } = await llmHandler('embeddings', { answer });
    await run({ model: EMBED, text: 'hello' });
    await run({ model: EMBED, text: 'hello', inputType: 'search_query', dimensions: '512' });
    expect(sent[0]).toMatchObject({ modelId: EMBED, body: { texts: ['hello'], input_type: 'search_document' } });
    expect(sent[1]?.body).toMatchObject({ input_type: 'search_query', output_dimension: 512 });
  });

  it('renders nothing in its text', async () => {
    const { run, sent } = await llmHandler('embeddings', { answer });
    await run({ model: EMBED, text: '${text} $&' });
    expect(sent[0]?.body['texts']).toEqual(['${text} $&']);
  });

  it('fails, retryably, where the answer holds another number of vectors', async () => {
    const { run } = await llmHandler('embeddings', {
      answer: () => ({ body: { embeddings: { float: [VECTOR, VECTOR] } }, tokens: {} }),
    });
    expect(errorOf(await run({ model: EMBED, text: 'x' }))).toMatchObject({ code: 'ANSWER_INVALID', retryable: true });
  });

  it('notes texts of white space alone, which Bedrock makes up a vector for', async () => {
    const { run } = await llmHandler('embeddings', {
      answer: () => ({ body: { embeddings: { float: [VECTOR, VECTOR, VECTOR] } }, tokens: {} }),
    });
    expect(await run({ model: EMBED, texts: ['a', ' ', '\n\t'] })).toMatchObject({
      kind: 'complete',
      notes: ['2 of 3 texts are blank: their vectors mean nothing.'],
    });
  });

  it('notes inputs that nobody reads, with what may have been meant', async () => {
    const { run } = await llmHandler('embeddings', { answer });
    const outcome = await run({ model: EMBED, text: 'x', dimension: 512, _createdBy: 'alice', nothing: null });
    expect(outcome).toMatchObject({
      kind: 'complete',
      notes: ['The input "dimension" is not known and was not used. Did you mean "dimensions"?'],
    });
  });
});

describe('what an embeddings task embeds', () => {
  const PNG = 'data:image/png;base64,iVBORw0KGgo=';
  const V3 = 'cohere.embed-english-v3';
  const world = {
    ...WORLD,
    models: {
      ...WORLD.models,
      [`prod:${V3}`]: { configuration: { defaults: { inputType: 'search_query', truncate: 'END' } } },
      'prod:whole': { configuration: { modelId: V3 } },
    },
  };
  /** A vector for each that is sent, in every form that is asked for. */
  const answerAll = ({ body }: Sent) => {
    const pieces = (body['texts'] ?? body['images'] ?? body['inputs']) as unknown[];
    const types = body['embedding_types'] as string[];
    const embeddings = Object.fromEntries(types.map((type) => [type, pieces.map((_, index) => [index + 1])]));
    return { body: { embeddings }, tokens: { prompt: 10 * pieces.length } };
  };
  const handler = () => llmHandler('embeddings', { world, answer: answerAll });

  it('is one text, with one vector, or a list of texts, with a list of vectors', async () => {
    const { run, sent } = await handler();
    expect(outputOf(await run({ model: EMBED, text: 'a' }))['result']).toEqual([1]);
    expect(outputOf(await run({ model: EMBED, texts: ['a'] }))['result']).toEqual([[1]]);
    expect(outputOf(await run({ model: EMBED, texts: ['a', 'b'] }))).toEqual({
      result: [[1], [2]],
      promptTokens: 20,
      tokenUsed: 20,
    });
    expect(sent.map(({ body }) => body['texts'])).toEqual([['a'], ['a'], ['a', 'b']]);
  });

  it('is given by type, for each text, where types are asked for', async () => {
    const { run, sent } = await handler();
    const one = outputOf(await run({ model: EMBED, text: 'a', embeddingTypes: 'int8' }));
    expect(one['result']).toEqual({ int8: [1] });
    const two = outputOf(await run({ model: EMBED, texts: ['a', 'b'], embeddingTypes: ['float', 'ubinary', 'float'] }));
    expect(two['result']).toEqual([
      { float: [1], ubinary: [1] },
      { float: [2], ubinary: [2] },
    ]);
    expect(sent.map(({ body }) => body['embedding_types'])).toEqual([['int8'], ['float', 'ubinary']]);
  });

  it('may be images, and mixes of texts and images, each with a vector', async () => {
    const { run, sent } = await handler();
    expect(outputOf(await run({ model: EMBED, images: [PNG, PNG] }))['result']).toEqual([[1], [2]]);
    const content = [
      { type: 'text', text: 'page 1' },
      { type: 'image_url', image_url: PNG },
    ];
    expect(outputOf(await run({ model: EMBED, inputs: [{ content }] }))['result']).toEqual([[1]]);
    expect(sent[0]?.body).toMatchObject({ images: [PNG, PNG], input_type: 'search_document' });
    const sentContent = [content[0], { type: 'image_url', image_url: { url: PNG } }];
    expect(sent[1]?.body['inputs']).toEqual([{ content: sentContent }]);
  });

  it('is an image at Embed v3 whatever its model’s default says of texts, but not what the task says', async () => {
    const { run, sent } = await handler();
    await run({ model: V3, images: [PNG], inputType: null });
    expect(sent[0]?.body).toMatchObject({ images: [PNG], input_type: 'image' });
    await run({ model: V3, text: 'a' });
    expect(sent[1]?.body).toMatchObject({ texts: ['a'], input_type: 'search_query', truncate: 'END' });
    expect(errorOf(await run({ model: V3, images: [PNG], inputType: 'search_query' }))).toMatchObject({
      code: 'INPUT_INVALID',
      field: 'inputType',
    });
  });

  it('is cut where truncation is asked for, and the task’s log says so', async () => {
    const { run, sent } = await handler();
    const long = `${'a'.repeat(2048)}bbb`;
    const outcome = await run({ model: V3, texts: [long, 'short'] });
    expect(sent[0]?.body['texts']).toEqual(['a'.repeat(2048), 'short']);
    expect(outcome).toMatchObject({
      notes: ['1 of 2 texts had more characters than the model takes and were cut, as truncate says.'],
    });
    expect(errorOf(await run({ model: 'whole', text: long }))).toMatchObject({ code: 'INPUT_INVALID', field: 'text' });
    expect(errorOf(await run({ model: 'whole', texts: ['a', long] })).message).toMatch(/^Text 2 of 2 has 2051/);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['nothing', {}, 'text'],
    ['nothing but null', { text: null, texts: null }, 'text'],
    ['an empty text', { text: '' }, 'text'],
    ['an empty list', { texts: [] }, 'texts'],
    ['an empty text among others', { texts: ['a', ''] }, 'texts.1'],
    ['a list that is none', { texts: 'a' }, 'texts'],
    ['no images', { images: [] }, 'images'],
    ['two ways at once', { text: 'a', texts: ['b'] }, 'texts'],
    ['texts and images beside each other', { texts: ['a'], images: [PNG] }, 'images'],
    ['dimensions on v3', { model: 'whole', text: 'a', dimensions: 1024 }, 'dimensions'],
    ['LEFT on v3', { model: 'whole', text: 'a', truncate: 'LEFT' }, 'truncate'],
    ['START on v4', { text: 'a', truncate: 'START' }, 'truncate'],
    ['an unknown type', { text: 'a', embeddingTypes: ['int4'] }, 'embeddingTypes'],
    ['no types', { text: 'a', embeddingTypes: [] }, 'embeddingTypes'],
    ['an image’s purpose for a text', { model: 'whole', text: 'a', inputType: 'image' }, 'inputType'],
    ['two images at v3', { model: 'whole', images: [PNG, PNG] }, 'images'],
    ['a part of a kind that is none', { inputs: [{ content: [{ type: 'sound' }] }] }, 'inputs.0.content.0.type'],
    ['more than an output can hold', { texts: Array.from({ length: 10_000 }, () => 'a') }, 'texts'],
  ])('is refused before any call: %s', async (_, input, field) => {
    const { run, sent } = await handler();
    const error = errorOf(await run({ model: EMBED, ...input }));
    expect([error.code, error.field]).toEqual(['INPUT_INVALID', field]);
    expect(sent).toEqual([]);
  });
});

describe('texts to embed that come together', () => {
  it('share no request where they are to be cut differently, or given in other forms', async () => {
    const { run, sent } = await llmHandler('embeddings', {
      answer: ({ body }) => {
        const texts = body['texts'] as string[];
        const types = body['embedding_types'] as string[];
        return {
          body: { embeddings: Object.fromEntries(types.map((type) => [type, texts.map(() => VECTOR)])) },
          tokens: {},
        };
      },
    });
    const embed = (text: string, more: Record<string, unknown> = {}) =>
      run({ model: EMBED, text, ...more }, { taskId: text });
    const outcomes = await Promise.all([
      embed('plain'),
      embed('cut', { truncate: 'RIGHT' }),
      embed('small', { embeddingTypes: ['int8'] }),
      embed('also small', { embeddingTypes: 'int8' }),
      embed('also cut', { truncate: 'RIGHT' }),
    ]);
    expect(outcomes.map((outcome) => outputOf(outcome)['result'])).toEqual([
      VECTOR,
      VECTOR,
      { int8: VECTOR },
      { int8: VECTOR },
      VECTOR,
    ]);
    expect(sent.map(({ body }) => body['texts'])).toEqual([['plain'], ['cut', 'also cut'], ['small', 'also small']]);
  });

  it('share a request where all that it says is the same, and none with those that want another', async () => {
    const { integrations, models, grants } = WORLD;
    const { run, sent } = await llmHandler('embeddings', {
      world: {
        ...WORLD,
        integrations: { ...integrations, twin: integrations.prod },
        models: {
          ...models,
          [`twin:${EMBED}`]: {},
          // Another name for the same id: one lane.
          'prod:alias': { configuration: { modelId: EMBED, family: 'embed-v4' } },
        },
        grants: { 'USER:app:claims': { ...grants['USER:app:claims'], 'INTEGRATION_PROVIDER:twin': 'EXECUTE' } },
      },
      answer: ({ body }) => ({
        body: { embeddings: { float: (body['texts'] as string[]).map(() => VECTOR) } },
        tokens: { prompt: 3 },
      }),
    });
    const embed = (text: string, more: Record<string, unknown> = {}) =>
      run({ model: EMBED, text, ...more }, { taskId: text });
    const outcomes = await Promise.all([
      embed('plain'),
      embed('query', { inputType: 'search_query' }),
      embed('short', { dimensions: 512 }),
      embed('alias', { model: 'alias' }),
      embed('twin', { llmProvider: 'twin' }),
      embed('also plain'),
      embed('also short', { dimensions: '512' }),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(7).fill('complete'));
    expect(sent.map(({ body }) => body['texts']).sort()).toEqual([
      ['alias'],
      ['plain', 'also plain'],
      ['query'],
      ['short', 'also short'],
      ['twin'],
    ]);
  });

  it('have a key of their integration, too, whichever lane they wait in', async () => {
    const snapshot = await snapshotOf(WORLD);
    const permission = { require: () => undefined, hint: () => '' };
    const keyOf = (integration: string) => {
      const model = resolveModel({
        ...{ integration, model: EMBED, configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' } },
        record: modelRecord.parse({}),
      });
      const input = { llmProvider: integration, model: EMBED, text: 'x' };
      return generateEmbeddings.plan({ input, model, snapshot, permission }).shared?.key;
    };
    expect(keyOf('prod')).toBe(keyOf('prod'));
    expect(keyOf('prod')).not.toBe(keyOf('twin'));
  });
});
