import { describe, expect, inject, it } from 'vitest';
import { fuzz } from '../fuzz/fuzz.ts';
import type {} from '../support/redis-for-all.ts';

/** Always the same: what is found once is found again. A longer search is `npm run fuzz`. */
const SEED = 6;

describe('an admin server answers whatever is asked as its description says, and nothing with 5xx', () => {
  it.each([
    ['ADMIN', 35],
    ['USER', 20],
  ] as const)('to somebody with the role %s', { timeout: 240_000 }, async (role, seconds) => {
    const redisUrl = inject('redisUrl');
    const { cases, statuses, unreached, failure } = await fuzz({ redisUrl, role, examples: 10, seconds, seed: SEED });
    expect(failure).toBeNull();
    expect(Object.keys(statuses).filter((status) => Number(status) >= 500)).toEqual([]);
    // A fuzzer that gets in nowhere finds nothing. How far it gets in its time depends on the machine.
    expect(cases).toBeGreaterThan(200);
    expect(statuses[200]).toBeGreaterThan(50);
    expect(unreached.length).toBeLessThan(role === 'ADMIN' ? 30 : 60);
    if (role === 'USER') expect(statuses[403]).toBeGreaterThan(30);
  });
});
