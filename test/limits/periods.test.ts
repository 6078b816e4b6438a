import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { periodAt } from '../../src/limits/periods.ts';
import { FREQUENCIES } from '../../src/record-fields.ts';

const DAY_MS = 86_400_000;
const at = (text: string) => Date.parse(text);
const frequency = fc.constantFrom(...FREQUENCIES);
/** Years 1971 to 2199. */
const moment = fc.integer({ min: at('1971-01-01T00:00:00Z'), max: at('2200-01-01T00:00:00Z') - 1 });

describe('a period', () => {
  it.each([
    ['daily', '2026-11-26T00:00:00Z', '2026-11-26', '2026-11-26', '2026-11-27'],
    ['daily', '2026-12-31T23:59:59.999Z', '2026-12-31', '2026-12-31', '2027-01-01'],
    ['weekly', '2026-11-29T23:59:59.999Z', '2026-W48', '2026-11-23', '2026-11-30'],
    ['weekly', '2026-11-30T00:00:00Z', '2026-W49', '2026-11-30', '2026-12-07'],
    // ISO 8601: 2026 has a week 53, which holds the first days of 2027.
    ['weekly', '2027-01-03T12:00:00Z', '2026-W53', '2026-12-28', '2027-01-04'],
    ['weekly', '2024-12-30T00:00:00Z', '2025-W01', '2024-12-30', '2025-01-06'],
    ['monthly', '2026-11-30T23:59:59.999Z', '2026-11', '2026-11-01', '2026-12-01'],
    ['monthly', '2028-02-29T00:00:00Z', '2028-02', '2028-02-01', '2028-03-01'],
  ] as const)('%s of %s is %s', (of, text, name, from, to) => {
    const period = { name, startsAt: at(`${from}T00:00:00Z`), endsAt: at(`${to}T00:00:00Z`) };
    expect(periodAt(of, at(text))).toEqual(period);
  });

  it('holds its moment, and is the same for all of its moments', () => {
    fc.assert(
      fc.property(frequency, moment, fc.double({ min: 0, max: 1, noNaN: true }), (of, ms, part) => {
        const period = periodAt(of, ms);
        expect(ms).toBeGreaterThanOrEqual(period.startsAt);
        expect(ms).toBeLessThan(period.endsAt);
        const other = Math.floor(period.startsAt + part * (period.endsAt - 1 - period.startsAt));
        expect(periodAt(of, other)).toEqual(period);
      }),
    );
  });

  it('is followed at once by another of another name', () => {
    fc.assert(
      fc.property(frequency, moment, (of, ms) => {
        const period = periodAt(of, ms);
        const next = periodAt(of, period.endsAt);
        expect(next.startsAt).toBe(period.endsAt);
        expect(next.name > period.name).toBe(true);
      }),
    );
  });

  it('is whole days long: a week seven of them from Monday, a month from its first to its last', () => {
    fc.assert(
      fc.property(moment, (ms) => {
        const [day, week, month] = FREQUENCIES.map((of) => periodAt(of, ms));
        const days = [day, week, month].map((period) => ((period?.endsAt ?? 0) - (period?.startsAt ?? 0)) / DAY_MS);
        expect(days.slice(0, 2)).toEqual([1, 7]);
        expect([28, 29, 30, 31]).toContain(days[2]);
        expect(new Date(week?.startsAt ?? 0).getUTCDay()).toBe(1);
        expect(new Date(month?.startsAt ?? 0).getUTCDate()).toBe(1);
        expect(day?.name).toBe(new Date(ms).toISOString().slice(0, 10));
        expect(day?.name.startsWith(month?.name ?? '')).toBe(true);
      }),
    );
  });

  it('never has the name of a period of another kind', () => {
    fc.assert(
      fc.property(moment, moment, (one, other) => {
        const names = [periodAt('daily', one), periodAt('weekly', other), periodAt('monthly', one)].map((p) => p.name);
        expect(new Set(names).size).toBe(3);
      }),
    );
  });
});
