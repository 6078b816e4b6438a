import { ServiceError } from '../errors.ts';
import type { Codec, Family } from './codec.ts';
import { codecFor } from './codecs.ts';
import { familyOf, findModel, lifeOf, lifeWarning } from './cohere/models.ts';
import type { IntegrationConfiguration } from './integration.ts';
import { type LaneLimits, NO_LIMITS } from './lanes/lane-use.ts';
import type { Model } from './model.ts';

/** Everything needed to call one model of one integration. */
export interface ResolvedModel {
  readonly integration: string;
  readonly model: string;
  readonly configuration: IntegrationConfiguration;
  readonly record: Model;
  /** What Bedrock is called with: the record's `modelId`, or the model's name. */
  readonly modelId: string;
  readonly family: Family;
  readonly codec: Codec;
  readonly timeoutMs: number;
}

export function resolveModel(parts: {
  readonly integration: string;
  readonly model: string;
  readonly configuration: IntegrationConfiguration;
  readonly record: Model;
}): ResolvedModel {
  const { modelId = parts.model, family: named, timeoutMs } = parts.record.configuration;
  const family = familyOf({ name: parts.model, modelId, family: named });
  return { ...parts, modelId, family, codec: codecFor(family), timeoutMs };
}

/** Names the lane of a model: aliases of the same resolved id share it. */
export function laneOf(integration: string, model: string, record: Model): string {
  return `${integration}:${record.configuration.modelId ?? model}`;
}

/** The tightest limits among the records of each lane; a lane without any is left out. */
export function laneLimits(
  models: Iterable<{ readonly integration: string; readonly model: string; readonly record: Model }>,
): ReadonlyMap<string, LaneLimits> {
  const limits = new Map<string, LaneLimits>();
  for (const { integration, model, record } of models) {
    const { maxConcurrencyPerWorker, maxConcurrency, requestsPerMinute, tokensPerMinute } = record.configuration;
    const lane = laneOf(integration, model, record);
    const others = limits.get(lane) ?? NO_LIMITS;
    limits.set(lane, {
      perWorker: tighter(others.perWorker, maxConcurrencyPerWorker),
      concurrency: tighter(others.concurrency, maxConcurrency),
      requestsPerMinute: tighter(others.requestsPerMinute, requestsPerMinute),
      tokensPerMinute: tighter(others.tokensPerMinute, tokensPerMinute),
    });
  }
  return limits;
}

function tighter(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** Bedrock's refusal of a model it does not have, with what is known of the model's life and a living alternative. */
export function withLife(error: unknown, { modelId }: ResolvedModel, now: Date): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'MODEL_NOT_FOUND') return error;
  const life = lifeOf(modelId, now);
  const warning = lifeWarning(life);
  if (life.state !== 'ended' || warning === undefined) return error;
  const id = findModel(modelId)?.id ?? modelId;
  return new ServiceError('MODEL_NOT_FOUND', `${error.message}. ${warning.replace('the model', id)}`, {
    field: 'model',
    cause: error.cause,
  });
}
