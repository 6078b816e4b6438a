import { describe, expect, it } from 'vitest';
import { modelRecord } from '../../src/integrations/model.ts';
import { describeFaults, parseJson } from '../../src/parsing.ts';

function faultsOf(record: unknown): string {
  const read = parseJson(JSON.stringify(record), modelRecord);
  return read.ok ? '' : describeFaults(read.faults);
}

describe('a model', () => {
  it('is read as the contract writes it', () => {
    const text = '{"enabled":true,"configuration":{"maxConcurrency":8},"tags":[{"key":"tier","value":"gold"}]}';
    expect(parseJson(text, modelRecord)).toMatchObject({
      ok: true,
      value: { enabled: true, configuration: { maxConcurrency: 8 }, tags: [{ key: 'tier', value: 'gold' }] },
    });
  });

  it.each([[{}], [{ configuration: {} }], [{ configuration: null }], [{ enabled: null, tags: null }]])(
    'that says %j is enabled, without limits, with the documented defaults',
    (record) => {
      expect(modelRecord.parse(record)).toMatchObject({ enabled: true, tags: [] });
      expect(modelRecord.parse(record).configuration).toEqual({
        timeoutMs: 120_000,
        maxDeferralSeconds: 900,
        defaults: {},
        rawPrompts: true,
      });
    },
  );

  it('does not share its defaults with another', () => {
    const first = modelRecord.parse({});
    first.configuration.defaults['temperature'] = 1;
    expect(modelRecord.parse({}).configuration.defaults).toEqual({});
  });

  it.each([
    'maxConcurrency',
    'maxConcurrencyPerWorker',
    'requestsPerMinute',
    'tokensPerMinute',
    'timeoutMs',
    'maxDeferralSeconds',
  ])('has a %s of at least one, whole', (limit) => {
    expect(faultsOf({ configuration: { [limit]: 1 } })).toBe('');
    for (const value of [0, -1, 1.5, '8', null]) {
      expect(faultsOf({ configuration: { [limit]: value } })).toMatch(new RegExp(`^configuration\\.${limit}: `));
    }
  });

  it('may take an hour a call and no longer', () => {
    expect(faultsOf({ configuration: { timeoutMs: 3_600_000 } })).toBe('');
    expect(faultsOf({ configuration: { timeoutMs: 3_600_001 } })).toMatch(/^configuration\.timeoutMs: /);
  });

  it.each(['command', 'command-r', 'embed-v3', 'embed-v4', 'rerank', 'converse'])('may be of family %s', (family) => {
    expect(modelRecord.parse({ configuration: { family } }).configuration.family).toBe(family);
  });

  it('is of no other family, and called by no id with spaces', () => {
    expect(faultsOf({ configuration: { family: 'embed' } })).toMatch(/^configuration\.family: /);
    expect(faultsOf({ configuration: { modelId: 'a b' } })).toMatch(/^configuration\.modelId: an id or ARN/);
    expect(faultsOf({ configuration: { modelId: '' } })).toMatch(/^configuration\.modelId: /);
  });

  it('keeps answers for a year at most, and of 64 MB where it does not say', () => {
    const read = (cache: object) => modelRecord.parse({ configuration: { cache } }).configuration.cache;
    expect(read({ ttlSeconds: 60 })).toEqual({ ttlSeconds: 60, maxMegabytes: 64 });
    expect(read({ ttlSeconds: 31_536_000, maxMegabytes: 1 })).toEqual({ ttlSeconds: 31_536_000, maxMegabytes: 1 });
    for (const cache of [{}, { ttlSeconds: 0 }, { ttlSeconds: 31_536_001 }, { ttlSeconds: 1.5 }]) {
      expect(faultsOf({ configuration: { cache } })).toMatch(/^configuration\.cache\.ttlSeconds: /);
    }
    expect(faultsOf({ configuration: { cache: { ttlSeconds: 1, maxMegabytes: 0 } } })).toMatch(
      /^configuration\.cache\.maxMegabytes: /,
    );
  });

  it('proposes the key that was meant', () => {
    expect(faultsOf({ configuration: { maxConcurency: 8 } })).toBe(
      'configuration.maxConcurency: unknown key. Did you mean "maxConcurrency"?',
    );
    expect(faultsOf({ configuration: { cache: { ttlSeconds: 1, ttlSecond: 1 } } })).toBe(
      'configuration.cache.ttlSecond: unknown key. Did you mean "ttlSeconds"?',
    );
  });

  it('takes what Orkes’ clients send back', () => {
    const record = { integrationName: 'prod', api: 'x', maxTokens: 5, frequency: 'daily', updatedOn: 1 };
    expect(faultsOf(record)).toBe('');
    expect(faultsOf({ frequency: 'hourly' })).toMatch(/^frequency: /);
  });
});
