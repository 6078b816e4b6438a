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

  it('learns from a call that failed where it took longer than they do: it timed out', async () => {
    const pace = createPace();
    pace.end(pace.begin(), 4, 100);
    const [usual, tasksPerCall] = [pace.betweenCalls(1, undefined), pace.tasksPerCall];
    const call = pace.begin();
    await sleep(50);
    pace.end(call, 0);
    expect(pace.betweenCalls(1, undefined)).toBeGreaterThan(usual + 5);
    expect(pace.tasksPerCall).toBe(tasksPerCall);
  });

  it('takes a place whose call is overdue to need for one as long as that has run, and the others to move', async () => {
    const pace = createPace();
    for (let call = 0; call < 5; call += 1) {
      const usual = pace.begin();
      await sleep(5);
      pace.end(usual, 1);
    }
    pace.begin();
    await sleep(100);
    expect(pace.betweenCalls(1, undefined)).toBeGreaterThanOrEqual(99);
    expect(pace.betweenCalls(2, undefined)).toBeLessThan(40);
    expect(pace.betweenCalls(Infinity, undefined)).toBe(0);
    // Each of them runs one.
    pace.begin();
    await sleep(100);
    expect(pace.betweenCalls(2, undefined)).toBeGreaterThan(50);
  });

  it('stands still where nothing has begun or ended for long, and no sooner', async () => {
    const pace = createPace();
    pace.end(pace.begin(), 1);
    await sleep(900);
    expect(pace.stillMs).toBe(0);
    await sleep(200);
    expect(pace.stillMs).toBeGreaterThan(1_000);
    pace.begin();
    expect(pace.stillMs).toBe(0);
    await sleep(1_100);
    expect(pace.stillMs).toBeGreaterThan(1_000);
    pace.wasHeldUntil(performance.now() - 500);
    expect(pace.stillMs).toBe(0);
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
