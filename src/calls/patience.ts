/** How long somebody stands in line; what is spent in a turn does not count. */
export interface Patience {
  /** Aborted, with the error given, when it is over. */
  readonly signal: AbortSignal;
  /** Time stands still for it until this is done. */
  pausedFor<T>(turn: () => Promise<T>): Promise<T>;
  /** No timer is left. */
  end(): void;
}

export function createPatience(ms: number, over: () => Error): Patience {
  const controller = new AbortController();
  let leftMs = ms;
  let since = performance.now();
  let timer = start();

  function start(): NodeJS.Timeout {
    since = performance.now();
    return setTimeout(() => controller.abort(over()), leftMs);
  }

  return {
    signal: controller.signal,
    async pausedFor(turn) {
      clearTimeout(timer);
      leftMs = Math.max(0, leftMs - (performance.now() - since));
      try {
        return await turn();
      } finally {
        timer = start();
      }
    },
    end: () => clearTimeout(timer),
  };
}
