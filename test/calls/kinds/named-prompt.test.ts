import { describe, expect, it } from 'vitest';
import { generation } from '../../../src/calls/inputs/task-inputs.ts';
import { textComplete } from '../../../src/calls/kinds/text-complete.ts';
import { findModel } from '../../../src/calls/model-lookup.ts';
import { GENERATION_INPUTS } from '../../../src/record-fields.ts';
import {
  COMMAND,
  COMMAND_R,
  errorOf,
  llmHandler,
  outputOf,
  snapshotOf,
  type World,
} from '../../workers/support/llm.ts';

const PROVIDER = {
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
};
const VERSIONED = {
  template: 'One ${text}',
  defaults: { temperature: 0.1, topP: 0.1, topK: 10, seed: null },
  versions: {
    '2': { template: 'Two ${text}', defaults: { temperature: 0.2, topP: null } },
    '3': { template: 'Three ${text}' },
  },
};
const on = [`prod:${COMMAND_R}`, `prod:${COMMAND}`, 'prod:plain', 'prod:broken-defaults', 'prod:named-only'];
const PROMPTS = {
  versioned: { ...VERSIONED, integrations: on },
  bare: { template: 'Bare', integrations: on },
  hot: { template: 'Hot', integrations: on, versions: { '4': { template: 'Hotter', defaults: { temperature: 7 } } } },
  wrong: { template: 'Wrong', integrations: on, defaults: { stopWords: ['a', 1] } },
  seeded: { template: 'Seeded', integrations: on, defaults: { maxResults: 2, maxTokens: 9 } },
  json: { template: 'As JSON', integrations: on, defaults: { jsonOutput: true } },
  unreadable: { template: 'x', integrations: on, defaults: { dimensions: 256 } },
  Ärger: { template: 'Composed', integrations: on },
  elsewhere: {
    template: 'x',
    integrations: [`other:${COMMAND_R}`, COMMAND_R, `prod:${COMMAND_R.toUpperCase()}`, 'prod'],
  },
  gone: { template: 'x', integrations: ['prod:gone'] },
  unlinked: { template: 'x' },
  secret: { template: 'SEKRET', integrations: on },
} as const;

const WORLD: World = {
  integrations: { prod: PROVIDER, other: PROVIDER },
  models: {
    [`prod:${COMMAND}`]: {},
    [`prod:${COMMAND_R}`]: {
      configuration: { defaults: { temperature: 0.9, topP: 0.9, topK: 90, maxTokens: 900, seed: 9 } },
    },
    'prod:plain': { configuration: { family: 'command-r' } },
    'prod:broken-defaults': { configuration: { family: 'command-r', defaults: { temperature: 'warm' } } },
    'prod:named-only': { configuration: { family: 'command-r', rawPrompts: false } },
    [`other:${COMMAND_R}`]: {},
  },
  prompts: PROMPTS,
  applications: { claims: { name: 'claims', workflows: ['claims_*'] } },
  grants: {
    'USER:app:claims': {
      'INTEGRATION_PROVIDER:prod': 'EXECUTE',
      'INTEGRATION_PROVIDER:other': 'EXECUTE',
      ...Object.fromEntries(
        Object.keys(PROMPTS).flatMap((name) => (name === 'secret' ? [] : [[`PROMPT:${name}`, 'EXECUTE']])),
      ),
    },
  },
};
const VARIABLES = { promptVariables: { text: 'T' } };

/** What is named in each task type, and what else a task needs. */
const TYPES = [
  ['text', 'promptName', 'message', {}],
  ['chat', 'instructions', 'preamble', { messages: [{ role: 'user', message: 'Hi' }] }],
] as const;

describe.each(TYPES)('a named prompt in a %s task', (type, input, place, more) => {
  const handler = () => llmHandler(type, { world: WORLD });
  async function sentFor(given: Record<string, unknown>) {
    const { run, sent } = await handler();
    outputOf(await run({ ...more, ...given }));
    return { ...sent[0]?.body, text: sent[0]?.body[place] };
  }
  async function refusalOf(given: Record<string, unknown>) {
    const { run, sent, denied } = await handler();
    const error = errorOf(await run({ ...more, ...given }));
    expect(sent).toEqual([]);
    return { code: error.code, field: error.field, message: error.message, denied: denied.map(({ target }) => target) };
  }
  async function notesOf(given: Record<string, unknown>) {
    const { run } = await handler();
    const outcome = await run({ ...more, ...given });
    if (outcome.kind === 'give-back') throw new Error('given back');
    return outcome.notes ?? [];
  }
  const named = (name: string, rest: Record<string, unknown> = {}) => ({ [input]: name, ...VARIABLES, ...rest });

  describe('defaults', () => {
    it.each([
      ['of the version, then of the prompt, then of the model', { promptVersion: 2 }, 'Two T', [0.2, 0.1, 10, 900, 9]],
      ['of the prompt where the version has none', {}, 'Three T', [0.1, 0.1, 10, 900, 9]],
      ['of version 1, which are the prompt’s', { promptVersion: 1 }, 'One T', [0.1, 0.1, 10, 900, 9]],
      [
        'of nobody where the task says something',
        { promptVersion: 2, temperature: 0, topP: '0.5', topK: 1, maxTokens: 2, seed: 3 },
        'Two T',
        [0, 0.5, 1, 2, 3],
      ],
      [
        'of the version where the task says null',
        { promptVersion: 2, temperature: null },
        'Two T',
        [0.2, 0.1, 10, 900, 9],
      ],
      ['of the family where nobody says anything', { model: 'plain' }, 'Three T', [0.1, 0.1, 10, 1024, undefined]],
    ])('are those %s', async (_, rest, text, [temperature, p, k, max_tokens, seed]) => {
      const sent = await sentFor(named('versioned', rest));
      const { temperature: t, p: topP, k: topK, max_tokens: m, seed: s } = sent as Record<string, unknown>;
      expect([sent.text, t, topP, topK, m, s]).toEqual([text, temperature, p, k, max_tokens, seed]);
    });

    it('go before a broken one of the model, which then is not used', async () => {
      expect(await sentFor(named('versioned', { model: 'broken-defaults' }))).toMatchObject({ temperature: 0.1 });
      expect(await refusalOf(named('bare', { model: 'broken-defaults' }))).toMatchObject({
        code: 'RECORD_INVALID',
        field: 'configuration.defaults.temperature',
        message: expect.stringContaining('The record of prod:broken-defaults, configuration.defaults: '),
      });
    });

    it.each([
      [
        'out of range',
        'hot',
        {},
        'versions.4.defaults.temperature',
        /"hot", versions.4.defaults: .*temperature.*0 to 1/,
      ],
      ['of a wrong form', 'wrong', {}, 'defaults.stopWords', /"wrong", defaults: Input: stopWords/],
      ['that the family does not know', 'seeded', { model: 'plain' }, 'defaults.maxResults', /"seeded", defaults: /],
    ])('%s are the fault of the prompt’s record, and not of the task', async (_, name, rest, field, message) => {
      expect(await refusalOf(named(name, rest))).toMatchObject({
        code: 'RECORD_INVALID',
        field: expect.stringContaining(field),
        message: expect.stringMatching(message),
      });
    });

    it('are not used where the task gives its own, even broken ones', async () => {
      expect(await sentFor(named('hot', { temperature: 0.5 }))).toMatchObject({ temperature: 0.5 });
      expect(await refusalOf(named('hot', { temperature: 8 }))).toMatchObject({
        code: 'INPUT_INVALID',
        field: 'temperature',
      });
    });

    it('say how the answer is read, too', async () => {
      const { run } = await llmHandler(type, {
        world: WORLD,
        answer: () => ({ body: { text: '[1]', finish_reason: 'COMPLETE' }, tokens: {} }),
      });
      expect(outputOf(await run({ ...more, ...named('json') })).result).toEqual([1]);
      expect(outputOf(await run({ ...more, ...named('json', { jsonOutput: false }) })).result).toBe('[1]');
    });

    it('that no prompt can have make its record unreadable, for those tasks alone that name it', async () => {
      expect(await refusalOf(named('unreadable'))).toMatchObject({
        code: 'RECORD_INVALID',
        field: input,
        message: expect.stringContaining('defaults.dimensions: unknown key'),
      });
      expect(await sentFor(named('bare'))).toMatchObject({ text: 'Bare' });
    });
  });

  describe('variables', () => {
    it('that the version does not have are in the task’s log by name, with the nearest it has', async () => {
      expect(await notesOf(named('versioned', { promptVariables: { text: 'T', txt: 'SEKRET', other: 1 } }))).toEqual([
        'The variable "txt" is not in the prompt "versioned" (version 3) and was not used. Did you mean "text"?',
        'The variable "other" is not in the prompt "versioned" (version 3) and was not used.',
      ]);
      expect(await notesOf(named('versioned'))).toEqual([]);
      expect(await notesOf(named('versioned', { promptVariables: { text: 'T', other: null } }))).toEqual([]);
    });

    it('that are missing refuse, and the log has those that were given in vain', async () => {
      const slip = named('versioned', { promptVariables: { txt: 'SEKRET' } });
      const refusal = await refusalOf(slip);
      expect(refusal).toMatchObject({ code: 'PROMPT_VARIABLES_MISSING', field: 'promptVariables' });
      expect(refusal.message).toMatch(/ It gives "txt"\. Did you mean "text"\?$/);
      const notes = await notesOf(slip);
      expect(notes).toHaveLength(1);
      expect(JSON.stringify([notes, refusal])).not.toContain('SEKRET');
      for (const promptVariables of [undefined, null, {}, { text: null }]) {
        const given = named('versioned', { promptVariables });
        expect(await refusalOf(given)).toMatchObject({ code: 'PROMPT_VARIABLES_MISSING' });
      }
    });
  });

  describe('its name', () => {
    it.each([
      ['in other letters', 'Bare'],
      ['with a space behind it that is none', 'bare\u200b'],
      ['in Unicode’s other form', 'A\u0308rger'],
      ['that every object has', 'constructor'],
      ['that every object has', '__proto__'],
      ['of a prompt that is not granted', 'secret'],
      ['of a prompt’s version', 'bare:1'],
    ])('%s is another’s, denied and on record: there is no way to the text %j', async (_, name) => {
      const text = { prompt: 'RAW', promptVariables: {}, allowRawPrompts: true };
      for (const model of [COMMAND_R, 'named-only']) {
        const given = type === 'text' ? { ...text, model } : { promptVariables: {}, model };
        expect(await refusalOf({ [input]: name, ...given })).toMatchObject({
          code: 'PERMISSION_DENIED',
          field: input,
          denied: [`PROMPT:${name}`],
        });
      }
    });

    it('is found as it is written', async () => {
      expect(await sentFor(named('\u00c4rger'))).toMatchObject({ text: 'Composed' });
    });
  });

  describe('the models that may run it', () => {
    it.each(['elsewhere', 'unlinked', 'gone'])(
      'are those that it names to the letter, provider and model (%s)',
      async (name) => {
        expect(await refusalOf(named(name))).toMatchObject({ code: 'PROMPT_NOT_ASSOCIATED', field: input, denied: [] });
      },
    );

    it('may be of two integrations', async () => {
      expect(await sentFor({ ...named('elsewhere'), llmProvider: 'other' })).toMatchObject({ text: 'x' });
    });

    it('must be there: a link to one whose record is gone opens nothing', async () => {
      expect(await refusalOf(named('gone', { model: 'gone' }))).toMatchObject({
        code: 'MODEL_UNKNOWN',
        field: 'model',
      });
    });
  });

  it('has the version that is asked for or none: the versions are named, few of many', async () => {
    for (const promptVersion of [4, 999_999_999]) {
      expect(await refusalOf(named('versioned', { promptVersion }))).toMatchObject({
        code: 'PROMPT_UNKNOWN',
        field: 'promptVersion',
        message: expect.stringMatching(/has no version \d+; it has 1, 2, 3$/),
      });
    }
    const versions = Object.fromEntries(Array.from({ length: 99 }, (_, at) => [at + 2, { template: 'x' }]));
    const world = { ...WORLD, prompts: { bare: { template: 'x', integrations: on, versions } } };
    const { run } = await llmHandler(type, { world });
    const { message } = errorOf(await run({ ...more, ...named('bare', { promptVersion: 200 }) }));
    expect(message).toMatch(/it has 100, among them 81, 82, .*, 99, 100$/);
  });
});

it('a prompt’s temperature 0 makes a completion one that may be kept, as the task’s own would', async () => {
  const world = {
    ...WORLD,
    prompts: { cold: { template: 'x', integrations: on, defaults: { temperature: 0 } }, bare: PROMPTS.bare },
  };
  const snapshot = await snapshotOf(world);
  const permission = { require: () => undefined, hint: () => '' };
  const model = findModel(snapshot, permission, { integration: 'prod', model: 'plain' });
  const planOf = (promptName: string) =>
    textComplete.plan({ input: { llmProvider: 'prod', model: 'plain', promptName }, model, snapshot, permission });
  expect(planOf('cold').cached).toBeDefined();
  expect(planOf('bare').cached).toBeUndefined();
});

describe('inputs about a prompt that nothing is done with', () => {
  const notesOf = async (type: 'text' | 'chat', given: Record<string, unknown>) => {
    const { run } = await llmHandler(type, { world: WORLD });
    const outcome = await run(given);
    outputOf(outcome);
    return outcome.kind === 'complete' ? outcome.notes : undefined;
  };
  const messages = [{ role: 'user', message: 'Hi ${text}' }];

  it.each([
    ['text', { prompt: 'x', promptVersion: 2 }, ['The input "promptVersion" was not used: there is no promptName.']],
    ['text', { promptName: 'bare', prompt: 'x' }, ['The input "prompt" was not used: promptName goes before it.']],
    ['text', { promptName: 'bare', prompt: '', promptVersion: 1, promptVariables: {} }, []],
    [
      'text',
      { prompt: 'x', promptVariables: { text: 'SEKRET' } },
      ['The variable "text" is not in the text and was not used.'],
    ],
    [
      'chat',
      { messages, promptVariables: { text: 'SEKRET' } },
      ['The input "promptVariables" was not used: there are no instructions, and messages are never rendered.'],
    ],
    ['chat', { messages, promptVariables: {} }, []],
    ['chat', { messages, instructions: 'bare', promptVersion: 1 }, []],
    [
      'chat',
      { messages, instructions: 'Be kind', promptVersion: 2, promptVariables: { text: 'SEKRET' } },
      [
        'The input "promptVersion" was not used: instructions are not the name of a prompt.',
        'The variable "text" is not in the text and was not used.',
      ],
    ],
    [
      'chat',
      { messages, promptVersion: 2 },
      ['The input "promptVersion" was not used: instructions are not the name of a prompt.'],
    ],
  ] as const)('are in the log of a %s task (%j)', async (type, given, notes) => {
    expect(await notesOf(type, given)).toEqual(notes);
  });
});

it('a prompt’s defaults are the inputs that say how to generate, every one of them', () => {
  expect([...GENERATION_INPUTS].sort()).toEqual(Object.keys(generation).sort());
});
