import { describe, expect, it } from 'vitest';
import { createPollPace, type PollPace } from '../../src/workers/poll-pace.ts';

function answered(pace: PollPace, asked: number, came: number, tookMs: number): void {
  pace.observe({ asked, came, tookMs, waitMs: pace.waitMs(asked) });
}

describe('the pace of polls', () => {
  it('is short until the server has answered once, and again after a failure', () => {
    const pace = createPollPace();
    expect(pace.waitMs(8)).toBe(10);
    answered(pace, 8, 0, 10);
    expect(pace.waitMs(8)).toBe(1_000);
    pace.failed();
    expect(pace.waitMs(8)).toBe(10);
  });

  it('stays long on a server that answers with the first task', () => {
    const pace = createPollPace();
    for (const tookMs of [3, 400, 990, 5]) answered(pace, 8, 1, tookMs);
    expect(pace.waitMs(8)).toBe(1_000);
  });

  it('gets short for several tasks on a server that waits for them all, and stays long for one', () => {
    const pace = createPollPace();
    answered(pace, 8, 8, 2);
    answered(pace, 8, 3, 1_000);
    expect(pace.waitMs(8)).toBe(1_000);
    answered(pace, 8, 3, 1_001);
    expect(pace.waitMs(8)).toBe(100);
    expect(pace.waitMs(1)).toBe(1_000);
    answered(pace, 8, 2, 100);
    expect(pace.waitMs(8)).toBe(100);
  });

  it('learns again when the server turns out to be the other kind', () => {
    const pace = createPollPace();
    for (let n = 0; n < 3; n += 1) answered(pace, 8, 3, 1_000);
    answered(pace, 8, 3, 4);
    expect(pace.waitMs(8)).toBe(1_000);
  });

  it('learns nothing from empty and from full answers', () => {
    const pace = createPollPace();
    for (let n = 0; n < 5; n += 1) {
      answered(pace, 8, 0, 1_000);
      answered(pace, 8, 8, 1_000);
    }
    expect(pace.waitMs(8)).toBe(1_000);
  });
});
