/** What a lane is taken to need for a call before it has seen one. */
const UNKNOWN_CALL_MS = 1_000;
/** How much the newest call counts. */
const WEIGHT = 0.2;
/** A call is overdue that has run for so many times as long as they do on average. */
const OVERDUE_FACTOR = 2;
/** However fast its calls are, a lane does not stand still before it has done so for as long. */
export const STANDSTILL_MS = 1_000;

/** A call that runs. */
export interface RunningCall {
  readonly startedAt: number;
}

/** How fast a lane moves, learnt from its calls. All in milliseconds. */
export interface Pace {
  readonly running: number;
  begin(): RunningCall;
  /** `tasks`: how many the call answered; 0 where it failed. `tokens`: what it took. */
  end(call: RunningCall, tasks: number, tokens?: number): void;
  /** Tasks that share one call, at least 1. */
  readonly tasksPerCall: number;
  /** Between two calls, where `atOnce` run, and so many may begin and so many tokens be taken a minute. */
  betweenCalls(atOnce: number, requestsPerMinute: number | undefined, tokensPerMinute?: number): number;
  /** Until the call that has run longest should end; undefined where none runs. */
  untilNextEnds(): number | undefined;
  /** Before any call has ended: how long they take at least, which is what the oldest has run for; undefined after that. */
  readonly untriedMs: number | undefined;
  /** For how long no call has begun or ended, where they don't take that long; 0 while the lane moves. */
  readonly stillMs: number;
  /** No call could begin or end before `at`, by the monotonic clock: a standstill counts from then. Default: now. */
  wasHeldUntil(at?: number): void;
}

export function createPace(): Pace {
  /** In the order they began. */
  const calls = new Set<RunningCall>();
  let callMs: number | undefined;
  let tasksPerCall = 1;
  let tokensPerCall: number | undefined;
  let movedAt = performance.now();

  const usualMs = (): number => callMs ?? UNKNOWN_CALL_MS;

  /** A place whose call is overdue takes as long for one as that has run: it may hang, while the others move. */
  function betweenEnds(atOnce: number): number {
    const now = performance.now();
    let overdue = 0;
    let endsPerMs = 0;
    for (const { startedAt } of calls) {
      const age = now - startedAt;
      if (age <= OVERDUE_FACTOR * usualMs()) break;
      overdue += 1;
      endsPerMs += 1 / age;
    }
    if (overdue === 0 || atOnce === Number.POSITIVE_INFINITY) return usualMs() / atOnce;
    const places = Math.max(atOnce, calls.size);
    endsPerMs += (places - overdue) / usualMs();
    return places / (atOnce * endsPerMs);
  }

  return {
    get running() {
      return calls.size;
    },
    begin() {
      const call = { startedAt: performance.now() };
      calls.add(call);
      movedAt = call.startedAt;
      return call;
    },
    end(call, tasks, tokens) {
      calls.delete(call);
      movedAt = performance.now();
      const ms = movedAt - call.startedAt;
      // One that failed tells how long calls take only where it waited for its answer for longer than they do.
      if (tasks === 0 && ms <= usualMs()) return;
      callMs = average(callMs, ms);
      if (tasks === 0) return;
      tasksPerCall += WEIGHT * (tasks - tasksPerCall);
      if (tokens !== undefined) tokensPerCall = average(tokensPerCall, tokens);
    },
    get tasksPerCall() {
      return Math.max(1, tasksPerCall);
    },
    betweenCalls(atOnce, requestsPerMinute, tokensPerMinute) {
      const byRate = requestsPerMinute === undefined ? 0 : 60_000 / requestsPerMinute;
      const byTokens = tokensPerMinute === undefined ? 0 : (60_000 * (tokensPerCall ?? 0)) / tokensPerMinute;
      return Math.max(betweenEnds(atOnce), byRate, byTokens);
    },
    untilNextEnds() {
      for (const { startedAt } of calls) return Math.max(0, startedAt + usualMs() - performance.now());
      return undefined;
    },
    get untriedMs() {
      if (callMs !== undefined) return undefined;
      const [oldest] = calls;
      return oldest === undefined ? 0 : performance.now() - oldest.startedAt;
    },
    get stillMs() {
      const still = performance.now() - movedAt;
      return still > Math.max(STANDSTILL_MS, OVERDUE_FACTOR * usualMs()) ? still : 0;
    },
    wasHeldUntil(at = performance.now()) {
      movedAt = Math.max(movedAt, at);
    },
  };
}

function average(before: number | undefined, newest: number): number {
  return before === undefined ? newest : before + WEIGHT * (newest - before);
}
