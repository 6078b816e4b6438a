import { ServiceError } from '../errors.ts';
import { didYouMean } from '../parsing.ts';

/** What follows a `${`. No character of a name is a `$`, so no part of a template is scanned from two starts: the time is linear. */
const NAME = /[A-Za-z_][\w.-]*(?=\})/y;

/**
 * Characters that rendering makes at most. No model of Bedrock's reads so many, and Conductor takes no larger input of a task unless
 * it is told to (`maxTaskInputPayloadSizeThreshold`, 10 MB): a template does not make more of a task than a task could bring along.
 */
export const RENDERED_AT_MOST = 10_000_000;

/** A template with its variables in their places. */
export interface Rendered {
  readonly text: string;
  /** For the task's log: variables that were given and are not in the template. Names, never values. */
  readonly notes: readonly string[];
}

/** The names of a template's variables, each once, in the order of their first use. */
export function variablesOf(template: string): string[] {
  const names = new Set<string>();
  eachVariable(template, (name) => names.add(name));
  return [...names];
}

/** Where each stands: from its `$` up to what follows its `}`. (`replace` would find all of them before it takes the first.) */
function eachVariable(template: string, found: (name: string, from: number, to: number) => void): void {
  for (let from = template.indexOf('${'); from >= 0; from = template.indexOf('${', NAME.lastIndex)) {
    NAME.lastIndex = from + 2;
    const to = NAME.test(template) ? NAME.lastIndex : 0;
    if (to > 0) found(template.slice(from + 2, to), from, to + 1);
    NAME.lastIndex = to > 0 ? to + 1 : from + 2;
  }
}

/**
 * Puts variables into a template in one pass: what a value contains is never expanded again, nor is `$&` in it special.
 * A string goes in as it is, any other value as JSON. A dotted name is one key (`${a.b}` takes `variables['a.b']`, not
 * `variables.a.b`), and only own properties count. What is not of the form `${name}` stays as it is. `of` says in notes whose
 * variables they would be.
 *
 * Throws PROMPT_VARIABLES_MISSING (field `promptVariables`), naming the variables that are absent or null, and INPUT_INVALID for
 * a text of more than RENDERED_AT_MOST characters.
 */
export function renderTemplate(
  template: string,
  variables: Readonly<Record<string, unknown>>,
  of = 'the prompt',
): Rendered {
  const shown = new Map<string, string | undefined>();
  const parts: string[] = [];
  let [done, length] = [0, template.length];
  eachVariable(template, (name, from, to) => {
    // Each is written as JSON once, however often it is used.
    if (!shown.has(name)) shown.set(name, shownValue(variables, name));
    const value = shown.get(name) ?? '';
    length += value.length - (to - from);
    if (length > RENDERED_AT_MOST) throw tooLong();
    parts.push(template.slice(done, from), value);
    done = to;
  });
  const strays = straysOf(variables, shown);
  const missing = [...shown].flatMap(([name, value]) => (value === undefined ? [name] : []));
  if (missing.length === 0)
    return { text: parts.join('') + template.slice(done), notes: notesOf(strays, shown.keys(), of) };
  const meant = strays.slice(0, HINTS_AT_MOST).flatMap((name) => {
    const hint = didYouMean(cut(name), comparable(missing));
    return hint === '' ? [] : [` It gives ${quoted(name)}.${hint}`];
  });
  throw new ServiceError(
    'PROMPT_VARIABLES_MISSING',
    `The prompt needs ${listed(missing)}, which promptVariables does not give (null counts as missing).${meant.join('')}`,
    { field: 'promptVariables', notes: notesOf(strays, shown.keys(), of) },
  );
}

/** Undefined: it is missing. */
function shownValue(variables: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function tooLong(): ServiceError {
  const most = RENDERED_AT_MOST.toLocaleString('en');
  return new ServiceError(
    'INPUT_INVALID',
    `Input promptVariables: with them the prompt is longer than ${most} characters; give less, or use them less often`,
    { field: 'promptVariables' },
  );
}

/** A slip or two is worth a note; a thousand are something else. */
const NOTES_AT_MOST = 10;
const HINTS_AT_MOST = 3;
const LISTED_AT_MOST = 20;
const NAME_CHARACTERS = 100;
/** With how many names one is compared: hints are not to cost more than rendering. */
const COMPARED_AT_MOST = 100;

/** Null counts as not given here, too. */
function straysOf(variables: Readonly<Record<string, unknown>>, known: ReadonlyMap<string, unknown>): string[] {
  return Object.keys(variables).filter(
    (name) => !known.has(name) && variables[name] !== null && variables[name] !== undefined,
  );
}

function notesOf(strays: readonly string[], known: Iterable<string>, of: string): string[] {
  if (strays.length === 0) return [];
  const names = comparable(known);
  return strays.slice(0, NOTES_AT_MOST).map((name) => {
    const hint = didYouMean(cut(name), names);
    return `The variable ${quoted(name)} is not in ${of} and was not used.${hint}`;
  });
}

function comparable(names: Iterable<string>): string[] {
  const short: string[] = [];
  for (const name of names) {
    if (short.length >= COMPARED_AT_MOST) break;
    if (name.length <= NAME_CHARACTERS) short.push(name);
  }
  return short;
}

function listed(names: readonly string[]): string {
  const rest = names.length - LISTED_AT_MOST;
  return `${names.slice(0, LISTED_AT_MOST).map(quoted).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** On one line, whatever it holds. */
function quoted(name: string): string {
  return JSON.stringify(cut(name));
}

function cut(name: string): string {
  return name.slice(0, NAME_CHARACTERS);
}
