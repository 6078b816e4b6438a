import type { Capacity } from './capacity.ts';
import type { Pace } from './pace.ts';

/** When tasks that wait in a lane may expect their turns, in milliseconds from now. */
export interface Outlook {
  /** Of the first that has to wait for one. */
  readonly firstMs: number;
  /** `turns`: how many are taken before. */
  expectedMs(turns: number): number;
}

/**
 * `blockedMs`: how long nobody is admitted, as Redis last said. Where there are more workers than places, this worker's
 * part is less than one: but as long as it runs nothing one of its tasks must stay and ask, or nobody would ever start.
 * A lane that stands still is expected to do so for as long again.
 */
export function outlookOf(now: Capacity, pace: Pace, blockedMs: number): Outlook {
  const { share, betweenCallsMs } = now;
  const room = Math.max(pace.running === 0 ? 1 : 0, Math.floor(share) - pace.running);
  const isOnlyBlocked = blockedMs > 0 && room > 0;
  const nextMs = isOnlyBlocked ? blockedMs : Math.max(blockedMs, pace.untilNextEnds() ?? betweenCallsMs);
  const free = blockedMs > 0 ? 0 : room;
  const { stillMs } = pace;
  return {
    firstMs: nextMs + stillMs,
    expectedMs: (turns) => (turns < free ? 0 : nextMs + (turns - free) * betweenCallsMs) + (turns < room ? 0 : stillMs),
  };
}
