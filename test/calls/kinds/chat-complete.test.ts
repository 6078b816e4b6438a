import { describe, expect, it } from 'vitest';
import { NOT_SERVED } from '../../../src/calls/inputs/chat-inputs.ts';
import {
  COMMAND,
  COMMAND_R,
  EMBED,
  errorOf,
  type HandlerOptions,
  llmHandler,
  outputOf,
} from '../../workers/support/llm.ts';

const NOVA = 'amazon.nova-lite-v1:0';
const WORLD_OF_CHAT = {
  integrations: {
    prod: { type: 'aws_bedrock_cohere', configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' } },
  },
  models: {
    [`prod:${COMMAND}`]: {},
    [`prod:${COMMAND_R}`]: { configuration: { defaults: { temperature: 0.25, jsonOutput: null } } },
    [`prod:${EMBED}`]: {},
    [`prod:${NOVA}`]: {},
    'prod:strict': { configuration: { family: 'command-r', rawPrompts: false } },
    'prod:json': { configuration: { family: 'command-r', defaults: { jsonOutput: true } } },
  },
  prompts: {
    persona: {
      template: 'You are ${who}.',
      integrations: [`prod:${COMMAND_R}`, 'prod:strict'],
      versions: { '2': { template: 'You are ${who}, version 2.' } },
    },
    secret: { template: 'x', integrations: [`prod:${COMMAND_R}`] },
    elsewhere: { template: 'x', integrations: [] },
  },
  applications: { claims: { name: 'claims', workflows: ['claims_*'] } },
  grants: {
    'USER:app:claims': {
      'INTEGRATION_PROVIDER:prod': 'EXECUTE',
      'PROMPT:persona': 'EXECUTE',
      'PROMPT:elsewhere': 'READ',
    },
  },
};
const MESSAGES = [{ role: 'user', message: 'Hi' }];
const chat = (options: HandlerOptions = {}) => llmHandler('chat', { world: WORLD_OF_CHAT, ...options });
const answered = (body: Record<string, unknown>) => ({
  answer: () => ({ body: { finish_reason: 'COMPLETE', ...body }, tokens: { prompt: 5, completion: 7 } }),
});

async function sentFor(input: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> {
  const { run, sent } = await chat();
  outputOf(await run(input));
  return sent[0]?.body ?? {};
}

async function refusalOf(input: Record<string, unknown>) {
  const { run, sent } = await chat();
  const error = errorOf(await run(input));
  expect(sent).toEqual([]);
  return error;
}

describe('a chat task', () => {
  it('goes out whole, with the defaults of its model', async () => {
    expect(
      await sentFor({
        messages: [
          { role: 'system', message: 'Be brief.' },
          ...MESSAGES,
          { role: 'assistant', message: 'Hello' },
          ...MESSAGES,
        ],
        instructions: 'persona',
        promptVariables: { who: 'a clerk' },
        documents: ['one', { title: 'two', snippet: '2' }],
        tools: [{ name: 'now', type: 'SIMPLE', configParams: {}, selfDescribing: true, outputSchema: {} }],
        maxTokens: '50',
      }),
    ).toStrictEqual({
      message: 'Hi',
      chat_history: [
        { role: 'USER', message: 'Hi' },
        { role: 'CHATBOT', message: 'Hello' },
      ],
      preamble: 'You are a clerk, version 2.\n\nBe brief.',
      documents: [{ snippet: 'one' }, { title: 'two', snippet: '2' }],
      tools: [{ name: 'now', description: 'now' }],
      max_tokens: 50,
      temperature: 0.25,
    });
  });

  it('takes 1,000 messages and 128 tools', async () => {
    const tools = Array.from({ length: 128 }, (_, index) => ({ name: `tool_${index}` }));
    const body = await sentFor({ messages: Array(1_000).fill(MESSAGES[0]), tools });
    expect(body).toMatchObject({ message: expect.stringContaining('Hi'), tools: { length: 128 } });
  });

  it('takes userInput as its one message, and none beside messages', async () => {
    expect(await sentFor({ userInput: 'Hi', messages: [] })).toMatchObject({ message: 'Hi' });
    expect(await refusalOf({ userInput: 'Hi', messages: MESSAGES })).toMatchObject({ field: 'userInput' });
  });

  it('expands nothing in messages, whatever variables there are', async () => {
    const messages = [{ role: 'user', message: 'Tell me ${who}' }];
    const { message, preamble } = await sentFor({
      messages,
      instructions: 'persona',
      promptVariables: { who: '${who}' },
    });
    expect([message, preamble]).toEqual(['Tell me ${who}', 'You are ${who}, version 2.']);
  });

  it.each([
    ['without messages', {}, 'INPUT_INVALID', 'messages'],
    ['with an unknown role', { messages: [{ role: 'bot', message: 'x' }] }, 'INPUT_INVALID', 'messages.0.role'],
    [
      'with a slip of the hand in a message',
      { messages: [{ role: 'user', content: 'x' }] },
      'INPUT_INVALID',
      'messages.0.content',
    ],
    ['with a tool twice', { messages: MESSAGES, tools: [{ name: 'a' }, { name: 'a' }] }, 'INPUT_INVALID', 'tools'],
    ['with more than 1,000 messages', { messages: Array(1_001).fill(MESSAGES[0]) }, 'INPUT_INVALID', 'messages'],
    [
      'with more than 1,000 calls in a message',
      { messages: [{ role: 'tool', toolCalls: Array(1_001).fill({ name: 'a' }) }] },
      'INPUT_INVALID',
      'messages.0.toolCalls',
    ],
    [
      'with more than 128 tools',
      { messages: MESSAGES, tools: Array.from({ length: 129 }, (_, index) => ({ name: `t${index}` })) },
      'INPUT_INVALID',
      'tools',
    ],
    [
      'with a message that is nested 20,000 deep',
      { messages: [...MESSAGES, { role: 'user', message: JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) }] },
      'INPUT_INVALID',
      'messages.1.message',
    ],
    [
      'with documents that are no texts',
      { messages: MESSAGES, documents: [{ title: 1 }] },
      'INPUT_INVALID',
      'documents.0.title',
    ],
    ['with a model that cannot chat', { messages: MESSAGES, model: EMBED }, 'MODEL_UNFIT', 'model'],
    ['with Command, which cannot either', { messages: MESSAGES, model: COMMAND }, 'MODEL_UNFIT', 'model'],
    [
      'with documents for Converse',
      { messages: MESSAGES, model: NOVA, documents: ['x'] },
      'INPUT_INVALID',
      'documents',
    ],
  ])('is refused %s', async (_, input, code, field) => {
    expect(await refusalOf(input)).toMatchObject({ code, field, retryable: false });
  });

  it.each(NOT_SERVED)('is refused where %s says something, and not where it is empty', async (name) => {
    expect(await refusalOf({ messages: MESSAGES, [name]: 'high' })).toMatchObject({
      code: 'INPUT_INVALID',
      field: name,
    });
    for (const nothing of ['', null, false, 0, [], {}]) await sentFor({ messages: MESSAGES, [name]: nothing });
  });
});

describe('the instructions of a chat task', () => {
  const persona = { messages: MESSAGES, instructions: 'persona' };

  it.each([
    ['a name that is a prompt’s', { ...persona, promptVariables: { who: 'x' }, promptVersion: 1 }, 'You are x.'],
    ['literal text as it is', { messages: MESSAGES, instructions: 'Be kind to ${who}' }, 'Be kind to ${who}'],
    [
      'literal text rendered, with variables',
      { messages: MESSAGES, instructions: 'Be kind to ${who}', promptVariables: { who: 'all' } },
      'Be kind to all',
    ],
  ])('are %s', async (_, input, preamble) => {
    expect(await sentFor(input)).toMatchObject({ preamble });
  });

  it('that are a name with white space around it are literal text, and the task’s log says so', async () => {
    const { run } = await chat();
    const outcome = await run({ messages: MESSAGES, instructions: 'secret\n' });
    expect(outcome).toMatchObject({
      kind: 'complete',
      notes: [
        'The instructions were taken as literal text: white space stands around what could be the name of a prompt.',
      ],
    });
    expect(await run({ messages: MESSAGES, instructions: 'Be kind ' })).toMatchObject({ notes: [] });
  });

  it('are none where they are blank', async () => {
    expect(await sentFor({ messages: MESSAGES, instructions: ' ' })).not.toHaveProperty('preamble');
  });

  it.each([
    ['a variable is missing', persona, 'PROMPT_VARIABLES_MISSING', 'promptVariables'],
    ['there is no such version', { ...persona, promptVersion: 9 }, 'PROMPT_UNKNOWN', 'promptVersion'],
    [
      'the prompt is not associated',
      { messages: MESSAGES, instructions: 'elsewhere' },
      'PROMPT_NOT_ASSOCIATED',
      'instructions',
    ],
    ['the prompt is not granted', { messages: MESSAGES, instructions: 'secret' }, 'PERMISSION_DENIED', 'instructions'],
    ['there is no such prompt', { messages: MESSAGES, instructions: 'unknown' }, 'PERMISSION_DENIED', 'instructions'],
  ])('refuse the task where %s: there is no way to literal text', async (_, input, code, field) => {
    expect(await refusalOf(input)).toMatchObject({ code, field });
  });

  it('must be a prompt’s where the model takes only those, and no message may be the system’s', async () => {
    const strict = { model: 'strict', messages: MESSAGES };
    const variables = { promptVariables: { who: 'x' } };
    expect(await sentFor({ ...strict, instructions: 'persona', ...variables })).toMatchObject({ message: 'Hi' });
    for (const instructions of [undefined, '', 'Be kind', 'persona ']) {
      const error = await refusalOf({ ...strict, instructions, ...variables, allowRawPrompts: true });
      expect(error).toMatchObject({ code: 'PROMPT_REQUIRED', field: 'instructions' });
    }
    const messages = [...MESSAGES, { role: 'system', message: 'Forget it.' }];
    expect(await refusalOf({ ...strict, messages, instructions: 'persona', ...variables })).toMatchObject({
      code: 'PROMPT_REQUIRED',
      field: 'messages.1',
    });
  });
});

describe('the output of a chat task', () => {
  const TOOL = { name: 'weather', type: 'MCP_TOOL', integrationNames: { mcp: 'x' }, inputSchema: {} };

  it('is the text with its reason and tokens', async () => {
    const { run } = await chat(answered({ text: 'hi' }));
    expect(outputOf(await run({ messages: MESSAGES }))).toStrictEqual({
      result: 'hi',
      finishReason: 'STOP',
      tokenUsed: 12,
      promptTokens: 5,
      completionTokens: 7,
    });
  });

  it('has calls of tools in the shape of the open-source server', async () => {
    const tool_calls = [
      { name: 'weather', parameters: { location: 'Tokyo' } },
      { name: 'look_up', parameters: { method: 'delete_everything' } },
    ];
    const { run } = await chat(answered({ text: '', tool_calls }));
    const output = outputOf(await run({ messages: MESSAGES, tools: [TOOL, { name: 'look_up' }], jsonOutput: true }));
    const reference = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect(output).toMatchObject({ result: '', finishReason: 'TOOL_CALLS' });
    expect(output['toolCalls']).toStrictEqual([
      {
        taskReferenceName: reference,
        name: 'weather',
        integrationNames: { mcp: 'x' },
        type: 'MCP_TOOL',
        inputParameters: { location: 'Tokyo', method: 'weather' },
      },
      {
        taskReferenceName: reference,
        name: 'look_up',
        integrationNames: {},
        type: 'SIMPLE',
        // A model's answer does not say which tool a call goes to but by the call's name.
        inputParameters: { method: 'look_up' },
      },
    ]);
  });

  it.each([
    ['another tool', 'drop\ntable', '"drop\\ntable"'],
    ['one of a very long name', 'x'.repeat(10_000), `"${'x'.repeat(64)}"`],
    ['a member that every object has', 'constructor', '"constructor"'],
  ])('is none where the model calls %s, which was not offered; its tokens are counted', async (_, name, shown) => {
    const tool_calls = [
      { name: 'weather', parameters: {} },
      { name, parameters: {} },
    ];
    const { run, used } = await chat(answered({ text: '', tool_calls }));
    const outcome = await run({ messages: MESSAGES, tools: [TOOL] });
    const message = expect.stringContaining(`it calls a tool ${shown} that`);
    expect(outcome).toMatchObject({ kind: 'fail', error: { code: 'ANSWER_INVALID', retryable: true, message } });
    expect(outcome).not.toHaveProperty('output');
    expect(used).toMatchObject([{ tokens: { prompt: 5, completion: 7 } }]);
  });

  it('is none where the model calls a tool and was offered none', async () => {
    const { run } = await chat(answered({ text: '', tool_calls: [{ name: 'weather', parameters: {} }] }));
    expect(errorOf(await run({ messages: MESSAGES }))).toMatchObject({ code: 'ANSWER_INVALID' });
  });

  it('names a call as Bedrock does, where it does', async () => {
    const content = [{ toolUse: { toolUseId: 'tooluse_1', name: 'weather', input: {} } }];
    const body = { output: { message: { content } }, stopReason: 'tool_use', usage: { inputTokens: 1 } };
    const { run } = await chat({ answer: () => ({ body, tokens: {} }) });
    const output = outputOf(await run({ model: NOVA, messages: MESSAGES, tools: [TOOL] }));
    expect(output).toMatchObject({ toolCalls: [{ taskReferenceName: 'tooluse_1' }], promptTokens: 1, tokenUsed: 1 });
    expect(output).not.toHaveProperty('completionTokens');
  });

  it('has citations where the model gives some', async () => {
    const citations = [{ start: 0, end: 2, text: 'hi', document_ids: ['doc_0'] }];
    const { run } = await chat(answered({ text: 'hi', citations }));
    expect(outputOf(await run({ messages: MESSAGES, documents: ['x'] }))['citations']).toEqual([
      { start: 0, end: 2, text: 'hi', documentIds: ['doc_0'] },
    ]);
  });

  it.each([
    ['{"method":"x"}', undefined, { method: 'x' }],
    ['```json\n{"method":"x"}\n```', undefined, { method: 'x' }],
    ['{"method":"x"}', false, '{"method":"x"}'],
    ['[1]', undefined, '[1]'],
    ['{"method":', undefined, '{"method":'],
    ['see ```{"a":1}```', undefined, 'see ```{"a":1}```'],
    ['[1]', true, [1]],
  ])('of %j with jsonOutput %j is %j', async (text, jsonOutput, result) => {
    const { run } = await chat(answered({ text }));
    expect(outputOf(await run({ messages: MESSAGES, jsonOutput }))['result']).toEqual(result);
  });

  it('that is not the JSON which was asked for is kept in the task’s log, and its tokens are counted', async () => {
    const { run, used } = await chat(answered({ text: 'RAW' }));
    const outcome = await run({ model: 'json', messages: MESSAGES });
    expect(outcome).toMatchObject({
      kind: 'fail',
      error: { code: 'OUTPUT_NOT_JSON' },
      notes: ['prod:json answered: RAW'],
    });
    expect(used).toMatchObject([{ tokens: { prompt: 5, completion: 7 } }]);
  });

  it('is noted that goes on from an answer which had no id: the model knows nothing of that', async () => {
    const { run } = await chat();
    expect(await run({ messages: MESSAGES, previousResponseId: null })).toMatchObject({
      kind: 'complete',
      notes: [expect.stringMatching(/^previousResponseId refers to nothing: .* only the messages of this task\.$/)],
    });
    expect(await run({ messages: MESSAGES })).toMatchObject({ notes: [] });
  });
});
