/** How long somebody stands in line; what is spent in a turn does not count. */
export interface Patience {
  /** Aborted, with the error given, when it is over. */
  readonly signal: AbortSignal;
  /** Time stands still for it until this is done; while several run, until all are. */
  pausedFor<T>(turn: () => Promise<T>): Promise<T>;
  /** No timer is left. */
  end(): void;
}

export function createPatience(ms: number, over: () => Error): Patience {
  const controller = new AbortController();
  let leftMs = ms;
  let since = performance.now();
  let timer = start();
  let turns = 0;

  function start(): NodeJS.Timeout {
    since = performance.now();
    return setTimeout(() => controller.abort(over()), leftMs);
  }

  return {
    signal: controller.signal,
    async pausedFor(turn) {
      turns += 1;
      if (turns === 1) {
        clearTimeout(timer);
        leftMs = Math.max(0, leftMs - (performance.now() - since));
      }
      try {
        return await turn();
      } finally {
        turns -= 1;
        if (turns === 0) timer = start();
      }
    },
    end: () => clearTimeout(timer),
  };
}
