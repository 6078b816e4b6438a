import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, readDocument, tableRows } from './markdown.ts';

describe('the rules of the task engine', () => {
  const rows = tableRows(readDocument('docs/engine.md'), 'rule');

  it('are all there, in order', () => {
    expect(rows.map(([rule]) => rule)).toEqual(Array.from({ length: 20 }, (_, index) => `${index + 1}`));
  });

  it.each(rows)('rule %s (%s) names tests that are there', (_rule, _short, tests = '') => expectTests(tests));
});

describe('the rules of security', () => {
  const rows = tableRows(readDocument('docs/security.md'), 'rule');

  it('are all there, in order', () => {
    expect(rows.map(([rule]) => rule)).toEqual(Array.from({ length: 17 }, (_, index) => `${index + 1}`));
  });

  it.each(rows)('rule %s (%s) names code and tests that are there', (_rule, threat, done, code = '', tests = '') => {
    expect([threat, done]).not.toContain('');
    for (const file of code.split('<br>')) {
      const [, path = ''] = /^`([^`]+)`$/.exec(file) ?? [];
      expect(existsSync(join(ROOT, path)), file).toBe(true);
    }
    expectTests(tests);
  });
});

/** `file` › title, separated by `<br>`. */
function expectTests(tests: string): void {
  for (const test of tests.split('<br>')) {
    const [, file = '', title = ''] = /^`([^`]+)` › (.+)$/.exec(test) ?? [];
    expect(existsSync(join(ROOT, file)), test).toBe(true);
    const source = readFileSync(join(ROOT, file), 'utf8');
    // As a title of a test, by itself or under a table of cases: a mention elsewhere is none.
    const titles = Array.from(
      source.matchAll(/\(\s*(['"`])((?:(?!\1).)+)\1,\s*(?:\{|async|\()/g),
      ([, , found]) => found,
    );
    expect(titles, file).toContain(title);
  }
}
