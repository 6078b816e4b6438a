import { ServiceError } from '../errors.ts';
import type { Codec, Family } from './codec.ts';
import { codecFor } from './codecs.ts';
import { familyOf, findModel, lifeOf, lifeWarning, profilesIn } from './cohere/models.ts';
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

/** Bedrock's words for a model that a region serves by inference profiles alone; it answers 400. */
const BY_PROFILE_ALONE = /on-demand throughput/i;

/**
 * Bedrock's refusal of a model that it does not have, with what is known of the model's life and a living alternative; of one
 * that only a profile reaches, with the profiles that do.
 */
export function withLife(error: unknown, { modelId, configuration }: ResolvedModel, now: Date): unknown {
  if (!(error instanceof ServiceError)) return error;
  if (error.code === 'REQUEST_REFUSED' && BY_PROFILE_ALONE.test(error.message)) {
    const [first = 'that of an inference profile', ...others] = profilesIn(modelId, configuration.region);
    const hint = `Its record's configuration.modelId must be ${[first, ...others].join(' or ')}`;
    return new ServiceError(error.code, `${error.message}. ${hint}`, { field: 'model', cause: error.cause });
  }
  if (error.code !== 'MODEL_NOT_FOUND') return error;
  const life = lifeOf(modelId, now, configuration.region);
  const warning = lifeWarning(life);
  if (life.state !== 'ended' || warning === undefined) return error;
  const id = findModel(modelId)?.id ?? modelId;
  return new ServiceError('MODEL_NOT_FOUND', `${error.message}. ${warning.replace('the model', id)}`, {
    field: 'model',
    cause: error.cause,
  });
}
