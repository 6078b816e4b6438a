import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { templateIn } from '../../../src/admin/wire/template.ts';

const JSON_TYPE = 'application/json; charset=utf-8';
/** Any text, quotes and backslashes among it more often than chance has them. */
const anyText = fc.string({
  unit: fc.oneof(fc.constantFrom('"', '\\', '\n', 'é'), fc.string({ unit: 'binary', maxLength: 1 })),
});

/** As Orkes' Python SDK writes it: `json.dumps(text).strip('"')`. */
function byPython(text: string): string {
  const ascii = JSON.stringify(text).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return ascii.replaceAll(/^"+|"+$/g, '');
}

describe('the template in a body', () => {
  it('is what any JSON string says', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(templateIn(JSON.stringify(text), JSON_TYPE)).toBe(text);
      }),
    );
  });

  it('is what Orkes’ Python SDK was given, whatever that is', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(templateIn(byPython(text), JSON_TYPE)).toBe(text);
      }),
    );
  });

  it.each([
    ['Hi ${name}', 'text/plain'],
    ['Hi\n"${name}"', 'text/plain'],
    ['Hi\\n${name}', 'text/plain'],
    ['Hi\n"${name}"', JSON_TYPE],
    ['{"a": 1}', JSON_TYPE],
    ['\\d', JSON_TYPE],
    ['"Hi" he said "', JSON_TYPE],
    ['Hi', undefined],
  ])('%j as %s stands as it is', (text, contentType) => {
    expect(templateIn(text, contentType)).toBe(text);
  });
});
