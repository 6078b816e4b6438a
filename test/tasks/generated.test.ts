import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelsDocument } from '../../scripts/generate/models.ts';
import { schemaFiles } from '../../scripts/generate/schemas.ts';
import { TASK_SCHEMAS } from '../../src/calls/inputs/task-schemas.ts';
import { TASK_TYPES, type TaskType } from '../../src/config.ts';
import { parseValue } from '../../src/parsing.ts';
import { blocksOf, DOCUMENTS, ROOT, readDocument } from '../docs/markdown.ts';
import { COMMAND_R, EMBED, llmHandler, outputOf, type Sent, WORLD } from '../workers/support/llm.ts';

const STALE = 'stale: run `npm run generate`';
const ajv = new Ajv2020({ strict: true, strictRequired: false });
const definitions = new Map([...schemaFiles()].map(([file, text]) => [file, JSON.parse(text)]));

const compiled = new Map<string, ValidateFunction>();
function validator(type: TaskType, direction: 'input' | 'output'): ValidateFunction {
  const file = `${type.toLowerCase()}_${direction}.json`;
  const known = compiled.get(file) ?? ajv.compile(definitions.get(file).data);
  compiled.set(file, known);
  return known;
}

describe('what is generated', () => {
  it('docs/models.md is what the tables say', () => {
    expect(readDocument('docs/models.md'), STALE).toBe(modelsDocument());
  });

  it('schemas/ has a file for the inputs and the outputs of every task type, as the worker reads them', () => {
    const files = schemaFiles();
    expect(readdirSync(join(ROOT, 'schemas')).sort(), STALE).toEqual([...files.keys()].sort());
    for (const [name, text] of files) expect(readDocument(`schemas/${name}`), `${name}, ${STALE}`).toBe(text);
    expect(files.size).toBe(2 * TASK_TYPES.length);
  });

  it('every file is a SchemaDef of Conductor’s, named as it is', () => {
    for (const [file, definition] of definitions) {
      const { data, ...head } = definition;
      expect(head).toEqual({ name: file.replace(/\.json$/, ''), version: 1, type: 'JSON' });
      expect(data.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    }
  });
});

describe('the JSON Schema of inputs', () => {
  const model = { llmProvider: 'p', model: 'm' };

  it.each<[TaskType, Record<string, unknown>]>([
    ['LLM_TEXT_COMPLETE', { ...model, prompt: 'Hi', maxTokens: '5', stopWords: 'x', accessToken: 'ey', topP: null }],
    ['LLM_TEXT_COMPLETE', { ...model, promptName: 'a', promptVariables: { b: [1] }, jsonOutput: 'true', other: 1 }],
    [
      'LLM_CHAT_COMPLETE',
      { ...model, userInput: 'Hi', messages: null, documents: ['a', { title: 'b' }], webSearch: false },
    ],
    [
      'LLM_CHAT_COMPLETE',
      { ...model, messages: [{ role: 'human', message: { a: 1 }, media: null }], tools: [{ name: 'a' }] },
    ],
    ['LLM_CHAT_COMPLETE', { ...model, messages: [{ role: 'tool', toolCalls: [{ name: 'a', output: [1] }] }] }],
    ['LLM_GENERATE_EMBEDDINGS', { ...model, text: 'a', embeddingTypes: 'int8', texts: null }],
    ['LLM_GENERATE_EMBEDDINGS', { ...model, images: ['data:'], inputType: 'image', truncate: 'END' }],
    ['LLM_RERANK', { ...model, query: 'q', documents: ['a', { title: 'b' }], topN: '2', rankFields: 'title' }],
  ])('takes what the worker takes: %s %j', (type, input) => {
    const validate = validator(type, 'input');
    expect(validate(input), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each<[TaskType, Record<string, unknown>]>([
    ['LLM_TEXT_COMPLETE', { ...model }],
    ['LLM_TEXT_COMPLETE', { llmProvider: 'p', prompt: 'Hi' }],
    ['LLM_TEXT_COMPLETE', { ...model, prompt: 'Hi', temperature: 'hot' }],
    ['LLM_CHAT_COMPLETE', { ...model, instructions: 'Be brief.' }],
    ['LLM_CHAT_COMPLETE', { ...model, messages: [{ role: 'model', message: 'Hi' }] }],
    ['LLM_CHAT_COMPLETE', { ...model, messages: [{ role: 'user', content: 'Hi' }] }],
    ['LLM_CHAT_COMPLETE', { ...model, userInput: 'Hi', tools: [{ name: '' }] }],
    ['LLM_CHAT_COMPLETE', { ...model, userInput: 'Hi', documents: [{ title: 7 }] }],
    ['LLM_GENERATE_EMBEDDINGS', { ...model }],
    ['LLM_GENERATE_EMBEDDINGS', { ...model, text: '' }],
    ['LLM_GENERATE_EMBEDDINGS', { ...model, texts: [] }],
    ['LLM_GENERATE_EMBEDDINGS', { ...model, text: 'a', embeddingTypes: ['int4'] }],
    ['LLM_RERANK', { ...model, query: 'q' }],
    ['LLM_RERANK', { ...model, query: 'q', documents: [7] }],
  ])('refuses what the worker refuses: %s %j', (type, input) => {
    expect(validator(type, 'input')(input)).toBe(false);
  });

  it.each(TASK_TYPES)('never refuses what the worker of %s would take', (type) => {
    const { input, oneOf = [] } = TASK_SCHEMAS[type];
    const value = fc.oneof(
      fc.constantFrom<unknown>('a', '', '1', 'true', 'int8', 'END', 'image', 'search_query', true, 1, 0.5, null),
      fc.constantFrom<unknown>([], ['a'], ['int8', 'float'], [{ title: 'a' }], { a: 1 }, [7]),
      fc.constantFrom<unknown>([{ content: [{ type: 'text', text: 'a' }] }], [{ content: [] }]),
      fc.constantFrom<unknown>(
        [{ role: 'user', message: 'a', media: null }],
        [{ role: 'tool', toolCalls: [{ name: 'a' }] }],
      ),
      fc.constantFrom<unknown>([{ name: 'a', description: null, inputSchema: {} }], [{ name: '' }]),
    );
    const names = Object.keys(input.shape).filter((name) => name !== 'accessToken');
    const validate = validator(type, 'input');
    let taken = 0;
    fc.assert(
      fc.property(fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] }), (drawn) => {
        const given: Record<string, unknown> = { ...drawn, llmProvider: 'p', model: 'm' };
        if (type === 'LLM_RERANK') Object.assign(given, { query: 'q', documents: given['documents'] ?? ['a'] });
        // Few of them are of a kind that the worker takes: those that are not are left out one by one.
        const withoutNulls = () => Object.fromEntries(Object.entries(given).filter(([, one]) => one !== null));
        for (let read = parseValue(withoutNulls(), input); !read.ok; read = parseValue(withoutNulls(), input)) {
          const name = read.faults[0]?.field.split('.')[0] ?? '';
          if (!(name in given) || (type === 'LLM_RERANK' && name === 'documents')) return;
          delete given[name];
        }
        if (oneOf.length > 0 && !oneOf.some((name) => name in given)) return;
        taken += 1;
        expect(validate(given), JSON.stringify([given, validate.errors])).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

/** What stands for an expression that is a whole input, so that a schema can look at a workflow definition; else a text does. */
const RESOLVED: Readonly<Record<string, unknown>> = {
  '${workflow.input.documents}': ['a', 'b'],
  '${ask.input.tools}': [{ name: 'a' }],
  '${ask.output.toolCalls[0]}': { taskReferenceName: 't', name: 'a', inputParameters: {} },
};

function resolved(value: unknown): unknown {
  if (typeof value === 'string' && /^\$\{[^}]*\}$/.test(value)) return RESOLVED[value] ?? 'a';
  if (Array.isArray(value)) return value.map(resolved);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one)]));
}

interface DefinedTask {
  readonly type: TaskType;
  readonly inputParameters: Record<string, unknown>;
}

/** Tasks of our types anywhere in a definition, in branches, too. */
function tasksWithin(value: unknown): DefinedTask[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.values(value).flatMap(tasksWithin);
  const { type } = value as Partial<DefinedTask>;
  return TASK_TYPES.some((one) => one === type) && 'inputParameters' in value
    ? [value as DefinedTask, ...inner]
    : inner;
}

describe('the JSON Schema of inputs and the workflows that readers copy', () => {
  const files = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.json'),
  );
  const documented = DOCUMENTS.flatMap((document) =>
    blocksOf(readDocument(document)).flatMap(({ language, text, line }) =>
      language === 'json' ? [[`${document}:${line}`, JSON.parse(text) as unknown] as const] : [],
    ),
  );
  const examples = files.map(
    (file) => [`examples/${file}`, JSON.parse(readDocument(`examples/${file}`)) as unknown] as const,
  );
  const tasks = [...examples, ...documented].flatMap(([place, definition]) =>
    tasksWithin(definition).map((task) => [place, task] as const),
  );

  it('has a task of every type to look at', () => {
    expect(new Set(tasks.map(([, { type }]) => type))).toEqual(new Set(TASK_TYPES));
  });

  it.each(tasks)('takes the task of %s', (_, { type, inputParameters }) => {
    const validate = validator(type, 'input');
    expect(validate(resolved(inputParameters)), JSON.stringify(validate.errors)).toBe(true);
  });
});

describe('the JSON Schema of outputs', () => {
  const RERANK = 'cohere.rerank-v3-5:0';
  const world = { ...WORLD, models: { ...WORLD.models, [`prod:${RERANK}`]: {} } };
  const embedded = ({ body }: Sent) => {
    const types = body['embedding_types'] as string[];
    const vectors = (body['texts'] as string[]).map(() => [1, 2]);
    return { body: { embeddings: Object.fromEntries(types.map((one) => [one, vectors])) }, tokens: { prompt: 4 } };
  };
  const chatted = () => ({
    body: {
      ...{ text: 'I look', finish_reason: 'COMPLETE', tool_calls: [{ name: 'look', parameters: { at: 1 } }] },
      citations: [{ start: 0, end: 1, text: 'I', document_ids: ['doc_0'] }],
    },
    tokens: { prompt: 5, completion: 7 },
  });
  const ranked = () => ({ body: { results: [{ index: 0, relevance_score: 0.5 }] }, tokens: { prompt: 4 } });

  it.each<[TaskType, Parameters<typeof llmHandler>, Record<string, unknown>]>([
    ['LLM_TEXT_COMPLETE', ['text'], { model: COMMAND_R, prompt: 'Hi' }],
    [
      'LLM_CHAT_COMPLETE',
      ['chat', { answer: chatted }],
      { model: COMMAND_R, userInput: 'Hi', tools: [{ name: 'look' }] },
    ],
    ['LLM_GENERATE_EMBEDDINGS', ['embeddings', { answer: embedded }], { model: EMBED, text: 'a' }],
    ['LLM_GENERATE_EMBEDDINGS', ['embeddings', { answer: embedded }], { model: EMBED, texts: ['a', 'b'] }],
    [
      'LLM_GENERATE_EMBEDDINGS',
      ['embeddings', { answer: embedded }],
      { model: EMBED, texts: ['a'], embeddingTypes: ['int8', 'float'] },
    ],
    [
      'LLM_RERANK',
      ['rerank', { world, answer: ranked }],
      { model: RERANK, query: 'q', documents: [{ title: 'a' }], returnDocuments: true },
    ],
  ])('takes what a task puts out, and names all of it: %s', async (type, handler, input) => {
    const output = outputOf(await (await llmHandler(...handler)).run(input));
    const validate = validator(type, 'output');
    expect(validate(output), JSON.stringify(validate.errors)).toBe(true);
    expect(Object.keys(TASK_SCHEMAS[type].output.shape)).toEqual(expect.arrayContaining(Object.keys(output)));
    expect(validate({ ...output, result: undefined })).toBe(false);
  });
});
