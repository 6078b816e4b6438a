import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blameDefaults } from '../../../src/calls/inputs/defaults.ts';
import { readInput } from '../../../src/calls/inputs/read-inputs.ts';
import { readNames, textCompleteInput } from '../../../src/calls/inputs/task-inputs.ts';
import { ServiceError } from '../../../src/errors.ts';

const NAMES = { llmProvider: 'p', model: 'm' };

function faultOf(read: () => unknown): ServiceError {
  try {
    read();
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error('was read');
}
const text = (input: Record<string, unknown>, defaults = {}) =>
  readInput({ ...NAMES, ...input }, textCompleteInput, defaults);

describe('the inputs of a task', () => {
  it('take null as absent', () => {
    expect(text({ prompt: 'x', temperature: null, promptName: null }).value).toEqual({ ...NAMES, prompt: 'x' });
  });

  it('take numbers as text, as a form gives them', () => {
    const { value } = text({ temperature: ' 0.5', maxTokens: '1e2', promptVersion: '2' });
    expect(value).toMatchObject({ temperature: 0.5, maxTokens: 100, promptVersion: 2 });
  });

  it.each(['', 'x', '1,5', '0x10', 'NaN', 'Infinity', '1 2', true, [], {}])('take %j for no number', (temperature) => {
    expect(faultOf(() => text({ temperature }))).toMatchObject({ code: 'INPUT_INVALID', field: 'temperature' });
  });

  it('read any finite number as itself, in either form', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => {
        expect(text({ temperature: n }).value.temperature).toBe(n);
        expect(text({ temperature: String(n) }).value.temperature).toBe(Number(String(n)));
      }),
    );
  });

  it.each([0, -1, 1.5, '0'])('take %j for no version of a prompt', (promptVersion) => {
    expect(faultOf(() => text({ promptVersion })).field).toBe('promptVersion');
  });

  it('take one stop word or a list of them', () => {
    expect(text({ stopWords: 'END' }).value.stopWords).toEqual(['END']);
    expect(text({ stopWords: ['a', 'b'] }).value.stopWords).toEqual(['a', 'b']);
    expect(faultOf(() => text({ stopWords: [1] })).field).toMatch(/^stopWords/);
  });

  it('never repeat a bad value of theirs, which may be long or secret', () => {
    for (const input of [{ temperature: 'SEKRET' }, { promptVariables: 'SEKRET' }, { jsonOutput: 'SEKRET' }]) {
      expect(faultOf(() => text(input)).message).not.toContain('SEKRET');
    }
  });

  it('are read down to a depth of 200, and refused below that with their place', () => {
    const nested = (depth: number, open: string, close: string) =>
      JSON.parse(open.repeat(depth) + close.repeat(depth)) as unknown;
    expect(text({ promptVariables: { a: nested(199, '[', ']') } }).value.promptVariables).toBeDefined();
    for (const depth of [200, 20_000, 200_000]) {
      const variables = { promptVariables: { a: [nested(depth, '[', ']')] } };
      const fault = { code: 'INPUT_INVALID', field: 'promptVariables.a.0' };
      expect(faultOf(() => text(variables))).toMatchObject(fault);
      expect(faultOf(() => text({}, variables))).toMatchObject(fault);
    }
    const { field } = faultOf(() => text({ ['x'.repeat(10_000)]: nested(201, '[', ']') }));
    expect(field).toBe(`${'x'.repeat(100)}.0.0`);
  });

  it('name every fault at once', () => {
    const { message } = faultOf(() => text({ temperature: 'x', maxTokens: 'y' }));
    expect(message).toMatch(/temperature: .*maxTokens: /);
  });

  it('note unknown ones with what may have been meant, but not those that Conductor adds', () => {
    const { notes } = text({ temprature: 1, _createdBy: 'alice', whatever: 1 });
    expect(notes).toEqual([
      'The input "temprature" is not known and was not used. Did you mean "temperature"?',
      'The input "whatever" is not known and was not used.',
    ]);
  });

  it('name provider and model before all else', () => {
    expect(readNames({ ...NAMES, model: 'cohere.embed-v4:0' })).toEqual({
      integration: 'p',
      model: 'cohere.embed-v4:0',
    });
    expect(faultOf(() => readNames({ model: 'm' })).field).toBe('llmProvider');
    expect(faultOf(() => readNames({ llmProvider: 'p', model: 'a b' })).field).toBe('model');
    expect(faultOf(() => readNames({})).message).toMatch(/llmProvider: missing.*model: missing/);
  });
});

describe("a model's defaults", () => {
  it('fill what the task leaves out or gives as null, and nothing else', () => {
    const { value, notes } = text(
      { temperature: 0.1, topP: null },
      { temperature: 0.9, topP: 0.5, maxTokens: 7, seed: null },
    );
    expect(value).toEqual({ ...NAMES, temperature: 0.1, topP: 0.5, maxTokens: 7 });
    expect(notes).toEqual([]);
  });

  it('are blamed for a value that only they gave', () => {
    const fault = faultOf(() => text({}, { temperature: 'hot' }));
    const of = (values: Record<string, unknown>) => [{ values, record: 'p:m', field: 'configuration.defaults' }];
    expect(blameDefaults(fault, NAMES, of({ temperature: 'hot' }))).toMatchObject({
      code: 'RECORD_INVALID',
      field: 'configuration.defaults.temperature',
      message: expect.stringContaining('The record of p:m, configuration.defaults'),
    });
    expect(blameDefaults(fault, { ...NAMES, temperature: 'hot' }, of({ temperature: 1 }))).toBe(fault);
    expect(blameDefaults(fault, NAMES, of({}))).toBe(fault);
    expect(blameDefaults(fault, NAMES, [])).toBe(fault);
    const other = new ServiceError('THROTTLED', 'busy', { field: 'temperature' });
    expect(blameDefaults(other, NAMES, of({ temperature: 1 }))).toBe(other);
  });

  it('are blamed in their order: the first that gives a value is the one that went out', () => {
    const fault = new ServiceError('INPUT_INVALID', 'out of range', { field: 'stopWords.0' });
    const layers = [
      { values: { stopWords: null }, record: 'the prompt "x"', field: 'versions.2.defaults' },
      { values: { stopWords: ['a'] }, record: 'the prompt "x"', field: 'defaults' },
      { values: { stopWords: ['b'] }, record: 'p:m', field: 'configuration.defaults' },
    ];
    expect(blameDefaults(fault, NAMES, layers)).toMatchObject({
      code: 'RECORD_INVALID',
      field: 'defaults.stopWords.0',
      message: 'The record of the prompt "x", defaults: out of range',
    });
  });
});
