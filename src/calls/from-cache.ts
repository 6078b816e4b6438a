import { createHash } from 'node:crypto';
import type { Snapshot } from '../catalog/snapshot.ts';
import { type AnswerCache, type AnswerPlace, digestOfRecords } from '../integrations/answer-cache.ts';
import { FINISH_REASONS, type FinishReason } from '../integrations/codec.ts';
import type { ResolvedModel } from '../integrations/resolve.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { UsageRecorder } from '../telemetry/usage.ts';
import type { CallAttempt, Prepared } from './attempt.ts';
import type { CachedPlan, CallPlan, CallResult } from './plan.ts';
import { PlanChanged } from './plan-changed.ts';

export interface CacheParts {
  readonly catalog: () => Snapshot;
  readonly mayDecide: () => boolean;
  /** Absent: every call is made, and nothing kept. */
  readonly cache?: {
    readonly answers: AnswerCache;
    readonly usage: Pick<UsageRecorder, 'recordHits'>;
    readonly metrics: Pick<Metrics, 'cacheAsked'>;
    /** Where this process's environment turns calls to: what another endpoint answered is not given. Default: to AWS's own. */
    readonly endpoint?: string | undefined;
  };
}

/** So many pieces are looked up together: as many as one request has. */
const LOOKED_UP_AT_ONCE = 96;

/**
 * A call of a model whose record has a `cache`: what is kept of others is given again, `ask` is asked for the rest alone. What is
 * given costs no turn in the lane, no tokens, and counts for no limit; the right to it is decided all the same, before the look
 * and, where the records have changed meanwhile, after it. Throws what refuses the call, and PlanChanged.
 */
export async function fromCache(
  attempt: CallAttempt,
  ask: (attempt: CallAttempt) => Promise<CallResult>,
  parts: CacheParts,
): Promise<CallResult> {
  const { prepared } = attempt;
  const { cached } = prepared.plan;
  if (parts.cache === undefined || cached === undefined || prepared.model.record.configuration.cache === undefined) {
    return await ask(attempt);
  }
  const { answers, usage, metrics, endpoint } = parts.cache;
  const place = placeOf(prepared.model);
  const values = await find(answers, place, { ...cached, endpoint });
  decideAgain(attempt, place, parts);
  const missing = [...values.keys()].filter((piece) => values[piece] === undefined);
  const hits = values.length - missing.length;
  const result = await answered(missing);
  usage.recordHits({ ...nameOf(prepared), subject: prepared.subject, hits });
  metrics.cacheAsked(nameOf(prepared), hits, missing.length);
  return result;

  async function answered(left: readonly number[]): Promise<CallResult> {
    const { cached: plan = cached } = attempt.prepared.plan;
    if (left.length === 0) return { output: { ...plan?.join(values), cached: true }, tokens: {}, fromCache: true };
    if (hits === 0) return await ask(attempt);
    const rest = await ask(narrowed(attempt, left, place));
    const fresh = rest.output['result'] as readonly unknown[];
    const all = [...values];
    for (const [index, piece] of left.entries()) all[piece] = fresh[index];
    return { output: { ...plan?.join(all), cachedCount: hits }, tokens: rest.tokens };
  }
}

/** Keeps what may be kept of one request's answer, in the background. */
export function keepAnswer({ prepared: { model, plan } }: CallAttempt, result: CallResult, parts: CacheParts): void {
  const bounds = model.record.configuration.cache;
  if (parts.cache === undefined || bounds === undefined || plan.keeps === undefined) return;
  const { answers, endpoint } = parts.cache;
  const kept = plan
    .keeps(result)
    .map(({ determinants, value }) => ({ digest: digestOf(determinants, endpoint), value }));
  if (kept.length > 0) answers.keep(placeOf(model), bounds, kept);
}

/**
 * For a call whose answer is one piece: a completion. One that asks for tools is not kept, since its ids are for one
 * conversation, nor is one that a filter or a fault cut short.
 */
export function cachedWhole(determinants: unknown): Pick<CallPlan, 'cached' | 'keeps'> {
  return {
    cached: {
      pieces: 1,
      determinants: () => determinants,
      isValue: isCompletion,
      join: ([value]) => value as CallResult['output'],
    },
    keeps: ({ output }) => (isCompletion(output) ? [{ determinants, value: output }] : []),
  };
}

const KEPT_REASONS: ReadonlySet<unknown> = new Set<FinishReason>(
  FINISH_REASONS.filter((reason) => reason === 'STOP' || reason === 'MAX_TOKENS' || reason === 'STOP_SEQUENCE'),
);

function isCompletion(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { result, finishReason, toolCalls } = value as Readonly<Record<string, unknown>>;
  return result !== undefined && KEPT_REASONS.has(finishReason) && toolCalls === undefined;
}

function placeOf({ integration, model, record, configuration }: ResolvedModel): AnswerPlace {
  return { integration, model, records: digestOfRecords(record, configuration) };
}

function nameOf({ model: { integration, model } }: Prepared): { readonly integration: string; readonly model: string } {
  return { integration, model };
}

/** In chunks, so that neither Redis nor this process is held by a long list; no more of them than Redis answers soon. */
async function find(
  answers: AnswerCache,
  place: AnswerPlace,
  cached: CachedPlan & { readonly endpoint: string | undefined },
): Promise<readonly unknown[]> {
  const values = new Array<unknown>(cached.pieces).fill(undefined);
  for (let from = 0; from < cached.pieces; from += LOOKED_UP_AT_ONCE) {
    const count = Math.min(LOOKED_UP_AT_ONCE, cached.pieces - from);
    const digests = Array.from({ length: count }, (_, index) =>
      digestOf(cached.determinants(from + index), cached.endpoint),
    );
    const found = await answers.find(place, digests);
    if (found === undefined) break;
    for (const [index, value] of found.entries()) if (cached.isValue(value)) values[from + index] = value;
  }
  return values;
}

/** Time has passed since it was decided. A prompt may have changed, too, of which a completion is made. */
function decideAgain(attempt: CallAttempt, place: AnswerPlace, { catalog, mayDecide }: CacheParts): void {
  attempt.running.throwIfAborted();
  attempt.waiting.throwIfAborted();
  if (catalog() === attempt.prepared.snapshot && mayDecide()) return;
  const [before, now] = [attempt.prepared.plan.cached, attempt.prepare()];
  if (!isOf(place, now.model) || digestOf(before?.determinants(0)) !== digestOf(now.plan.cached?.determinants(0))) {
    throw new PlanChanged();
  }
  attempt.prepared = now;
}

/** The same call for some of its pieces, as long as its model's records stay. */
function narrowed(attempt: CallAttempt, pieces: readonly number[], place: AnswerPlace): CallAttempt {
  const narrow = (prepared: Prepared): Prepared => {
    const plan = prepared.plan.cached?.only?.(pieces);
    if (plan === undefined || !isOf(place, prepared.model)) throw new PlanChanged();
    return { ...prepared, plan };
  };
  return { ...attempt, prepared: narrow(attempt.prepared), prepare: () => narrow(attempt.prepare()) };
}

/** The inputs of a call stay: a list has the same pieces wherever its model's records are the same. */
function isOf({ integration, model, records }: AnswerPlace, now: ResolvedModel): boolean {
  const place = placeOf(now);
  return place.integration === integration && place.model === model && place.records === records;
}

function digestOf(determinants: unknown, endpoint?: string): string {
  const text = JSON.stringify([determinants, endpoint], (_, value: unknown) =>
    value instanceof Uint8Array ? { sha256: createHash('sha256').update(value).digest('base64url') } : value,
  );
  return createHash('sha256').update(text).digest('base64url');
}
