import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { RENDERED_AT_MOST, renderTemplate, variablesOf } from '../../src/prompts/render.ts';

const rendered = (template: string, variables: Record<string, unknown>) => renderTemplate(template, variables).text;

const refusal = (template: string, variables: Record<string, unknown>) => {
  try {
    renderTemplate(template, variables);
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code, field: error.field, message: error.message };
    throw error;
  }
  return undefined;
};

const notesOn = (template: string, variables: Record<string, unknown>) => {
  try {
    return renderTemplate(template, variables).notes;
  } catch (error) {
    if (error instanceof ServiceError) return error.notes;
    throw error;
  }
};

describe('rendering a prompt', () => {
  it('puts strings in as they are and other values as JSON', () => {
    const variables = { text: 'a "b"\n', count: 3, yes: false, list: [1, 'x'], map: { a: null }, none: '' };
    expect(rendered('${text}|${count}|${yes}|${list}|${map}|${none}|', variables)).toBe(
      'a "b"\n|3|false|[1,"x"]|{"a":null}||',
    );
  });

  it.each(['$name', '${}', '${1a}', '${ a }', '${a b}', '${a', '{a}', '${-a}', '${ä}', '$'])(
    'leaves "%s" alone, which is no variable',
    (template) => {
      expect(rendered(template, {})).toBe(template);
      expect(variablesOf(template)).toEqual([]);
    },
  );

  it('takes letters, digits, "_", "." and "-" in a name; a dotted name is one key', () => {
    expect(rendered('${_a-1.b_2}', { '_a-1.b_2': 'x' })).toBe('x');
    expect(rendered('${a.b}', { 'a.b': 'key', a: { b: 'path' } })).toBe('key');
    expect(refusal('${a.b}', { a: { b: 'path' } })?.code).toBe('PROMPT_VARIABLES_MISSING');
  });

  it('finds a variable after an unfinished one, and one that follows a dollar sign', () => {
    expect(rendered('${a${b}', { b: 1 })).toBe('${a1');
    expect(rendered('$${b}', { b: 1 })).toBe('$1');
  });

  it.each(['$&', '$1', '$$', "$'", '$`', '$<name>', '\\1'])('keeps %s in a value as it is', (value) => {
    expect(rendered('<${a}>', { a: value })).toBe(`<${value}>`);
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
      expect(rendered(template, JSON.parse(`{"${name}":"own"}`) as Record<string, unknown>)).toBe('own');
    },
  );

  it('takes time in proportion to the template, however hostile', () => {
    const size = 1_000_000;
    for (const template of ['${'.repeat(size), `\${${'a'.repeat(2 * size)}`, '${a'.repeat(size), '$'.repeat(size)]) {
      const start = performance.now();
      expect(rendered(template, {})).toBe(template);
      // A quadratic scan of a million starts takes minutes.
      expect(performance.now() - start).toBeLessThan(2_000);
    }
  });
});

describe('variables that the prompt does not have', () => {
  it('are noted by name, with the nearest one of the prompt, and never with their values', () => {
    expect(notesOn('${text} ${who}', { text: 'T', who: 'W', texts: 'SEKRET', other: { SEKRET: 'SEKRET' } })).toEqual([
      'The variable "texts" is not in the prompt and was not used. Did you mean "text"?',
      'The variable "other" is not in the prompt and was not used.',
    ]);
    expect(renderTemplate('x', { a: 1 }, 'the text').notes).toEqual([
      'The variable "a" is not in the text and was not used.',
    ]);
  });

  it('are no more than those that are given: null and inherited ones are not', () => {
    expect(notesOn('x', { a: null, b: undefined })).toEqual([]);
    expect(notesOn('x', Object.create({ a: 1 }) as Record<string, unknown>)).toEqual([]);
    expect(notesOn('${a}', { a: 1 })).toEqual([]);
    expect(notesOn('${a.b}', { 'a.b': 1, a: { b: 1 } })).toEqual([
      'The variable "a" is not in the prompt and was not used.',
    ]);
  });

  it('are hinted at where one is missing, in the words of the refusal and in the notes', () => {
    const given = { txt: 'SEKRET', unlike: 1 };
    expect(refusal('${text} ${who}', given)?.message).toBe(
      'The prompt needs "text", "who", which promptVariables does not give (null counts as missing). It gives "txt". Did you mean "text"?',
    );
    expect(notesOn('${text} ${who}', given)).toEqual([
      'The variable "txt" is not in the prompt and was not used. Did you mean "text"?',
      'The variable "unlike" is not in the prompt and was not used.',
    ]);
  });

  it('are few and short in words, however many and long they are', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
    const template = names.map((name) => `\${${name}}`).join('');
    const many = Object.fromEntries(names.map((name) => [`${name}x`, 1]));
    expect(notesOn('', many)).toHaveLength(10);
    expect(refusal(template, {})?.message).toMatch(/^The prompt needs ("n\d+", ){19}"n19" and 980 more, which/);
    expect(refusal(`\${${'a'.repeat(5_000)}}`, { ['b'.repeat(5_000)]: 1 })?.message).toBe(
      `The prompt needs "${'a'.repeat(100)}", which promptVariables does not give (null counts as missing).`,
    );
    expect(notesOn('', { ['b'.repeat(5_000)]: 1, 'a\n"b': 1 })).toEqual([
      `The variable "${'b'.repeat(100)}" is not in the prompt and was not used.`,
      'The variable "a\\n\\"b" is not in the prompt and was not used.',
    ]);
  });
});

describe('the size of what is rendered', () => {
  it('is bounded: a small template and a small value make no large text', () => {
    const fits = 'x'.repeat(RENDERED_AT_MOST / 10);
    expect(rendered('${a}'.repeat(10), { a: fits })).toHaveLength(RENDERED_AT_MOST);
    for (const [template, a] of [
      ['${a}'.repeat(11), fits],
      ['${a}'.repeat(1_000_000), 'x'.repeat(1_000_000)],
      ['${a}'.repeat(1_000_000), { list: Array(100_000).fill(1) }],
    ] as const) {
      expect(refusal(template, { a })).toEqual({
        code: 'INPUT_INVALID',
        field: 'promptVariables',
        message:
          'Input promptVariables: with them the prompt is longer than 10,000,000 characters; give less, or use them less often',
      });
    }
  });

  it('writes a value as JSON once, however often it is used', () => {
    let written = 0;
    const a = {
      toJSON() {
        written += 1;
        return `${written}`;
      },
    };
    expect(rendered('${a}${a}${a}', { a })).toBe('"1""1""1"');
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
        expect(rendered(`\${${outer}}`, { [outer]: planted, [inner]: secret })).toBe(planted);
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
          expect(rendered(text, variables)).toBe(expected.text);
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
