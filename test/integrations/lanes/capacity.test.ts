import { describe, expect, it } from 'vitest';
import { capacityOf } from '../../../src/integrations/lanes/capacity.ts';
import { type LaneLimits, NO_LIMITS } from '../../../src/integrations/lanes/lane-use.ts';
import { createPace } from '../../../src/integrations/lanes/pace.ts';

function capacity(limits: Partial<LaneLimits>, workers: number, shrunk?: number) {
  const pace = createPace();
  pace.end(pace.begin(), 1, 100);
  const cluster = { effective: () => shrunk };
  return capacityOf({ lane: 'a', limits: { ...NO_LIMITS, ...limits }, cluster, workers, pace });
}

describe('what a lane can do', () => {
  it('is this worker’s part of what holds over all, less while Bedrock throttles', () => {
    expect(capacity({ concurrency: 8 }, 2).share).toBe(4);
    expect(capacity({ concurrency: 8 }, 2, 2).share).toBe(1);
  });

  it('is never more than is configured, whatever throttling left at another time', () => {
    expect(capacity({ concurrency: 8 }, 2, 100).share).toBe(4);
  });

  it('counts the tokens of a minute over all workers, and this worker’s part of them', () => {
    const { intervalMs, betweenCallsMs } = capacity({ tokensPerMinute: 6_000 }, 3);
    expect([intervalMs, betweenCallsMs]).toEqual([1_000, 3_000]);
  });
});
