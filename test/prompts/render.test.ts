import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { renderTemplate, variablesOf } from '../../src/prompts/render.ts';

const refusal = (template: string, variables: Record<string, unknown>) => {
  try {
    renderTemplate(template, variables);
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code, field: error.field, message: error.message };
    throw error;
  }
  return undefined;
};

describe('rendering a prompt', () => {
  it('puts strings in as they are and other values as JSON', () => {
    const variables = { text: 'a "b"\n', count: 3, yes: false, list: [1, 'x'], map: { a: null }, none: '' };
    expect(renderTemplate('${text}|${count}|${yes}|${list}|${map}|${none}|', variables)).toBe(
      'a "b"\n|3|false|[1,"x"]|{"a":null}||',
    );
  });

  it.each(['$name', '${}', '${1a}', '${ a }', '${a b}', '${a', '{a}', '${-a}', '${ä}', '$'])(
    'leaves "%s" alone, which is no variable',
    (template) => {
      expect(renderTemplate(template, {})).toBe(template);
      expect(variablesOf(template)).toEqual([]);
    },
  );

  it('takes letters, digits, "_", "." and "-" in a name; a dotted name is one key', () => {
    expect(renderTemplate('${_a-1.b_2}', { '_a-1.b_2': 'x' })).toBe('x');
    expect(renderTemplate('${a.b}', { 'a.b': 'key', a: { b: 'path' } })).toBe('key');
    expect(refusal('${a.b}', { a: { b: 'path' } })?.code).toBe('PROMPT_VARIABLES_MISSING');
  });

  it('finds a variable after an unfinished one, and one that follows a dollar sign', () => {
    expect(renderTemplate('${a${b}', { b: 1 })).toBe('${a1');
    expect(renderTemplate('$${b}', { b: 1 })).toBe('$1');
  });

  it.each(['$&', '$1', '$$', "$'", '$`', '$<name>', '\\1'])('keeps %s in a value as it is', (value) => {
    expect(renderTemplate('<${a}>', { a: value })).toBe(`<${value}>`);
  });

  it('names each missing variable once, null among them', () => {
    expect(refusal('${a} ${b} ${a} ${c} ${d}', { b: null, c: 'here', d: undefined })).toEqual({
      code: 'PROMPT_VARIABLES_MISSING',
      field: 'promptVariables',
      message: 'The prompt needs "a", "b", "d", which promptVariables does not give (null counts as missing).',
    });
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    'does not take %s from what every object inherits, though an own one is taken',
    (name) => {
      const template = `\${${name}}`;
      expect(refusal(template, {})?.code).toBe('PROMPT_VARIABLES_MISSING');
      expect(renderTemplate(template, JSON.parse(`{"${name}":"own"}`) as Record<string, unknown>)).toBe('own');
    },
  );

  it('takes time in proportion to the template, however hostile', () => {
    const size = 1_000_000;
    for (const template of ['${'.repeat(size), `\${${'a'.repeat(2 * size)}`, '${a'.repeat(size), '$'.repeat(size)]) {
      const start = performance.now();
      expect(renderTemplate(template, {})).toBe(template);
      // A quadratic scan of a million starts takes minutes.
      expect(performance.now() - start).toBeLessThan(2_000);
    }
  });
});

describe('the variables of a prompt', () => {
  it('are its names, each once, in order', () => {
    expect(variablesOf('${b} ${a.c} ${b} ${ x } ${_}')).toEqual(['b', 'a.c', '_']);
  });
});

describe('rendering anything', () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,8}$/);
  const hostile = fc.array(fc.constantFrom('$', '{', '}', 'a', 'b', '.', '${a}', '${b}', '$&', '\\', ' '));
  const value = fc.oneof(
    hostile.map((parts) => parts.join('')),
    fc.jsonValue().filter((json) => json !== null),
  );

  it('never expands what a value contains', () => {
    fc.assert(
      fc.property(name, name, fc.string(), (outer, inner, secret) => {
        fc.pre(outer !== inner);
        const planted = `<\${${inner}}\${${outer}}>`;
        expect(renderTemplate(`\${${outer}}`, { [outer]: planted, [inner]: secret })).toBe(planted);
      }),
    );
  });

  it('equals a reader that walks the template character by character', () => {
    const template = hostile.map((parts) => parts.join(''));
    fc.assert(
      fc.property(template, value, value, (text, a, b) => {
        const variables = { a, b };
        const expected = walk(text, variables);
        if (expected.missing.length > 0) {
          const message = refusal(text, variables)?.message ?? '';
          for (const missing of expected.missing) expect(message).toContain(`"${missing}"`);
        } else {
          expect(renderTemplate(text, variables)).toBe(expected.text);
        }
        expect(variablesOf(text)).toEqual([...new Set(expected.names)]);
      }),
      { numRuns: 1_000 },
    );
  });
});

const FIRST = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_';
const LATER = `${FIRST}0123456789.-`;

/** The contract's sentence about variables, without a regular expression. */
function walk(template: string, variables: Record<string, unknown>) {
  const names: string[] = [];
  const missing: string[] = [];
  let text = '';
  let at = 0;
  while (at < template.length) {
    const close = template.indexOf('}', at);
    const name = template.startsWith('${', at) && close > at ? template.slice(at + 2, close) : '';
    const isName = name !== '' && FIRST.includes(name.charAt(0)) && [...name].every((letter) => LATER.includes(letter));
    if (!isName) {
      text += template.charAt(at);
      at += 1;
      continue;
    }
    names.push(name);
    if (!Object.keys(variables).includes(name)) missing.push(name);
    const value = variables[name];
    text += typeof value === 'string' ? value : JSON.stringify(value);
    at = close + 1;
  }
  return { names, missing, text };
}
