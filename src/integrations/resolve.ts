import { ServiceError } from '../errors.ts';
import type { Codec, Family } from './codec.ts';
import { codecFor } from './codecs.ts';
import { familyOf, findModel, lifeOf } from './cohere/models.ts';
import type { IntegrationConfiguration } from './integration.ts';
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

/** Calls at once from one worker; a cluster-wide limit is never exceeded by one worker alone. Undefined: none. */
export function workerLimit({ configuration }: Model): number | undefined {
  const limits = [configuration.maxConcurrencyPerWorker, configuration.maxConcurrency].filter((n) => n !== undefined);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** The tightest limit among the records of each lane. */
export function laneLimits(
  models: Iterable<{ readonly integration: string; readonly model: string; readonly record: Model }>,
): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  for (const { integration, model, record } of models) {
    const limit = workerLimit(record);
    const lane = laneOf(integration, model, record);
    if (limit !== undefined) limits.set(lane, Math.min(limit, limits.get(lane) ?? limit));
  }
  return limits;
}

/** Bedrock's refusal of a model it does not have, with what is known of the model's life and a living alternative. */
export function withLife(error: unknown, { modelId }: ResolvedModel, now: Date): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'MODEL_NOT_FOUND') return error;
  const life = lifeOf(modelId, now);
  if (life.state !== 'ended') return error;
  const alternative = life.alternative === undefined ? '' : `; a living alternative is ${life.alternative}`;
  return new ServiceError(
    'MODEL_NOT_FOUND',
    `${error.message}. ${findModel(modelId)?.id ?? 'It'} reached its end of life on ${life.endedOn}${alternative}`,
    {
      field: 'model',
      cause: error.cause,
    },
  );
}
