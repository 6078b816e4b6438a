import { describe, expect, it, vi } from 'vitest';
import { createBackOff } from '../../../src/workers/conductor/back-off.ts';

const waits: number[] = [];
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number, _: unknown, { signal }: { signal: AbortSignal }) => {
    if (signal.aborted) throw signal.reason;
    waits.push(ms);
  },
}));

const never = new AbortController().signal;

describe('a back-off', () => {
  it('waits half to the whole of a doubling time, up to the longest, and begins again after a reset', async () => {
    const backOff = createBackOff(100, 1_000);
    for (let run = 0; run < 50; run += 1) {
      waits.length = 0;
      for (let failure = 0; failure < 8; failure += 1) await backOff.wait(never);
      expect(backOff.failures).toBe(8);
      for (const [index, full] of [100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000].entries()) {
        expect(waits[index]).toBeGreaterThanOrEqual(full / 2);
        expect(waits[index]).toBeLessThanOrEqual(full);
      }
      backOff.reset();
      expect(backOff.failures).toBe(0);
    }
  });

  it('is jittered: two waits of the same rank differ', async () => {
    waits.length = 0;
    for (let run = 0; run < 10; run += 1) await createBackOff(100, 1_000).wait(never);
    expect(new Set(waits).size).toBeGreaterThan(5);
  });

  it('stays at the longest after any number of failures', async () => {
    const backOff = createBackOff(200, 10_000);
    for (let failure = 0; failure < 2_000; failure += 1) await backOff.wait(never);
    expect(waits.at(-1)).toBeLessThanOrEqual(10_000);
    expect(waits.at(-1)).toBeGreaterThanOrEqual(5_000);
  });

  it('returns without throwing once the signal is aborted', async () => {
    await expect(createBackOff().wait(AbortSignal.abort())).resolves.toBeUndefined();
  });
});
