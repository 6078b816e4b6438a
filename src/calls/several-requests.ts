import { setTimeout as sleep } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import { type ErrorCode, ServiceError } from '../errors.ts';
import type { CallAttempt, Prepared } from './attempt.ts';
import { type CallParts, type TurnTerms, takeTurn } from './call.ts';
import { type CacheParts, fromCache, keepAnswer } from './from-cache.ts';
import type { CallResult, FurtherRequests } from './plan.ts';
import { PlanChanged } from './plan-changed.ts';

export interface SeveralParts extends CallParts, CacheParts {
  /** Bounds requests beyond the first, of all calls of one lane together. Default: no bound but each call's own. */
  readonly further?: (lane: string) => LimitFunction;
}

/** Each lane by itself, so that those who wait for one model hold up nobody else's. */
export function furtherAtOnce(count: number): (lane: string) => LimitFunction {
  const limits = new Map<string, LimitFunction>();
  return (lane) => {
    const limit = limits.get(lane) ?? pLimit(count);
    limits.set(lane, limit);
    return limit;
  };
}

/** Requests of one call at once, so that a large one leaves turns to others. */
const AT_ONCE = 8;
/** A request that follows paid ones is made so often before its failure is the call's. */
const TRIES = 3;
const FIRST_PAUSE_MS = 250;

/** What another try may mend by itself, soon. Throttling is waited out in the lane. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'BEDROCK_UNAVAILABLE',
  'MODEL_TIMEOUT',
  'MODEL_FAILED',
  'ANSWER_INVALID',
]);

/**
 * `takeTurn` for a call of one request or of several, of which some or all may have been answered before: see `from-cache.ts`.
 * A call whose records change meanwhile begins anew, so that an output never mixes two models.
 */
export async function takeTurns(attempt: CallAttempt, terms: TurnTerms, parts: SeveralParts): Promise<CallResult> {
  for (;;) {
    try {
      return await fromCache(attempt, (rest) => takeRequests(rest, terms, parts), parts);
    } catch (error) {
      if (!(error instanceof PlanChanged)) throw error;
      attempt.prepared = attempt.prepare();
    }
  }
}

/**
 * Each request is admitted, decided, sent and counted by itself. The first goes alone and opens the way: until it is
 * answered, the call may be put off as any other, and nothing has been paid for. Then the others go, some at a time, and
 * wait in their lane for as long as it takes: what was answered is not asked for again. Where one fails for good, the others
 * are broken off. Throws PlanChanged.
 */
async function takeRequests(attempt: CallAttempt, terms: TurnTerms, parts: SeveralParts): Promise<CallResult> {
  const { further } = attempt.prepared.plan;
  const first = await takeRequest(requestOf(attempt, 0, further?.key), terms, parts);
  return further === undefined ? first : await takeFurther(attempt, first, further, terms, parts);
}

async function takeRequest(request: CallAttempt, terms: TurnTerms, parts: SeveralParts): Promise<CallResult> {
  const result = await takeTurn(request, terms, parts);
  keepAnswer(request, result, parts);
  return result;
}

async function takeFurther(
  attempt: CallAttempt,
  first: CallResult,
  { key, plans, join }: FurtherRequests,
  terms: TurnTerms,
  parts: SeveralParts,
): Promise<CallResult> {
  const ended = new AbortController();
  const waiting = AbortSignal.any([attempt.waiting, ended.signal]);
  const running = AbortSignal.any([attempt.running, ended.signal]);
  // Its own ticket is used up, and one without a bound of its sleep is never sent away.
  const held = { ...terms, task: { ...terms.task, ticket: undefined, sleepAtMostMs: undefined } };

  async function take(index: number): Promise<CallResult> {
    for (let tries = 1; ; tries += 1) {
      try {
        waiting.throwIfAborted();
        return await takeRequest({ ...requestOf(attempt, index, key), waiting, running }, held, parts);
      } catch (error) {
        if (waiting.aborted || tries >= TRIES || !(error instanceof ServiceError && PASSING.has(error.code))) {
          ended.abort(error);
          throw error;
        }
        await sleep(FIRST_PAUSE_MS * 2 ** (tries - 1), undefined, { signal: waiting }).catch(() => undefined);
      }
    }
  }

  const limit = pLimit(AT_ONCE);
  const among = parts.further?.(attempt.prepared.lane) ?? pLimit(AT_ONCE);
  const settled = await Promise.allSettled(plans.map((_, index) => limit(() => among(() => take(index + 1)))));
  // The first to fail; the others were broken off for it.
  ended.signal.throwIfAborted();
  return join([first, ...settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))]);
}

/** One of a call's requests as a call of its own; `key`: that of the plan which it is part of. */
function requestOf(attempt: CallAttempt, index: number, key: string | undefined): CallAttempt {
  const pick = (prepared: Prepared): Prepared => {
    const { further } = prepared.plan;
    const plan = index === 0 ? prepared.plan : further?.plans[index - 1];
    if (further?.key !== key || plan === undefined) throw new PlanChanged();
    return { ...prepared, plan };
  };
  return {
    prepared: pick(attempt.prepared),
    prepare: () => pick(attempt.prepare()),
    waiting: attempt.waiting,
    running: attempt.running,
  };
}
