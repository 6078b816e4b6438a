import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { toTaskResult } from '../../../src/workers/conductor/outcome.ts';
import { COMMAND, COMMAND_R, EMBED, errorOf, llmHandler, outputOf, TEXT_ANSWER } from '../support/llm.ts';

const IDENTITY = { taskId: 't', workflowInstanceId: 'w' };

describe('a task that cannot be right', () => {
  const text: [string, Record<string, unknown>, code: string, field: string, place: RegExp][] = [
    [
      'an unknown provider',
      { llmProvider: 'missing' },
      'INTEGRATION_UNKNOWN',
      'llmProvider',
      /Input llmProvider.*"missing"/,
    ],
    ['no provider', { llmProvider: null }, 'INPUT_INVALID', 'llmProvider', /llmProvider: missing/],
    ['a malformed provider', { llmProvider: 'a b' }, 'INPUT_INVALID', 'llmProvider', /llmProvider: /],
    [
      'an unknown model',
      { model: 'cohere.command-r-v2:0' },
      'MODEL_UNKNOWN',
      'model',
      /Did you mean "cohere\.command-r-v1:0"/,
    ],
    ['no model', { model: undefined }, 'INPUT_INVALID', 'model', /model: missing/],
    ['a provider that is off', { llmProvider: 'off' }, 'INTEGRATION_DISABLED', 'llmProvider', /"off" is switched off/],
    ['a model that is off', { model: 'off' }, 'MODEL_DISABLED', 'model', /"off".*switched off/],
    [
      'a model that cannot do it',
      { model: EMBED },
      'MODEL_UNFIT',
      'model',
      /prod:cohere\.embed-v4:0.*cannot complete text/,
    ],
    ['no prompt at all', { prompt: undefined }, 'INPUT_INVALID', 'promptName', /promptName: missing/],
    ['an empty prompt', { prompt: '' }, 'INPUT_INVALID', 'promptName', /promptName/],
    ['an unknown prompt', { promptName: 'missing' }, 'PROMPT_UNKNOWN', 'promptName', /the prompt "missing"/],
    [
      'an unknown version',
      { promptName: 'summarize', promptVersion: 3 },
      'PROMPT_UNKNOWN',
      'promptVersion',
      /no version 3; it has 1, 2, 10/,
    ],
    [
      'a prompt of another model',
      { promptName: 'elsewhere' },
      'PROMPT_NOT_ASSOCIATED',
      'promptName',
      /prod:cohere\.command-r-v1:0/,
    ],
    [
      'missing variables',
      { promptName: 'summarize', promptVersion: 2, promptVariables: { who: null } },
      'PROMPT_VARIABLES_MISSING',
      'promptVariables',
      /"text", "who"/,
    ],
    [
      'a literal prompt where only named ones are taken',
      { model: 'named-only' },
      'PROMPT_REQUIRED',
      'promptName',
      /only named prompts/,
    ],
    ['a temperature out of range', { temperature: 1.5 }, 'INPUT_INVALID', 'temperature', /temperature.*0 to 1.*1\.5/],
    ['a temperature that is no number', { temperature: 'hot' }, 'INPUT_INVALID', 'temperature', /temperature: /],
    ['too many tokens', { maxTokens: 4_001 }, 'INPUT_INVALID', 'maxTokens', /maxTokens.*1 to 4000.*4001/],
    [
      'a parameter that the family does not have',
      { model: COMMAND, seed: 1 },
      'INPUT_INVALID',
      'seed',
      /Cohere Command has no seed/,
    ],
    ['variables that are no map', { promptVariables: ['x'] }, 'INPUT_INVALID', 'promptVariables', /promptVariables: /],
    [
      "a default of the model's record out of range",
      { model: 'hot' },
      'RECORD_INVALID',
      'configuration.defaults.temperature',
      /record of prod:hot, configuration\.defaults.*temperature.*7/,
    ],
    [
      "an unreadable model's record",
      { model: 'broken' },
      'RECORD_INVALID',
      'model',
      /cohere:models, field prod:broken: configuration\.maxConcurency: unknown key/,
    ],
    [
      "an unreadable integration's record",
      { llmProvider: 'broken' },
      'RECORD_INVALID',
      'llmProvider',
      /cohere:integrations, field broken: configuration\.user/,
    ],
    [
      "an unreadable prompt's record",
      { promptName: 'broken' },
      'RECORD_INVALID',
      'promptName',
      /cohere:prompts, field broken: /,
    ],
  ];
  it.each(text)('text: %s ends it at once, saying where', async (_, input, code, field, place) => {
    const { run, sent } = await llmHandler('text');
    const outcome = await run({ prompt: 'Hello', ...input });
    const error = errorOf(outcome);
    expect({ code: error.code, field: error.field }).toEqual({ code, field });
    expect(error.message).toMatch(place);
    expect(sent).toEqual([]);
    const result = toTaskResult(IDENTITY, 'w/1', outcome);
    expect(result).toMatchObject({
      status: 'FAILED_WITH_TERMINAL_ERROR',
      reasonForIncompletion: expect.stringMatching(place),
      outputData: { error: { code, field, retryable: false } },
    });
    expect(JSON.stringify(result)).not.toContain('SEKRET');
  });

  const embeddings: [string, Record<string, unknown>, code: string, field: string, place: RegExp][] = [
    ['no text', {}, 'INPUT_INVALID', 'text', /text: missing/],
    ['an empty text', { text: '' }, 'INPUT_INVALID', 'text', /text: is empty/],
    ['a text that is none', { text: 7 }, 'INPUT_INVALID', 'text', /text: /],
    [
      'a model that cannot do it',
      { model: COMMAND_R, text: 'x' },
      'MODEL_UNFIT',
      'model',
      /cannot generate embeddings/,
    ],
    [
      'dimensions that there are not',
      { text: 'x', dimensions: 100 },
      'INPUT_INVALID',
      'dimensions',
      /256, 512, 1024, 1536.*100/,
    ],
    [
      'an unknown input type',
      { text: 'x', inputType: 'query' },
      'INPUT_INVALID',
      'inputType',
      /inputType: .*search_document/,
    ],
  ];
  it.each(embeddings)('embeddings: %s ends it at once, saying where', async (_, input, code, field, place) => {
    const { run, sent } = await llmHandler('embeddings');
    const outcome = await run({ model: EMBED, ...input });
    const error = errorOf(outcome);
    expect({ code: error.code, field: error.field }).toEqual({ code, field });
    expect(error.message).toMatch(place);
    expect(sent).toEqual([]);
    expect(toTaskResult(IDENTITY, 'w/1', outcome).status).toBe('FAILED_WITH_TERMINAL_ERROR');
  });

  it('because its input is kept in external storage says that', async () => {
    const { run } = await llmHandler('text');
    const outcome = await run({}, { externalInputPayloadStoragePath: 's3://x' });
    expect(errorOf(outcome)).toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringContaining('external storage'),
    });
  });
});

describe('a fault of the record or of the task', () => {
  it("is the task's where the task gave the value, default or not", async () => {
    const { run } = await llmHandler('text');
    expect(errorOf(await run({ model: 'hot', prompt: 'x', temperature: 3 }))).toMatchObject({
      code: 'INPUT_INVALID',
      field: 'temperature',
    });
    expect((await run({ model: 'hot', prompt: 'x', temperature: 0.5 })).kind).toBe('complete');
  });
});

describe('tokens in the output', () => {
  it.each([
    [
      { prompt: 5, completion: 7 },
      { promptTokens: 5, completionTokens: 7, tokenUsed: 12 },
    ],
    [{ prompt: 5 }, { promptTokens: 5, tokenUsed: 5 }],
    [{ completion: 0 }, { completionTokens: 0, tokenUsed: 0 }],
    [{}, {}],
  ])('of %j are %j: what Bedrock did not count is left out', async (tokens, expected) => {
    const { run } = await llmHandler('text', { answer: () => ({ ...TEXT_ANSWER, tokens }) });
    const { result, finishReason, ...counts } = outputOf(await run({ prompt: 'x' }));
    expect([result, finishReason]).toEqual(['an answer', 'STOP']);
    expect(counts).toEqual(expected);
  });
});

describe('a call that is broken off or fails', () => {
  it('is given back where the worker ended it', async () => {
    const { run, running } = await llmHandler('text', {
      answer: (_, signal) => new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    const ended = run({ prompt: 'x' });
    await sleep(10);
    running.abort(new Error('the time is over'));
    expect(await ended).toEqual({ kind: 'give-back', afterSeconds: 1 });
  });

  it('is put off, not failed, where Bedrock throttled it', async () => {
    const { run, deferrals } = await llmHandler('text', {
      answer: () => {
        throw new ServiceError('THROTTLED', 'busy');
      },
    });
    const outcome = await run({ prompt: 'x' });
    expect(outcome).toEqual({ kind: 'give-back', afterSeconds: 2 });
    expect(toTaskResult(IDENTITY, 'w/1', outcome)).toMatchObject({ status: 'IN_PROGRESS', callbackAfterSeconds: 2 });
    expect(deferrals).toMatchObject([{ throttled: true }]);
  });

  it('is FAILED, to be retried, where Bedrock is away', async () => {
    const { run } = await llmHandler('text', {
      answer: () => {
        throw new ServiceError('BEDROCK_UNAVAILABLE', 'away');
      },
    });
    expect(toTaskResult(IDENTITY, 'w/1', await run({ prompt: 'x' })).status).toBe('FAILED');
  });

  it('of a fault that nobody foresaw says nothing of it to the workflow, and all to the log', async () => {
    const { run, captured } = await llmHandler('text', {
      answer: () => {
        throw new Error('SEKRET detail');
      },
    });
    const error = errorOf(await run({ prompt: 'x' }));
    expect(error.code).toBe('INTERNAL');
    expect(error.message).not.toContain('SEKRET');
    expect(JSON.stringify(captured.at('error'))).toContain('SEKRET detail');
  });
});
