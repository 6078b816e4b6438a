import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { integrationRecord } from '../../src/integrations/integration.ts';
import { modelRecord } from '../../src/integrations/model.ts';
import { laneLimits, laneOf, resolveModel, withLife } from '../../src/integrations/resolve.ts';

const { configuration } = integrationRecord.parse({
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
});
const ARN = 'arn:aws:bedrock:us-east-1:111122223333:imported-model/x';

const record = (given: Record<string, unknown> = {}) => modelRecord.parse({ configuration: given });
const resolve = (model: string, given: Record<string, unknown> = {}) =>
  resolveModel({ integration: 'prod', model, configuration, record: record(given) });

describe('a model that is to be called', () => {
  it('is called by its name, with the codec that the name shows', () => {
    expect(resolve('cohere.embed-v4:0')).toMatchObject({
      modelId: 'cohere.embed-v4:0',
      family: 'embed-v4',
      codec: { family: 'embed-v4' },
      timeoutMs: 120_000,
    });
    expect(resolve('us.cohere.embed-v4:0').family).toBe('embed-v4');
    expect(resolve('amazon.nova-lite-v1:0').family).toBe('converse');
  });

  it('is called by its record’s modelId, whose family counts where it can be read', () => {
    expect(resolve('alias', { modelId: 'cohere.embed-v4:0', timeoutMs: 5 })).toMatchObject({
      modelId: 'cohere.embed-v4:0',
      family: 'embed-v4',
      timeoutMs: 5,
    });
    expect(resolve('cohere.embed-v4:0', { modelId: 'amazon.nova-lite-v1:0' }).family).toBe('converse');
    expect(resolve('cohere.command-r-v1:0', { modelId: ARN })).toMatchObject({ modelId: ARN, family: 'command-r' });
    expect(resolve('alias', { modelId: ARN }).family).toBe('converse');
  });

  it('has the family that its record says', () => {
    expect(resolve('alias', { modelId: ARN, family: 'command' }).codec.family).toBe('command');
    expect(resolve('cohere.embed-v4:0', { family: 'converse' }).family).toBe('converse');
  });
});

describe('the lane of a model', () => {
  it('is shared by the aliases of one resolved id, within an integration', () => {
    const id = { modelId: 'cohere.embed-v4:0' };
    expect(laneOf('prod', 'alias', record(id))).toBe(laneOf('prod', 'cohere.embed-v4:0', record()));
    expect(laneOf('prod', 'alias', record(id))).not.toBe(laneOf('test', 'alias', record(id)));
    expect(laneOf('prod', 'alias', record())).not.toBe(laneOf('prod', 'other', record()));
  });

  it('has the tightest limit of its aliases', () => {
    const modelId = 'cohere.embed-v4:0';
    const limits = laneLimits(
      [
        { model: modelId, record: record({ maxConcurrency: 8 }) },
        { model: 'alias', record: record({ modelId, maxConcurrency: 3 }) },
        { model: 'another', record: record({ modelId, maxConcurrencyPerWorker: 5, requestsPerMinute: 100 }) },
        { model: 'free', record: record({ modelId }) },
        { model: 'unlimited', record: record() },
      ].map((one) => ({ integration: 'prod', ...one })),
    );
    const none = { requestsPerMinute: undefined, tokensPerMinute: undefined };
    expect([...limits]).toEqual([
      ['prod:cohere.embed-v4:0', { perWorker: 5, concurrency: 3, requestsPerMinute: 100, tokensPerMinute: undefined }],
      ['prod:unlimited', { perWorker: undefined, concurrency: undefined, ...none }],
    ]);
  });
});

describe('the error of a model that Bedrock does not have', () => {
  const NOW = new Date('2026-11-23T00:00:00Z');
  const cause = new Error('404');
  const notFound = new ServiceError('MODEL_NOT_FOUND', 'not there', { cause });

  it('says when its life ended and what lives in its place', () => {
    const error = withLife(notFound, resolve('cohere.command-r-v1:0'), NOW);
    expect(error).toMatchObject({ code: 'MODEL_NOT_FOUND', field: 'model', retryable: false, cause });
    expect((error as Error).message).toMatch(/^not there\. .*2026-08-19; a living alternative is \S+$/);
  });

  it('looks at the id that was called, not at the name', () => {
    const { message } = withLife(notFound, resolve('alias', { modelId: 'cohere.command-text-v14' }), NOW) as Error;
    expect(message).toContain('2025-08-12');
    expect(withLife(notFound, resolve('cohere.command-r-v1:0', { modelId: ARN }), NOW)).toBe(notFound);
  });

  it('is left alone where the model lives, is not known, or its life had not ended yet', () => {
    expect(withLife(notFound, resolve('cohere.embed-v4:0'), NOW)).toBe(notFound);
    expect(withLife(notFound, resolve('amazon.nova-lite-v1:0'), NOW)).toBe(notFound);
    expect(withLife(notFound, resolve('cohere.command-r-v1:0'), new Date('2026-08-18T23:59:59Z'))).toBe(notFound);
  });

  it('names the profiles that reach it, where only those do', () => {
    const words = 'Invocation of model ID x with on-demand throughput isn’t supported.';
    const refused = new ServiceError('REQUEST_REFUSED', words, { cause });
    const said = (model: string) => (withLife(refused, resolve(model), NOW) as Error).message;
    expect(withLife(refused, resolve('cohere.embed-v4:0'), NOW)).toMatchObject({ code: 'REQUEST_REFUSED', cause });
    expect(said('cohere.embed-v4:0')).toMatch(
      /\. Its record's configuration\.modelId must be us\.cohere\.embed-v4:0 or global\.cohere\.embed-v4:0$/,
    );
    expect(said('amazon.nova-2-lite-v1:0')).toMatch(/modelId must be that of an inference profile$/);
    const another = new ServiceError('REQUEST_REFUSED', 'too many tokens');
    expect(withLife(another, resolve('cohere.embed-v4:0'), NOW)).toBe(another);
  });

  it('is left alone where it says something else', () => {
    for (const error of [new ServiceError('THROTTLED', 'x'), new Error('x'), undefined, 'x']) {
      expect(withLife(error, resolve('cohere.command-r-v1:0'), NOW)).toBe(error);
    }
  });
});
