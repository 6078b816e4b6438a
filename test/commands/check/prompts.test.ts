import { describe, expect, it } from 'vitest';
import { checkRecords } from '../../../src/commands/check/records.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { COMMAND, COMMAND_R, EMBED, snapshotOf, type World } from '../../workers/support/llm.ts';

const INTEGRATION = {
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
};

/** `kind name: message` of what `check` finds, without the ends of old models' lives. */
async function findings(world: World): Promise<string[]> {
  const snapshot = await snapshotOf({ integrations: { p: INTEGRATION }, ...world });
  return checkRecords(snapshot, keyNames('cohere:'), { now: new Date(), keyring: parseKeyring(undefined) })
    .filter(({ message }) => !message.includes('end of life'))
    .map(({ severity, key, field, message }) => `${severity} ${key.replace('cohere:', '')} ${field}: ${message}`);
}
const MODELS = { [`p:${COMMAND}`]: {}, [`p:${COMMAND_R}`]: {}, [`p:${EMBED}`]: {} };
const prompt = (record: object) => ({
  models: MODELS,
  prompts: { x: { template: '${a}', integrations: [`p:${COMMAND_R}`], ...record } },
});

describe('what a prompt says of itself', () => {
  it.each([
    ['nothing', {}],
    ['its variables in any order', { template: '${a} ${b} ${a}', variables: ['b', 'a'] }],
    ['those of each version', { variables: ['a'], versions: { 2: { template: '${b}', variables: ['b'] } } }],
    ['null', { variables: null, version: null }],
    ['a version that is there', { version: 2, versions: { 2: { template: 'x' } } }],
    ['the first version', { version: 1 }],
  ])('is no finding where it is so: %s', async (_, record) => {
    expect(await findings(prompt(record))).toEqual([]);
  });

  it.each([
    [
      'variables that are not the template’s',
      { variables: ['txt', 'a\n'], template: '${text}' },
      [
        'variables has "txt", "a\\n", which the template has not: tasks go by the template',
        'variables lacks "text": tasks go by the template',
      ],
    ],
    [
      'those of a version',
      { versions: { 2: { template: '${b}', variables: [] } } },
      ['versions.2.variables lacks "b": tasks go by the template'],
    ],
    [
      'many of them',
      { variables: ['a', ...Array.from({ length: 12 }, (_, at) => `v${at}`)] },
      [expect.stringMatching(/^variables has "v0", .*"v9" and 2 more, which/)],
    ],
    [
      'a version that is not there',
      { version: 3, versions: { 2: { template: 'x' } } },
      ['version says 3, but template is version 1; other versions stand in versions'],
    ],
  ])('is found where it is not: %s', async (_, record, messages) => {
    const found = await findings(prompt(record));
    expect(found.map((one) => one.replace(/^warning prompts x: /, ''))).toEqual(messages);
  });
});

describe('defaults', () => {
  const both = [`p:${COMMAND}`, `p:${COMMAND_R}`];

  it.each([
    ['that every model of the prompt takes', { integrations: both, defaults: { temperature: 0.5, stopWords: 'END' } }],
    ['of a prompt on a model that completes no text', { integrations: [`p:${EMBED}`], defaults: { temperature: 0.5 } }],
    ['that a version overrides in time', { defaults: { temperature: 0.5 }, versions: { 2: { template: 'x' } } }],
  ])('are no finding: %s', async (_, record) => {
    expect(await findings(prompt(record))).toEqual([]);
  });

  it('that fail tasks are told with each model that they fail on, and once for all versions', async () => {
    const record = {
      integrations: both,
      defaults: { maxResults: 2 },
      versions: { 2: { template: 'x' }, 3: { template: 'y', defaults: { maxResults: 1, topP: 'SEKRET' } } },
    };
    const found = await findings(prompt(record));
    expect(found).toEqual([
      expect.stringMatching(
        /^warning prompts x: tasks on p:cohere\.command-text-v14 fail .*versions\.3\.defaults: .*topP/,
      ),
      expect.stringMatching(/^warning prompts x: tasks on p:cohere\.command-r-v1:0 fail .*"x", defaults: .*maxResults/),
      expect.stringMatching(
        /^warning prompts x: tasks on p:cohere\.command-r-v1:0 fail .*versions\.3\.defaults: .*topP/,
      ),
    ]);
    expect(found.join()).not.toContain('SEKRET');
  });

  it('of a model are told with the model alone', async () => {
    const found = await findings({
      models: { [`p:${COMMAND_R}`]: { configuration: { defaults: { temperature: 7 } } } },
      prompts: { x: { template: '${a}', integrations: [`p:${COMMAND_R}`], defaults: { topK: 1 } } },
    });
    expect(found).toEqual([
      expect.stringMatching(
        /^warning models p:cohere\.command-r-v1:0: tasks fail .*: The record of p:cohere\.command-r-v1:0, configuration\.defaults: .*temperature/,
      ),
    ]);
  });

  it.each([
    ['cohere.embed-english-v3', { dimensions: 256 }, 'dimensions'],
    ['cohere.embed-english-v3', { truncate: 'LEFT' }, 'truncate'],
    [EMBED, { inputType: 'searchdocument' }, 'inputType'],
    [EMBED, { dimensions: 100, embeddingTypes: ['int8'] }, 'dimensions'],
    ['cohere.rerank-v3-5:0', { topN: 0 }, 'topN'],
  ])('of %s are tried, too: %j', async (model, defaults, input) => {
    expect(await findings({ models: { [`p:${model}`]: { configuration: { defaults } } } })).toEqual([
      expect.stringMatching(
        new RegExp(`^warning models p:${model}: tasks fail .*configuration\\.defaults: .*${input}`),
      ),
    ]);
  });

  it.each([
    ['cohere.embed-english-v3', { inputType: 'search_query', truncate: 'END', embeddingTypes: 'int8' }],
    [EMBED, { dimensions: '256', truncate: 'RIGHT', temperature: 9 }],
    ['cohere.rerank-v3-5:0', { topN: 3 }],
  ])('that %s takes are no finding: %j', async (model, defaults) => {
    expect(await findings({ models: { [`p:${model}`]: { configuration: { defaults } } } })).toEqual([]);
  });
});
