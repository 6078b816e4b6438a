import { describe, expect, it } from 'vitest';
import { sleepAtMost } from '../../../src/workers/tasks/sleep-bound.ts';
import { polled } from '../support/harness.ts';

const NOW = Date.now();

describe('how long a task may sleep at Conductor', () => {
  it('is unbounded where its definition ends no task', () => {
    expect(sleepAtMost(polled({ scheduledTime: NOW - 3_600_000 }), NOW)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is what remains of timeoutSeconds, with time to come back', () => {
    const task = polled({ taskDefinition: { timeoutSeconds: 100 }, startTime: Date.now() - 20_000 });
    const most = sleepAtMost(task) ?? 0;
    expect(most).toBeGreaterThan(60_000);
    expect(most).toBeLessThanOrEqual(70_001);
    expect(sleepAtMost(polled({ taskDefinition: { timeoutSeconds: 10 }, startTime: Date.now() }), NOW)).toBeUndefined();
  });

  it('is what remains of totalTimeoutSeconds, where that is less', () => {
    const task = polled({
      taskDefinition: { timeoutSeconds: 500, totalTimeoutSeconds: 100 },
      scheduledTime: Date.now() - 20_000,
      startTime: Date.now(),
    });
    const most = sleepAtMost(task) ?? 0;
    expect(most).toBeGreaterThan(60_000);
    expect(most).toBeLessThanOrEqual(70_001);
    expect(sleepAtMost(task, Date.now() + 75_000)).toBeUndefined();
  });

  it('is less the longer a task has been held since', () => {
    const task = polled({ taskDefinition: { timeoutSeconds: 100, pollTimeoutSeconds: 500 }, startTime: Date.now() });
    const most = (passed: number) => sleepAtMost(task, Date.now() + passed) ?? 0;
    expect(most(0) - most(30_000)).toBeGreaterThan(29_000);
    expect(sleepAtMost(task, Date.now() + 95_000)).toBeUndefined();
  });

  it('is nothing where pollTimeoutSeconds, which count from the first scheduling, would end it', () => {
    const taskDefinition = { pollTimeoutSeconds: 20 };
    expect(sleepAtMost(polled({ taskDefinition, scheduledTime: NOW - 5_000 }), NOW)).toBe(Number.POSITIVE_INFINITY);
    expect(sleepAtMost(polled({ taskDefinition, scheduledTime: NOW - 12_000 }), NOW)).toBeUndefined();
    expect(sleepAtMost(polled({ taskDefinition, scheduledTime: NOW - 60_000 }), NOW)).toBeUndefined();
  });
});
