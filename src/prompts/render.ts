import { ServiceError } from '../errors.ts';

/** No character of a name is a `$`, so no part of a template is scanned from two starts: the time is linear. */
const VARIABLE = /\$\{([A-Za-z_][\w.-]*)\}/g;

/** The names of a template's variables, each once, in the order of their first use. */
export function variablesOf(template: string): string[] {
  return [...new Set(Array.from(template.matchAll(VARIABLE), ([, name = '']) => name))];
}

/**
 * Puts variables into a template in one pass: what a value contains is never expanded again, nor is `$&` in it special.
 * A string goes in as it is, any other value as JSON. A dotted name is one key (`${a.b}` takes `variables['a.b']`, not
 * `variables.a.b`), and only own properties count. What is not of the form `${name}` stays as it is.
 *
 * Throws PROMPT_VARIABLES_MISSING (field `promptVariables`), naming every variable that is absent or null.
 */
export function renderTemplate(template: string, variables: Readonly<Record<string, unknown>>): string {
  const missing = new Set<string>();
  // A function's result goes in literally, where a string's `$&` would be expanded.
  const text = template.replace(VARIABLE, (_, name: string) => {
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    const shown = typeof value === 'string' ? value : value === null ? undefined : JSON.stringify(value);
    if (shown === undefined) missing.add(name);
    return shown ?? '';
  });
  if (missing.size > 0) {
    const names = [...missing].map((name) => `"${name}"`).join(', ');
    throw new ServiceError(
      'PROMPT_VARIABLES_MISSING',
      `The prompt needs ${names}, which promptVariables does not give (null counts as missing).`,
      { field: 'promptVariables' },
    );
  }
  return text;
}
