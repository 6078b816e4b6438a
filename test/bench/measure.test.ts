import { describe, expect, it } from 'vitest';
import { median, percentile, slopePerMinute, valueAt } from '../../bench/support/measure.ts';

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  it.each([
    [0.5, 50],
    [0.95, 95],
    [0.99, 99],
    [1, 100],
  ])('is the nearest rank: %s of 1 to 100 is %s', (part, value) => expect(percentile(hundred, part)).toBe(value));

  it('is that value where there is only one', () => expect(percentile([7], 0.99)).toBe(7));

  it('takes the middle of three rounds as their median', () => expect(median([3, 1, 2])).toBe(2));
});

describe('valueAt', () => {
  const samples = [
    { at: 100, value: 10 },
    { at: 200, value: 30 },
  ];

  it.each([
    [50, 10],
    [100, 10],
    [150, 20],
    [200, 30],
    [900, 30],
  ])('lies on the line between two samples and stays at the ends: at %s it is %s', (at, value) =>
    expect(valueAt(samples, at)).toBe(value),
  );
});

describe('slopePerMinute', () => {
  it('finds the growth a minute in what is sampled each second', () => {
    const samples = Array.from({ length: 60 }, (_, second) => ({ at: second * 1_000, value: 100 + second / 30 }));
    expect(slopePerMinute(samples)).toBeCloseTo(2);
  });

  it('is 0 for what only goes up and down', () => {
    const values = [1, 2, 2, 1];
    expect(slopePerMinute(values.map((value, index) => ({ at: index * 1_000, value })))).toBeCloseTo(0);
  });
});
