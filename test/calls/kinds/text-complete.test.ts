import { describe, expect, it } from 'vitest';
import { COMMAND, COMMAND_R, errorOf, llmHandler, outputOf } from '../../workers/support/llm.ts';

/** The text that Bedrock was sent for these inputs. */
async function promptFor(input: Record<string, unknown>): Promise<unknown> {
  const { run, sent } = await llmHandler('text');
  outputOf(await run(input));
  return sent[0]?.body['message'];
}

const NAMED = { promptName: 'summarize', promptVariables: { text: 'T', who: ['a', 1] } };
const answered = (text: string) => ({ answer: () => ({ body: { text, finish_reason: 'COMPLETE' }, tokens: {} }) });

describe('the prompt of a text task', () => {
  it.each([
    ['the highest version where none is named', NAMED, 'Ten: T'],
    ['the version that is named', { ...NAMED, promptVersion: 1 }, 'One: T'],
    ['a version given as text', { ...NAMED, promptVersion: '2' }, 'Two: T for ["a",1]'],
    ['the named one, though a literal one is there', { ...NAMED, prompt: 'literal' }, 'Ten: T'],
    ['a literal one as it is, without variables', { prompt: 'Hi ${text} $& ${{' }, 'Hi ${text} $& ${{'],
    [
      'a literal one rendered, with variables',
      { prompt: 'Hi ${text}', promptVariables: { text: '${who} $&' } },
      'Hi ${who} $&',
    ],
    ['a literal one where promptName is null', { promptName: null, prompt: 'Hi' }, 'Hi'],
    ['the named one, where only named ones are taken', { ...NAMED, model: 'named-only' }, 'Ten: T'],
  ])('is %s', async (_, input, expected) => {
    expect(await promptFor(input)).toBe(expected);
  });

  it('is missing variables where a literal one is rendered with none of them', async () => {
    const { run } = await llmHandler('text');
    expect(errorOf(await run({ prompt: 'Hi ${text}', promptVariables: {} }))).toMatchObject({
      code: 'PROMPT_VARIABLES_MISSING',
      field: 'promptVariables',
    });
  });

  it('is not let through by allowRawPrompts in the task where the model takes only named ones', async () => {
    const { run, sent } = await llmHandler('text');
    const error = errorOf(await run({ model: 'named-only', prompt: 'x', allowRawPrompts: true }));
    expect(error.code).toBe('PROMPT_REQUIRED');
    expect(sent).toEqual([]);
  });
});

describe('what is no name of a prompt', () => {
  it.each(['', ' \n', 'a\u0000', 'x'.repeat(256), 1, ['summarize'], { name: 'summarize' }])(
    'is refused, though there is a literal one: %j',
    async (promptName) => {
      const { run, sent } = await llmHandler('text');
      const error = errorOf(await run({ promptName, prompt: 'RAW' }));
      expect([error.code, error.field, sent]).toEqual(['INPUT_INVALID', 'promptName', []]);
    },
  );
});

describe('the output of a text task', () => {
  it('is the text, and parsed where jsonOutput asks for it', async () => {
    const { run } = await llmHandler('text', answered('{"a":1}'));
    expect(outputOf(await run({ prompt: 'x' })).result).toBe('{"a":1}');
    expect(outputOf(await run({ prompt: 'x', jsonOutput: true })).result).toEqual({ a: 1 });
    expect(outputOf(await run({ prompt: 'x', jsonOutput: 'true' })).result).toEqual({ a: 1 });
    expect(outputOf(await run({ prompt: 'x', jsonOutput: 'false' })).result).toBe('{"a":1}');
  });

  it.each([
    ['```json\n{"a":1}\n```'],
    ['Here you are:\n```\n{"a":1}\n```\nAnything else?'],
    ['```JSON {"a":1}```'],
    ['  {"a":1}\n'],
    ['```json\n{"a":1}'],
    ['``` json\n{"a":1}\n```'],
    ['Like this:\n```python\nprint(1)\n```\nso:\n```json\n{"a":1}\n```'],
    ['```\nnot this\n```\n```\n{"a":1}\n```'],
  ])('is found in %j', async (text) => {
    const { run } = await llmHandler('text', answered(text));
    expect(outputOf(await run({ prompt: 'x', jsonOutput: true })).result).toEqual({ a: 1 });
  });

  it('is found in a fenced block that holds a fence itself', async () => {
    const { run } = await llmHandler('text', answered('```json\n{"code":"```ts```"}\n```'));
    expect(outputOf(await run({ prompt: 'x', jsonOutput: true })).result).toEqual({ code: '```ts```' });
  });

  it('is looked for behind a bounded number of fences, however many there are', async () => {
    const { run } = await llmHandler('text', answered(`${'```\n'.repeat(100_000)}`));
    expect(errorOf(await run({ prompt: 'x', jsonOutput: true })).code).toBe('OUTPUT_NOT_JSON');
  });

  it('that is not JSON is kept in the task’s log, whole up to 32,000 characters, and its tokens are counted', async () => {
    const { run, used, captured } = await llmHandler('text', {
      answer: () => ({ body: { text: 'RAW no JSON' }, tokens: { prompt: 5, completion: 7 } }),
    });
    const outcome = await run({ prompt: 'x', jsonOutput: true });
    expect(outcome).toMatchObject({ notes: [`prod:${COMMAND_R} answered: RAW no JSON`] });
    expect(errorOf(outcome).message).not.toContain('RAW');
    expect(JSON.stringify({ ...errorOf(outcome) })).not.toContain('RAW');
    expect(JSON.stringify(captured.lines)).not.toContain('RAW');
    expect(used).toMatchObject([{ tokens: { prompt: 5, completion: 7 } }]);

    const { run: runLong } = await llmHandler('text', answered('y'.repeat(32_001)));
    const { notes = [] } = (await runLong({ prompt: 'x', jsonOutput: true })) as { notes?: string[] };
    expect(notes[0]).toContain('(the first 32000 of 32001 characters): yyy');
    expect(notes[0]?.match(/y{32000}$/)).not.toBeNull();
  });

  it.each(['no JSON', '', '```json\n{"a":\n```', 'see {"a":1} there'])(
    'that is not JSON (%j) fails the task, retryably',
    async (text) => {
      const { run } = await llmHandler('text', answered(text));
      expect(errorOf(await run({ prompt: 'x', jsonOutput: true }))).toMatchObject({
        code: 'OUTPUT_NOT_JSON',
        retryable: true,
      });
    },
  );

  it('names the finish reason in our words', async () => {
    const { run } = await llmHandler('text', {
      answer: () => ({ body: { text: 'cut', finish_reason: 'MAX_TOKENS' }, tokens: {} }),
    });
    expect(outputOf(await run({ prompt: 'x' }))).toEqual({ result: 'cut', finishReason: 'MAX_TOKENS' });
  });

  it('holds all results where more than one was asked for, and only then', async () => {
    const generations = ['one', 'two'].map((text) => ({ text, finish_reason: 'COMPLETE' }));
    const { run } = await llmHandler('text', { answer: () => ({ body: { generations }, tokens: {} }) });
    const two = outputOf(await run({ model: COMMAND, prompt: 'x', maxResults: 2 }));
    expect(two).toMatchObject({ result: 'one', results: ['one', 'two'] });
    expect(outputOf(await run({ model: COMMAND, prompt: 'x' }))).not.toHaveProperty('results');
  });

  it('is a retryable failure where the answer is not of the family', async () => {
    const { run } = await llmHandler('text', { answer: () => ({ body: { nothing: 1 }, tokens: {} }) });
    expect(errorOf(await run({ prompt: 'x' }))).toMatchObject({ code: 'ANSWER_INVALID', retryable: true });
  });
});
