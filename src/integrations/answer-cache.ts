/**
 * The port between calls and the answers that replicas keep for each other. It is filled by `src/cluster/answer-cache.ts`,
 * in Redis; what an answer is kept for, and when it is given again, is `src/calls/from-cache.ts`'s.
 */
import { createHash } from 'node:crypto';
import type { IntegrationConfiguration } from './integration.ts';
import type { Model } from './model.ts';

/** Where the answers of one model of one integration are kept. No two integrations ever share any. */
export interface AnswerPlace {
  readonly integration: string;
  readonly model: string;
  /** Digest of the records that say how the model is called: what was kept under others is thrown away. */
  readonly records: string;
}

/** How long and how much: the model's `cache`. */
export interface AnswerBounds {
  readonly ttlSeconds: number;
  readonly maxMegabytes: number;
}

export interface CachedAnswer {
  /** Digest of all that determines the answer, but for the records of its place. */
  readonly digest: string;
  /** Any JSON. */
  readonly value: unknown;
}

export interface AnswerCache {
  /**
   * What is kept for each digest; undefined where nothing is. Never rejects: undefined where Redis does not answer soon. Values are
   * as they stand in Redis, whoever wrote them there: to be checked by the caller.
   */
  find(place: AnswerPlace, digests: readonly string[]): Promise<readonly unknown[] | undefined>;
  /** In the background; what cannot be written is not kept. */
  keep(place: AnswerPlace, bounds: AnswerBounds, answers: readonly CachedAnswer[]): void;
}

/** Changed where values, or what determines them, come to be written in another form: what older versions kept is then none. */
const FORM = 1;

const digests = new WeakMap<Model, { readonly configuration: IntegrationConfiguration; readonly digest: string }>();

/** Of a model's record, and of what its integration's says of where it is called; secrets left out. */
export function digestOfRecords(record: Model, configuration: IntegrationConfiguration): string {
  const known = digests.get(record);
  if (known?.configuration === configuration) return known.digest;
  const { connectionType, region, roleArn, user, awsAccountId } = configuration;
  const text = JSON.stringify([FORM, record, { connectionType, region, roleArn, user, awsAccountId }]);
  const digest = createHash('sha256').update(text).digest('base64url');
  digests.set(record, { configuration, digest });
  return digest;
}
