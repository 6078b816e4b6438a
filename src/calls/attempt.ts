import type { Snapshot } from '../catalog/snapshot.ts';
import { type ErrorCode, failureOf } from '../errors.ts';
import { type BedrockClient, CredentialsRefused } from '../integrations/bedrock/client.ts';
import type { Clients } from '../integrations/clients.ts';
import type { TokenCounts } from '../integrations/codec.ts';
import type { IntegrationConfiguration } from '../integrations/integration.ts';
import type { Part, Turn } from '../integrations/lanes/lane-use.ts';
import { type ResolvedModel, withLife } from '../integrations/resolve.ts';
import type { Account } from '../limits/accounts.ts';
import type { Limit } from '../limits/limit-book.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { UsageRecorder } from '../telemetry/usage.ts';
import type { CallFault, CallPlan, CallResult } from './plan.ts';
import { askLimits, isLimited, type LimitParts } from './within-limits.ts';

/** What was decided about a task, by the records of one moment. */
export interface Prepared {
  readonly snapshot: Snapshot;
  readonly model: ResolvedModel;
  readonly plan: CallPlan;
  /** The lane of its model. */
  readonly lane: string;
  /** For whom, as grants write it; '' where nobody was asked for. */
  readonly subject: string;
  /** What its tokens are put down to, and the limits on that. */
  readonly accounts: readonly Account[];
  readonly limits: readonly Limit[];
}

/** One task on its way through a lane. */
export interface CallAttempt {
  prepared: Prepared;
  /** Decides by the records of now. Throws what refuses the task. */
  prepare(): Prepared;
  /** The last attempt's credentials were refused: the next goes out with others. */
  refused?: CredentialsRefused | undefined;
  /** Aborted when the worker stops or others have the task: it is not sent any more. */
  readonly waiting: AbortSignal;
  /** Aborted when the task's time is over, or the worker must end: a running call is broken off. */
  readonly running: AbortSignal;
}

/** The records changed so much while the task waited that it belongs elsewhere: another lane, client or request. */
export class BelongsElsewhere extends Error {
  override readonly name = 'BelongsElsewhere';
}

/** Refusals before any work: they take no tokens. */
const AT_THE_DOOR: ReadonlySet<string> = new Set<ErrorCode>([
  'THROTTLED',
  'REQUEST_REFUSED',
  'MODEL_NOT_FOUND',
  'CREDENTIALS_FAILED',
]);

/** Where calls are counted. */
export type CallMeter = Pick<Metrics, 'callEnded' | 'tokens' | 'refusedByLimit'>;

export interface DispatchParts extends LimitParts {
  readonly catalog: () => Snapshot;
  readonly mayDecide: () => boolean;
  readonly clients: Clients;
  readonly metrics: CallMeter;
  readonly usage: Pick<UsageRecorder, 'record'>;
}

/**
 * One turn, for one task or several that share the request. First the credentials, by the records of now, which may take
 * long; then token limits; then everybody's right, so that one revoked while a task waited stops it; then the lease, and the call.
 */
export async function dispatch(
  attempts: readonly CallAttempt[],
  turn: Turn,
  parts: DispatchParts,
): Promise<readonly Part<CallResult>[]> {
  const [head, ...others] = attempts;
  if (head === undefined) {
    turn.settle(0);
    return [];
  }
  const unfit = decideAgain(head, parts);
  if (unfit !== undefined) return [unfit, ...(await dispatch(others, turn, parts))];
  const { integration, model, configuration, timeoutMs } = head.prepared.model;
  return await parts.clients.withClient(integration, configuration, async (client) => {
    try {
      const refused = attempts.find((attempt) => attempt.refused !== undefined)?.refused;
      await client.ready({ integration, model }, timeoutMs, head.running, refused);
    } catch (error) {
      turn.settle(0);
      if (!head.running.aborted) throw error;
      // The end of the one that leads is not the others'.
      return attempts.map(({ running }) =>
        running.aborted ? { kind: 'failed', error: running.reason } : { kind: 'again' },
      );
    }
    const asked = askLimits(attempts, parts);
    const verdict = asked instanceof Promise ? await asked : asked;
    const refusals = attempts.map((attempt) => decideAgain(attempt, parts, configuration) ?? verdict(attempt));
    const [first, ...more] = attempts.filter((_, index) => refusals[index] === undefined);
    if (first === undefined) turn.settle(0);
    const answers = first === undefined ? [] : await ask(client, [first, ...more], turn, parts);
    const rest = answers.values();
    return refusals.map((refusal) => refusal ?? rest.next().value ?? { kind: 'again' });
  });
}

/** Undefined: it may go, in this request and with the client of this configuration, where there is one already. */
function decideAgain(
  attempt: CallAttempt,
  { catalog, mayDecide }: DispatchParts,
  configuration?: IntegrationConfiguration,
): Part<CallResult> | undefined {
  const before = attempt.prepared;
  try {
    attempt.running.throwIfAborted();
    attempt.waiting.throwIfAborted();
    if (catalog() !== before.snapshot || !mayDecide()) attempt.prepared = attempt.prepare();
  } catch (error) {
    return { kind: 'failed', error };
  }
  const { lane, model, plan } = attempt.prepared;
  // Compared for one that is as it was decided, too: the client is of the one that leads, which may be of older records.
  const isOfClient =
    configuration === undefined ||
    model.configuration === configuration ||
    JSON.stringify(model.configuration) === JSON.stringify(configuration);
  const fits = lane === before.lane && isOfClient && plan.shared?.key === before.plan.shared?.key;
  return fits ? undefined : { kind: 'failed', error: new BelongsElsewhere() };
}

async function ask(
  client: BedrockClient,
  group: readonly [CallAttempt, ...CallAttempt[]],
  turn: Turn,
  parts: DispatchParts,
): Promise<readonly Part<CallResult>[]> {
  const { metrics, usage } = parts;
  if (!turn.holds()) {
    turn.settle(0);
    return group.map(() => ({ kind: 'again' }));
  }
  const { model, plan } = group[0].prepared;
  const place = { integration: model.integration, model: model.model };
  const shared = group.length > 1 ? plan.shared : undefined;
  const texts = group.map(({ prepared }) => prepared.plan.shared?.text ?? '');
  const watch = watchOver(group, turn);
  const startedAt = performance.now();
  let code = '';
  try {
    const answer = await client.send({
      place,
      modelId: model.modelId,
      call: shared === undefined ? plan.call : shared.join(texts),
      timeoutMs: model.timeoutMs,
      signal: watch.signal,
      refused: group.find(({ refused }) => refused !== undefined)?.refused,
    });
    const results = shared === undefined ? [plan.finish(answer)] : shared.split(answer, texts);
    const { prompt, completion } = totalOf(results);
    metrics.tokens(place, prompt, completion);
    for (const [index, { tokens }] of results.entries()) {
      const { subject = '', accounts = [], plan: of = plan } = group[index]?.prepared ?? {};
      usage.record({ ...place, subject, tokens, spent: { accounts, tokens: spentOf(tokens, of) } });
    }
    // Where Bedrock counted nothing, what was estimated stands.
    if (prompt !== undefined || completion !== undefined) turn.settle((prompt ?? 0) + (completion ?? 0));
    // Before anybody hears of the answer, and while it has its place in the lane: who starts after it knows what it used.
    if (group.some((attempt) => isLimited(attempt, parts.catalog(), parts))) await parts.limits.settle();
    const [only] = results;
    if (group.length === 1 && only !== undefined && 'error' in only) code = only.error.code;
    return results.map((value) =>
      'error' in value ? { kind: 'failed', error: value.error } : { kind: 'done', value },
    );
  } catch (error) {
    code = watch.signal.aborted ? 'ABORTED' : failureOf(error).code;
    if (AT_THE_DOOR.has(code)) turn.settle(0);
    if (turn.lapsed?.aborted === true) return group.map(() => ({ kind: 'again' }));
    if (error instanceof CredentialsRefused) {
      code = 'CREDENTIALS_FAILED';
      turn.settle(0);
      for (const attempt of group) attempt.refused = error;
      return group.map(() => ({ kind: 'again' }));
    }
    const failed = { kind: 'failed', error: withLife(error, model, new Date()) } as const;
    return group.map(() => failed);
  } finally {
    watch.end();
    metrics.callEnded({ ...place, code }, (performance.now() - startedAt) / 1_000);
  }
}

function totalOf(results: readonly (CallResult | CallFault)[]): TokenCounts {
  const sum = (counts: readonly (number | undefined)[]): number | undefined =>
    counts.reduce((total, count) => (count === undefined ? total : (total ?? 0) + count), undefined);
  return {
    prompt: sum(results.map(({ tokens }) => tokens.prompt)),
    completion: sum(results.map(({ tokens }) => tokens.completion)),
  };
}

/** What limits count: as Bedrock counted, or where it did not, what was estimated. */
function spentOf({ prompt, completion }: TokenCounts, { estimatedTokens }: CallPlan): number {
  return prompt === undefined && completion === undefined ? estimatedTokens : (prompt ?? 0) + (completion ?? 0);
}

/** A call is broken off when its lease lapses, or when nobody waits for it any more. */
function watchOver(group: readonly CallAttempt[], turn: Turn): { readonly signal: AbortSignal; end(): void } {
  const [only] = group;
  if (group.length === 1 && turn.lapsed === undefined && only !== undefined) {
    return { signal: only.running, end: () => undefined };
  }
  const call = new AbortController();
  let waiting = group.length;
  const undo: (() => void)[] = [];
  const listen = (signal: AbortSignal, heard: () => void): void => {
    if (signal.aborted) return heard();
    signal.addEventListener('abort', heard, { once: true });
    undo.push(() => signal.removeEventListener('abort', heard));
  };
  for (const { running } of group) {
    listen(running, () => {
      waiting -= 1;
      if (waiting === 0) call.abort(running.reason);
    });
  }
  const { lapsed } = turn;
  if (lapsed !== undefined) listen(lapsed, () => call.abort(lapsed.reason));
  return { signal: call.signal, end: () => undo.forEach((forget) => void forget()) };
}
