/** What a lane is taken to need for a call before it has seen one. */
const UNKNOWN_CALL_MS = 1_000;
/** How much the newest call counts. */
const WEIGHT = 0.2;

/** A call that runs. */
export interface RunningCall {
  readonly startedAt: number;
}

/** How fast a lane moves, learnt from its calls. All in milliseconds. */
export interface Pace {
  readonly running: number;
  begin(): RunningCall;
  /** `tasks`: how many the call answered; 0 where it failed, which says nothing of how long calls take. `tokens`: what it took. */
  end(call: RunningCall, tasks: number, tokens?: number): void;
  /** Tasks that share one call, at least 1. */
  readonly tasksPerCall: number;
  /** Between two calls, where `atOnce` run, and so many may begin and so many tokens be taken a minute. */
  betweenCalls(atOnce: number, requestsPerMinute: number | undefined, tokensPerMinute?: number): number;
  /** Until the call that has run longest should end; undefined where none runs. */
  untilNextEnds(): number | undefined;
}

export function createPace(): Pace {
  /** In the order they began. */
  const calls = new Set<RunningCall>();
  let callMs: number | undefined;
  let tasksPerCall = 1;
  let tokensPerCall: number | undefined;

  return {
    get running() {
      return calls.size;
    },
    begin() {
      const call = { startedAt: performance.now() };
      calls.add(call);
      return call;
    },
    end(call, tasks, tokens) {
      calls.delete(call);
      if (tasks === 0) return;
      const ms = performance.now() - call.startedAt;
      callMs = average(callMs, ms);
      tasksPerCall += WEIGHT * (tasks - tasksPerCall);
      if (tokens !== undefined) tokensPerCall = average(tokensPerCall, tokens);
    },
    get tasksPerCall() {
      return Math.max(1, tasksPerCall);
    },
    betweenCalls(atOnce, requestsPerMinute, tokensPerMinute) {
      const byRate = requestsPerMinute === undefined ? 0 : 60_000 / requestsPerMinute;
      const byTokens = tokensPerMinute === undefined ? 0 : (60_000 * (tokensPerCall ?? 0)) / tokensPerMinute;
      return Math.max((callMs ?? UNKNOWN_CALL_MS) / atOnce, byRate, byTokens);
    },
    untilNextEnds() {
      for (const { startedAt } of calls) {
        return Math.max(0, startedAt + (callMs ?? UNKNOWN_CALL_MS) - performance.now());
      }
      return undefined;
    },
  };
}

function average(before: number | undefined, newest: number): number {
  return before === undefined ? newest : before + WEIGHT * (newest - before);
}
