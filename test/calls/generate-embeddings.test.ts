import { describe, expect, it } from 'vitest';
import { generateEmbeddings } from '../../src/calls/generate-embeddings.ts';
import { modelRecord } from '../../src/integrations/model.ts';
import { resolveModel } from '../../src/integrations/resolve.ts';
import { EMBED, errorOf, llmHandler, outputOf, snapshotOf, WORLD } from '../workers/support/llm.ts';

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

  it('notes inputs that nobody reads, with what may have been meant', async () => {
    const { run } = await llmHandler('embeddings', { answer });
    const outcome = await run({ model: EMBED, text: 'x', dimension: 512, _createdBy: 'alice', nothing: null });
    expect(outcome).toMatchObject({
      kind: 'complete',
      notes: ['The input "dimension" is not known and was not used. Did you mean "dimensions"?'],
    });
  });
});

describe('texts to embed that come together', () => {
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
