import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createPace } from '../../../src/integrations/lanes/pace.ts';

describe('the pace of a lane', () => {
  it('takes a second a call before it has seen one', () => {
    const pace = createPace();
    expect([pace.betweenCalls(1, undefined), pace.betweenCalls(4, undefined), pace.tasksPerCall]).toEqual([
      1_000, 250, 1,
    ]);
    expect(pace.untilNextEnds()).toBeUndefined();
  });

  it('is no faster than the calls that may begin a minute', () => {
    expect(createPace().betweenCalls(100, 60)).toBe(1_000);
  });

  it('is no faster than the tokens of a minute allow, once it has seen what a call takes', () => {
    const pace = createPace();
    expect(pace.betweenCalls(Infinity, undefined, 6_000)).toBe(0);
    pace.end(pace.begin(), 1, 100);
    expect(pace.betweenCalls(Infinity, undefined, 6_000)).toBe(1_000);
    pace.end(pace.begin(), 0);
    expect(pace.betweenCalls(Infinity, undefined, 6_000)).toBe(1_000);
  });

  it('learns from calls that answered, and from no others', async () => {
    const pace = createPace();
    const failed = pace.begin();
    pace.end(failed, 0);
    expect(pace.betweenCalls(1, undefined)).toBe(1_000);
    const call = pace.begin();
    expect(pace.running).toBe(1);
    await sleep(20);
    pace.end(call, 6);
    expect(pace.betweenCalls(1, undefined)).toBeLessThan(1_000);
    expect(pace.tasksPerCall).toBe(2);
    expect(pace.running).toBe(0);
  });

  it('expects the call to end first that began first, and none in the past', async () => {
    const pace = createPace();
    pace.begin();
    await sleep(5);
    pace.begin();
    expect(pace.untilNextEnds()).toBeLessThan(1_000);
    const quick = createPace();
    quick.end(quick.begin(), 1);
    quick.begin();
    await sleep(20);
    expect(quick.untilNextEnds()).toBe(0);
  });
});
