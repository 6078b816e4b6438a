import { describe, expect, it } from 'vitest';
import { describeFaults, parseJson } from '../../src/parsing.ts';
import { type Prompt, promptRecord, versionOf, versionsOf } from '../../src/prompts/prompt.ts';

const prompt = (versions: Record<string, string> = {}) =>
  promptRecord.parse({
    template: 'one',
    versions: Object.fromEntries(Object.entries(versions).map(([number, template]) => [number, { template }])),
  });

const templateOf = (of: Prompt, wanted?: number) => versionOf(of, wanted)?.template;

function faultsOf(record: unknown): string {
  const read = parseJson(JSON.stringify(record), promptRecord);
  return read.ok ? '' : describeFaults(read.faults);
}

describe('a prompt', () => {
  it('is read as the contract writes it', () => {
    const text =
      '{"template":"Summarize: ${text}","integrations":["bedrock-prod:cohere.command-r-v1:0"],"versions":{"2":{"template":"…"}}}';
    expect(parseJson(text, promptRecord)).toMatchObject({
      ok: true,
      value: { integrations: ['bedrock-prod:cohere.command-r-v1:0'], versions: { 2: { template: '…' } }, tags: [] },
    });
  });

  it.each([[{}], [{ integrations: null, versions: null, tags: null }]])(
    'with %j is associated with no model and has one version: empty is not all',
    (rest) => {
      const read = promptRecord.parse({ template: 'x', ...rest });
      expect(read).toMatchObject({ integrations: [], versions: {}, tags: [] });
      expect(versionsOf(read)).toEqual([1]);
    },
  );

  it('needs a template, which may be empty', () => {
    expect(faultsOf({})).toBe('template: missing (expected string)');
    expect(faultsOf({ template: '' })).toBe('');
    expect(faultsOf({ template: 'x', versions: { 2: {} } })).toBe('versions.2.template: missing (expected string)');
  });

  it('proposes the key that was meant', () => {
    expect(faultsOf({ template: 'x', intgrations: [] })).toBe('intgrations: unknown key. Did you mean "integrations"?');
    expect(faultsOf({ template: 'x', versions: { 2: { template: 'x', tmplate: 'y' } } })).toMatch(
      /^versions\.2\.tmplate: unknown key\./,
    );
  });

  it('takes what Orkes’ clients send back', () => {
    const rest = { name: 'x', description: null, variables: ['text'], version: 3, createdBy: 'a', updatedOn: 5 };
    expect(faultsOf({ template: 'x', ...rest })).toBe('');
  });
});

describe('defaults', () => {
  it('are read as a model’s are, in the record and in its versions', () => {
    const defaults = { temperature: 0.2, stopWords: ['END'], jsonOutput: 'true', topP: null };
    const record = { template: 'x', defaults, versions: { 2: { template: 'y', defaults: { seed: 1 } } } };
    expect(parseJson(JSON.stringify(record), promptRecord)).toMatchObject({ ok: true, value: record });
    expect(faultsOf({ template: 'x', defaults: null, versions: { 2: { template: 'y', defaults: null } } })).toBe('');
  });

  it.each(['dimensions', 'model', 'promptName', 'prompt', 'tools', '__proto__'])('never say %s', (name) => {
    const record = JSON.parse(`{"template":"x","defaults":{"${name}":1}}`) as unknown;
    expect(faultsOf(record)).toMatch(new RegExp(`^defaults\\.${name}: unknown key`));
  });

  it('of a version go before those of the record, which hold for every version, 1 in versions, too', () => {
    const read = promptRecord.parse({
      ...{ template: 'x', defaults: { seed: 1 } },
      versions: { 1: { template: 'one', defaults: { seed: 11 } }, 2: { template: 'two' } },
    });
    expect(versionOf(read, 1)?.defaults.map(({ field, values }) => [field, values])).toEqual([
      ['versions.1.defaults', { seed: 11 }],
      ['defaults', { seed: 1 }],
    ]);
    expect(versionOf(read)?.defaults.map(({ values }) => values)).toEqual([{}, { seed: 1 }]);
  });
});

describe('versions', () => {
  it.each(['0', '01', '-1', '1.5', 'latest', '', ' 2', '1e3'])('are whole numbers from 1, not %j', (number) => {
    expect(faultsOf({ template: 'x', versions: { [number]: { template: 'y' } } })).toMatch(/^versions/);
  });

  it('are listed by number, lowest first, the record’s own as 1', () => {
    expect(versionsOf(prompt({ 10: 'ten', 9: 'nine', 2: 'two' }))).toEqual([1, 2, 9, 10]);
    expect(versionsOf(prompt({ 1: 'again' }))).toEqual([1]);
  });

  it('give their templates; without a number the highest', () => {
    const several = prompt({ 9: 'nine', 10: 'ten' });
    expect(templateOf(several)).toBe('ten');
    expect(templateOf(several, 9)).toBe('nine');
    expect(templateOf(several, 1)).toBe('one');
    expect(templateOf(prompt())).toBe('one');
  });

  it('that are not there give nothing', () => {
    for (const number of [2, 0, -1, 1.5, Number.NaN])
      expect(templateOf(prompt({ 3: 'three' }), number)).toBeUndefined();
  });

  it('may name a 1 themselves, which is then the one', () => {
    expect(templateOf(prompt({ 1: 'named' }), 1)).toBe('named');
    expect(templateOf(prompt({ 1: 'named' }))).toBe('named');
  });

  it('may be very many', () => {
    const many = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [at + 2, '']));
    expect(versionOf(prompt({ ...many, '200001': 'last' }))).toMatchObject({ number: 200_001, template: 'last' });
  });

  it('always have a highest one that can be had', () => {
    expect(templateOf(prompt({ '999999999': 'large' }))).toBe('large');
    // A larger number would not be exact.
    expect(() => prompt({ '9007199254740993': 'larger' })).toThrow();
  });
});
