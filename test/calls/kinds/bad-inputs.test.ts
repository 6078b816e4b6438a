/** What somebody reads who mistypes an input: the place, what may stand there, and what to do. */
import { describe, expect, it } from 'vitest';
import { COMMAND, COMMAND_R, EMBED, errorOf, llmHandler, WORLD } from '../../workers/support/llm.ts';

const EMBED_V3 = 'cohere.embed-english-v3';
const RERANK = 'cohere.rerank-v3-5:0';
const NOVA = 'amazon.nova-lite-v1:0';
const world = {
  ...WORLD,
  models: {
    ...WORLD.models,
    [`prod:${EMBED_V3}`]: {},
    [`prod:${RERANK}`]: {},
    [`prod:${NOVA}`]: {},
    'prod:drifted': { configuration: { modelId: NOVA, defaults: { topK: 5 } } },
  },
};
const PNG = 'data:image/png;base64,iVBORw0KGgo=';
const HI = [{ role: 'user', message: 'Hi' }];

type Bad = readonly [input: Record<string, unknown>, field: string, message: string];

async function failure(type: 'text' | 'chat' | 'embeddings' | 'rerank', input: Record<string, unknown>) {
  const { run, sent } = await llmHandler(type, { world });
  const outcome = await run(input);
  expect(sent).toEqual([]);
  const { code, field, message } = errorOf(outcome);
  return { code, field, message, notes: 'notes' in outcome ? outcome.notes : undefined };
}

describe('a text task', () => {
  it.each<Bad>([
    [{ prompt: ['a'] }, 'prompt', 'Input: prompt: must be a string, not an array'],
    [{ prompt: '  ' }, 'prompt', 'The prompt is blank; Cohere Command R needs a text to complete.'],
    [{ prompt: '\n', model: NOVA }, 'prompt', 'The prompt is blank; Bedrock Converse needs a text to complete.'],
    [{ prompt: 'a', temperature: '0,5' }, 'temperature', 'Input: temperature: must be a number, such as 1 or 0.5'],
    [{ prompt: 'a', temperature: true }, 'temperature', 'Input: temperature: must be a number, such as 1 or 0.5'],
    [{ prompt: 'a', topP: 1 }, 'topP', 'topP must be a number from 0.01 to 0.99 for Cohere Command R, not 1.'],
    [
      { prompt: 'a', seed: 7, model: COMMAND },
      'seed',
      'Cohere Command has no seed (given: 7). It knows maxTokens, temperature, topP, topK, stopWords, maxResults.',
    ],
    [{ prompt: 'a', stopWords: { a: 1 } }, 'stopWords', 'Input: stopWords: must be a text or a list of texts'],
    [{ prompt: 'a', jsonOutput: 'yes' }, 'jsonOutput', 'Input: jsonOutput: must be true or false'],
    [{ promptName: 'summarize', promptVersion: 0 }, 'promptVersion', 'Input: promptVersion: must be at least 1'],
    [{ promptName: 'summarize', promptVersion: 1.5 }, 'promptVersion', 'Input: promptVersion: must be a whole number'],
    [
      { promptName: 'summarize', promptVariables: 'text=a' },
      'promptVariables',
      'Input: promptVariables: must be an object, not a string',
    ],
    [{ promptName: '' }, 'promptName', 'Input: promptName: is empty'],
  ])('with %j is told about %s', async (input, field, message) => {
    expect(await failure('text', input)).toMatchObject({ code: 'INPUT_INVALID', field, message });
  });

  it.each([
    ['promt', 'The input "promt" is not known and was not used. Did you mean "prompt"?'],
    ['messages', 'The input "messages" is not known and was not used. It is one of LLM_CHAT_COMPLETE.'],
    ['query', 'The input "query" is not known and was not used. It is one of LLM_RERANK.'],
  ])('that misses its prompt and has %s instead is told so, in its log, too', async (name, note) => {
    expect(await failure('text', { [name]: 'Hi' })).toMatchObject({
      field: 'promptName',
      message: `Input promptName: missing; give the name of a prompt, or literal text in prompt. ${note}`,
      notes: [note],
    });
  });

  it('that is wrong in what it gives is told of other slips in its log alone', async () => {
    expect(await failure('text', { prompt: 'Hi', temperature: 7, max_tokens: 5 })).toMatchObject({
      message: 'temperature must be a number from 0 to 1 for Cohere Command R, not 7.',
      notes: ['The input "max_tokens" is not known and was not used. Did you mean "maxTokens"?'],
    });
  });

  it('that misses its prompt is told three slips at most, and none that would break a line', async () => {
    const { message, notes } = await failure('text', { 'a\nb': 1, b1: 1, b2: 1, b3: 1, b4: 1 });
    expect(message).not.toContain('\n');
    expect(message.match(/is not known/g)).toHaveLength(3);
    expect(notes).toHaveLength(5);
  });

  it('is told that the model’s record is at fault where a default of it is', async () => {
    expect(await failure('text', { prompt: 'a', model: 'drifted' })).toMatchObject({
      code: 'RECORD_INVALID',
      field: 'configuration.defaults.topK',
      message: expect.stringMatching(
        /^The record of prod:drifted, configuration\.defaults: Bedrock Converse has no topK/,
      ),
    });
  });

  it('is told what a model that completes no text is for', async () => {
    expect(await failure('text', { prompt: 'a', model: EMBED })).toMatchObject({
      code: 'MODEL_UNFIT',
      field: 'model',
      message:
        `Input model: prod:${EMBED} (family embed-v4) cannot complete text: that family is for LLM_GENERATE_EMBEDDINGS. ` +
        'If it is of another family, configuration.family of its record must say so',
    });
  });
});

describe('a named prompt that comes to a blank text', () => {
  const told = (field: string) => ({
    code: 'INPUT_INVALID',
    field,
    message: `Input ${field}: the prompt "summarize" comes to a blank text; look at its template and at promptVariables`,
  });
  const blank = {
    ...world,
    prompts: { summarize: { template: ' ${text} ', integrations: [`prod:${COMMAND_R}`] } },
  };

  it('is refused as such, in text and in chat', async () => {
    const given = { promptVariables: { text: '\n' } };
    const text = await llmHandler('text', { world: blank });
    expect(errorOf(await text.run({ promptName: 'summarize', ...given }))).toMatchObject(told('promptName'));
    const chat = await llmHandler('chat', { world: blank });
    const said = errorOf(await chat.run({ instructions: 'summarize', userInput: 'Hi', ...given }));
    expect(said).toMatchObject(told('instructions'));
  });
});

describe('an embeddings task', () => {
  it.each<Bad>([
    [{ text: ['a'] }, 'text', 'Input: text: must be a string; a list of them goes in texts'],
    [{ text: 7 }, 'text', 'Input: text: must be a string, not a number'],
    [{ texts: 'a' }, 'texts', 'Input: texts: must be an array; a single text goes in text'],
    [{ texts: ['a', null] }, 'texts.1', 'Input: texts.1: must be a string, not null'],
    [{ texts: ['a', ''] }, 'texts.1', 'Input: texts.1: is empty: there is nothing to embed'],
    [{ texts: [] }, 'texts', 'Input: texts: is an empty list: there is nothing to embed'],
    [{ text: 'a', texts: ['b'] }, 'texts', 'Input: text and texts cannot be given together'],
    [
      { text: 'a', truncate: 'end' },
      'truncate',
      'Input: truncate: must be one of NONE, START, END, LEFT, RIGHT. Did you mean "END"?',
    ],
    [
      { text: 'a', truncate: 'LEFT', model: EMBED_V3 },
      'truncate',
      'truncate must be one of NONE, START, END for Cohere Embed v3, not "LEFT".',
    ],
    [
      { text: 'a', inputType: 'search-query' },
      'inputType',
      'Input: inputType: must be one of search_document, search_query, classification, clustering, image. ' +
        'Did you mean "search_query"?',
    ],
    [
      { text: 'a', embeddingTypes: ['int8', 'bin'] },
      'embeddingTypes',
      'Input: embeddingTypes: must be one or a list of float, int8, uint8, binary, ubinary',
    ],
    [{ inputs: ['a'] }, 'inputs.0', 'Input: inputs.0: must be an object, not a string'],
    [
      { inputs: [{ content: [{ type: 'text', txt: 'a' }] }] },
      'inputs.0.content.0.text',
      'Input: inputs.0.content.0.text: missing (expected string); ' +
        'inputs.0.content.0.txt: unknown key. Did you mean "text"?',
    ],
    [
      { images: [PNG], inputType: 'search_query', model: EMBED_V3 },
      'inputType',
      'inputType of an image must be image for Cohere Embed v3, not "search_query".',
    ],
  ])('with %j is told about %s', async (input, field, message) => {
    expect(await failure('embeddings', { model: EMBED, ...input })).toMatchObject({
      code: 'INPUT_INVALID',
      field,
      message,
    });
  });
});

describe('many faults', () => {
  it('are told by the first five, and how many more there are', async () => {
    const { message, field } = await failure('embeddings', { model: EMBED, texts: Array(10_000).fill(7) });
    expect(message).toMatch(/^Input: texts\.0: must be a string, not a number; .*texts\.4: [^;]*; and 9995 more$/);
    expect(field).toBe('texts.0');
  });

  it('and long keys are cut, and break no line', async () => {
    const key = `a\nb${'x'.repeat(100_000)}`;
    const { message, field } = await failure('chat', { model: NOVA, messages: [{ ...HI[0], [key]: 1 }] });
    expect(message).toMatch(/^Input: messages\.0\.a\\x0abx+$/);
    expect([message.length < 400, (field ?? '').length <= 300]).toEqual([true, true]);
  });
});

describe('a chat task', () => {
  it.each<Bad>([
    [{ messages: 'Hi' }, 'messages', 'Input: messages: must be an array; a single text of the user goes in userInput'],
    [{ messages: HI[0] }, 'messages', 'Input: messages: must be an array, not an object'],
    [
      { messages: [{ role: 'user', content: 'Hi' }] },
      'messages.0.content',
      'Input: messages.0.content: unknown key. There are role, message, media, mimeType, toolCalls.',
    ],
    [
      { messages: [{ role: 'Assistant', message: 'Hi' }] },
      'messages.0.role',
      'Input: messages.0.role: must be one of user, human, assistant, system, tool_call, tool. Did you mean "assistant"?',
    ],
    [
      { messages: [{ role: 'system', message: 'Hi' }] },
      'messages',
      'Input messages: nobody says anything but the system; give a message of the role user, too',
    ],
    [{ userInput: ' ' }, 'userInput', 'Input userInput: is blank; give a text to answer'],
    [
      { messages: HI, tools: [{ name: 'a', parameters: {} }] },
      'tools.0.parameters',
      'Input: tools.0.parameters: unknown key. There are name, description, inputSchema, type, integrationNames, ' +
        'configParams, outputSchema, selfDescribing.',
    ],
    [{ messages: HI, documents: [''], model: COMMAND_R }, 'documents.0', 'Input: documents.0: is empty'],
    [
      { messages: HI, documents: [{ title: '' }], model: COMMAND_R },
      'documents.0',
      'Input: documents.0: has no text to answer from',
    ],
    [
      { messages: HI, documents: [{ id: 5 }], model: COMMAND_R },
      'documents.0.id',
      'Input: documents.0.id: must be a string, not a number',
    ],
    [
      { prompt: 'Hi' },
      'messages',
      'Input messages: missing; give messages of {role, message}, or a text in userInput. ' +
        'The input "prompt" is not known and was not used. It is one of LLM_TEXT_COMPLETE.',
    ],
  ])('with %j is told about %s', async (input, field, message) => {
    expect(await failure('chat', { model: NOVA, ...input })).toMatchObject({ code: 'INPUT_INVALID', field, message });
  });
});

describe('a rerank task', () => {
  it.each<Bad>([
    [{ query: 'q', documents: 'a' }, 'documents', 'Input: documents: must be an array, not a string'],
    [{ query: 'q', documents: ['a', null] }, 'documents.1', 'Input: documents.1: must be a text or an object'],
    [
      { query: 'q', documents: [{ a: 1 }], rankFields: 'b' },
      'documents.0',
      'Input: documents.0 has none of the fields b to rank by',
    ],
    [{ query: 'q', documents: ['a'], topN: 'all' }, 'topN', 'Input: topN: must be a number, such as 1 or 0.5'],
    [
      { text: 'q', documents: ['a'] },
      'query',
      'Input: query: missing (expected string). ' +
        'The input "text" is not known and was not used. It is one of LLM_GENERATE_EMBEDDINGS.',
    ],
  ])('with %j is told about %s', async (input, field, message) => {
    expect(await failure('rerank', { model: RERANK, ...input })).toMatchObject({
      code: 'INPUT_INVALID',
      field,
      message,
    });
  });
});
