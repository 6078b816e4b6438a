import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printable, visible } from '../src/visible.ts';

it('a name cannot move a cursor or begin a line', () => {
  expect(visible('a\u001b[2J\n\u009bb\u2028c')).toBe('a\\x1b[2J\\x0a\\x9bb\\u2028c');
});

it('a text keeps its lines and tabs, and nothing else that moves a cursor', () => {
  expect(printable('a\tb\nc\r\nd\re\u001b]0;title\u0007\u009b2J é 漢\u007f')).toBe(
    'a\tb\nc\nd\\x0de\\x1b]0;title\\x07\\x9b2J é 漢\\x7f',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
      expect(printable(text)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    }),
  );
});
