import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { integrationName, modelName, splitQualified } from '../../src/integrations/names.ts';

describe('an integration’s name', () => {
  it.each(['bedrock-prod', 'a', '0', 'A.b_c-D', 'x'.repeat(255)])('may be %s', (name) => {
    expect(integrationName.parse(name)).toBe(name);
  });

  it.each(['', '-a', '.a', '_a', 'a b', 'a:b', 'a/b', 'é', 'a\n', ' a', 'x'.repeat(256)])('may not be %j', (name) => {
    expect(integrationName.safeParse(name).success).toBe(false);
  });
});

describe('a model’s name', () => {
  it.each([
    'cohere.embed-v4:0',
    'us.cohere.embed-v4:0',
    'arn:aws:bedrock:us-east-1:111122223333:imported-model/x',
    '!',
  ])('may be %s', (name) => {
    expect(modelName.parse(name)).toBe(name);
  });

  it.each(['', 'a b', 'a\tb', 'a\n', 'é', 'x'.repeat(2049)])('may not be %j', (name) => {
    expect(modelName.safeParse(name).success).toBe(false);
  });
});

describe('provider:model', () => {
  it('is split on the first colon', () => {
    expect(splitQualified('bedrock-prod:cohere.embed-v4:0')).toEqual({
      integration: 'bedrock-prod',
      model: 'cohere.embed-v4:0',
    });
    expect(splitQualified('a::b')).toEqual({ integration: 'a', model: ':b' });
  });

  it.each(['', ':', 'a', 'a:', ':b', 'a b:c', 'a:b c', '-a:b'])('is not %j', (text) => {
    expect(splitQualified(text)).toBeUndefined();
  });

  it('comes back from what it was put together of', () => {
    const integration = fc
      .stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}$/)
      .map((text) => integrationName.parse(text));
    const model = fc.stringMatching(/^[!-~]{1,30}$/).map((text) => modelName.parse(text));
    fc.assert(
      fc.property(integration, model, (one, other) => {
        expect(splitQualified(`${one}:${other}`)).toEqual({ integration: one, model: other });
      }),
    );
  });
});
