import type { Snapshot } from '../catalog/snapshot.ts';
import type { ServiceError } from '../errors.ts';
import type { Part } from '../integrations/lanes/lane-use.ts';
import type { Account } from '../limits/accounts.ts';
import type { Limit, LimitKind } from '../limits/limit-book.ts';
import { limitError } from '../limits/limit-error.ts';
import { lastToReset, type Reached, type TokenLimits } from '../limits/token-limits.ts';
import { Undecided } from './undecided.ts';

/** Token limits, as calls need them. */
export interface LimitParts {
  readonly limits: TokenLimits;
  readonly metrics: { refusedByLimit(labels: { kind: LimitKind; name: string; frequency: string }): void };
}

/** What is known of a call that token limits concern. */
export interface Limited {
  readonly prepared: {
    readonly snapshot: Snapshot;
    readonly model: { readonly integration: string; readonly model: string };
    readonly accounts: readonly Account[];
    readonly limits: readonly Limit[];
  };
}

/** What the limits say about each call, by those that concern it when this is asked. Undefined: it may go. */
export type LimitVerdict = (attempt: Limited) => Part<never> | undefined;

/**
 * The one place where token limits are asked: one question of Redis for all calls that share a request, after their turn in the
 * lane and just before they are decided for the last time. None where no limit concerns any of them.
 */
export function askLimits(attempts: readonly Limited[], parts: LimitParts): LimitVerdict | Promise<LimitVerdict> {
  const asked = new Map(attempts.map((attempt) => [attempt, attempt.prepared.limits]));
  const limits = distinct([...asked.values()].flat());
  const verdict =
    (reached: ReadonlyMap<string, Reached> | undefined): LimitVerdict =>
    (attempt) => {
      const { limits: concerned, model } = attempt.prepared;
      // By other records than those that were asked about: it takes another turn.
      if (!isSame(concerned, asked.get(attempt) ?? [])) return { kind: 'again' };
      if (concerned.length === 0) return undefined;
      if (reached === undefined) return { kind: 'failed', error: new Undecided() };
      const one = lastToReset(concerned.flatMap((limit) => reached.get(idOf(limit)) ?? []));
      return one === undefined ? undefined : { kind: 'failed', error: refusal(one, model, parts) };
    };
  if (limits.length === 0) return verdict(new Map());
  return parts.limits.reached(limits).then(
    (reached) => verdict(new Map(Array.from(reached, ([limit, one]) => [idOf(limit), one]))),
    // Redis does not answer: as with limits of a lane, nothing starts that has one.
    () => verdict(undefined),
  );
}

/** Throws what a limit that was found used up a moment ago refuses: its backlog takes no turns that others could have. */
export function demandWithinLimits(
  limits: readonly Limit[],
  model: { readonly integration: string; readonly model: string },
  parts: LimitParts,
): void {
  const one = limits.length === 0 ? undefined : parts.limits.reachedLately(limits);
  if (one !== undefined) throw refusal(one, model, parts);
}

/** Whether a limit concerns it by the records of now, which may be others than those by which it started. */
export function isLimited({ prepared }: Limited, snapshot: Snapshot, { limits }: Pick<LimitParts, 'limits'>): boolean {
  if (prepared.limits.length > 0 || prepared.snapshot === snapshot) return prepared.limits.length > 0;
  try {
    return limits.on(snapshot, prepared.accounts).length > 0;
  } catch {
    return true;
  }
}

function refusal(
  reached: Reached,
  { integration, model }: { readonly integration: string; readonly model: string },
  { metrics }: Pick<LimitParts, 'metrics'>,
): ServiceError {
  const { kind, name, frequency } = reached.limit;
  metrics.refusedByLimit({ kind, name, frequency });
  return limitError(reached, `${integration}:${model}`);
}

function idOf({ account, frequency, maxTokens }: Limit): string {
  return `${frequency} ${maxTokens} ${account}`;
}

function distinct(limits: readonly Limit[]): readonly Limit[] {
  return limits.length < 2 ? limits : [...new Map(limits.map((limit) => [idOf(limit), limit])).values()];
}

function isSame(one: readonly Limit[], other: readonly Limit[]): boolean {
  return (
    one === other || (one.length === other.length && one.every((limit, at) => idOf(limit) === idOf(other[at] ?? limit)))
  );
}
