import { describe, expect, it } from 'vitest';
import { EMBED, errorOf, llmHandler, outputOf } from '../support/llm.ts';

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
