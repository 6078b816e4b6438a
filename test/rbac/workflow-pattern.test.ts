import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesWorkflow, patternFault } from '../../src/rbac/workflow-pattern.ts';

/** The same by RegExp, which the source avoids: every character literal but the star. */
function byRegExp(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, (character) =>
    character === '*' ? '[^]*' : `\\${character}`,
  );
  return new RegExp(`^(?:${source})$`).test(name);
}

describe('a workflow pattern', () => {
  it('matches what the RegExp of the same meaning matches', () => {
    const letter = fc.constantFrom('a', 'b', '*', '*', '.');
    const short = fc.array(letter, { maxLength: 7 }).map((letters) => letters.join(''));
    const seen = { true: 0, false: 0 };
    fc.assert(
      fc.property(short, short, (pattern, name) => {
        const matches = matchesWorkflow(pattern, name);
        seen[`${matches}`] += 1;
        expect(matches).toBe(byRegExp(pattern, name));
      }),
      { numRuns: 20_000 },
    );
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(1_000);
  });

  it('takes every character but the star literally', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    fc.assert(
      fc.property(text, text, text, (before, middle, after) => {
        fc.pre(![before, after].some((part) => part.includes('*')));
        expect(matchesWorkflow(`${before}*${after}`, before + middle + after)).toBe(true);
        expect(matchesWorkflow(before, `${before}${after}`)).toBe(after === '');
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['claims_*', 'claims_intake', true],
    ['claims_*', 'claims_', true],
    ['claims_*', 'xclaims_intake', false],
    ['claims', 'claims_intake', false],
    ['*_claims', 'my_claims', true],
    ['*_claims', 'my_claims2', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['ab*ba', 'aba', false],
    ['*ab*ab*', 'ab', false],
    ['a*b*c', 'acb', false],
    ['*', '', true],
    ['*', 'a\nb', true],
    ['claims_?', 'claims_1', false],
    ['claims_[0-9]', 'claims_1', false],
    ['Claims_*', 'claims_1', false],
    ['', '', true],
    ['', 'a', false],
  ])('%s and the workflow %j: %s', (pattern, name, expected) => {
    expect(matchesWorkflow(pattern, name)).toBe(expected);
  });

  it('of 256 stars ends on a name of 10,000 characters', () => {
    const pattern = `${'*a'.repeat(127)}*b`;
    expect(patternFault(pattern)).toBeUndefined();
    expect(matchesWorkflow(pattern, 'a'.repeat(10_000))).toBe(false);
    expect(matchesWorkflow('*'.repeat(256), 'a'.repeat(10_000))).toBe(true);
    expect(matchesWorkflow(pattern, `${'a'.repeat(9_999)}b`)).toBe(true);
  });

  it('is at fault when it is empty or longer than 256 characters', () => {
    expect(patternFault('')).toMatch(/not empty/);
    expect(patternFault('a'.repeat(257))).toMatch(/256/);
    expect(patternFault('a'.repeat(256))).toBeUndefined();
    expect(patternFault('*')).toBeUndefined();
  });
});
