/** Redis' clock, the only one that all replicas share, as far as this process knows it. Milliseconds since 1970. */
export interface RedisClock {
  /** This machine's own time until Redis' was heard. */
  now(): number;
  /** What Redis said just now. */
  learn(ms: number): void;
}

export function createRedisClock(): RedisClock {
  let aheadMs = 0;
  return {
    now: () => Date.now() + aheadMs,
    learn(ms) {
      aheadMs = ms - Date.now();
    },
  };
}
