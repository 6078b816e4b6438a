import leven from 'leven';
import { z } from 'zod';

/** What is wrong with something a person wrote, and where in it: `field` is a path such as `configuration.region`, '' for the whole. */
export interface Fault {
  readonly field: string;
  readonly message: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Reads JSON against a schema; never throws. A message never repeats the value read, which may be a secret. */
export function parseJson<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, faults: [{ field: '', message: 'not JSON' }] };
  }
  return parseValue(value, schema);
}

export function parseValue<T>(value: unknown, schema: z.ZodType<T>): Parsed<T> {
  const read = schema.safeParse(value, { reportInput: false, error: inPlainWords });
  if (read.success) return { ok: true, value: read.data };
  return { ok: false, faults: read.error.issues.flatMap((issue) => faultsOf(issue, schema)) };
}

/** `configuration.region: …; enabled: …` on one line. */
export function describeFaults(faults: readonly Fault[]): string {
  return faults.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ');
}

/** ` Did you mean "x"?` when one of the known names is close enough to be a slip of the hand, else ''. */
export function didYouMean(wanted: string, known: Iterable<string>): string {
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const name of known) {
    const [one, other] = [wanted.toLowerCase(), name.toLowerCase()];
    // They are at least that far apart.
    if (Math.abs(one.length - other.length) >= bestDistance) continue;
    const distance = leven(one, other, { maxDistance: bestDistance });
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best === undefined ? '' : ` Did you mean "${best}"?`;
}

function faultsOf(issue: z.core.$ZodIssue, schema: z.ZodType): Fault[] {
  const field = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path);
    return issue.keys.map((key) => ({
      field: field === '' ? key : `${field}.${key}`,
      message: `unknown key.${didYouMean(key, known) || keysThere(issue.path, known)}`,
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // One form of the right type: what is wrong with it is what the writer wants to know.
    const meant = issue.errors.filter((branch) => !branch.every(isOfAnotherType));
    if (meant.length === 1 && meant[0] !== undefined) {
      return meant[0].flatMap((inner) => faultsOf({ ...inner, path: [...issue.path, ...inner.path] }, schema));
    }
    return [{ field, message: issue.message === 'Invalid input' ? 'none of the allowed forms' : issue.message }];
  }
  if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.endsWith('received undefined')) {
    return [{ field, message: `missing (expected ${issue.expected === 'record' ? 'object' : issue.expected})` }];
  }
  return [{ field, message: issue.message }];
}

function isOfAnotherType(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.path.length === 0;
}

/** More than these would hide the fault. */
const KEYS_SHOWN = 10;

/** Of a small object inside of another, where no name is near: what it has. */
function keysThere(path: readonly PropertyKey[], known: readonly string[]): string {
  const isSmall = known.length > 0 && known.length <= KEYS_SHOWN;
  return path.some((step) => typeof step === 'number') && isSmall ? ` There are ${known.join(', ')}.` : '';
}

/** What a person reads of a fault that its schema has no words for; never with the value. Undefined: zod's own words. */
function inPlainWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const expected = TYPES[issue.expected];
      const found = typeOf(issue.input);
      if (issue.input === undefined || expected === undefined) return undefined;
      return `must be ${expected}${expected === found || issue.expected === 'int' ? '' : `, not ${found}`}`;
    }
    case 'invalid_value': {
      const [only, ...others] = issue.values.map(String);
      if (issue.input === undefined || only === undefined) return undefined;
      if (others.length === 0) return `must be ${only}`;
      const meant = typeof issue.input === 'string' ? didYouMean(issue.input, [only, ...others]) : '';
      return `must be one of ${[only, ...others].join(', ')}${meant === '' ? '' : `.${meant}`}`;
    }
    case 'too_small':
      if (issue.origin === 'string' && Number(issue.minimum) === 1) return 'is empty';
      return issue.origin === 'number'
        ? `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`
        : undefined;
    case 'too_big':
      return issue.origin === 'number'
        ? `must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`
        : undefined;
    default:
      return undefined;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'a boolean',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return TYPES[typeof value] ?? typeof value;
}

/** The keys that the object schemas at a path know, for the "did you mean" of an unknown one. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here = forms(schema);
  for (const step of path) here = here.flatMap((one) => within(one, step)).flatMap(forms);
  return [...new Set(here.flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape) : [])))];
}

function within(schema: unknown, step: PropertyKey): unknown[] {
  if (schema instanceof z.ZodObject) return [schema.shape[String(step)]];
  if (schema instanceof z.ZodArray) return [schema.element];
  return schema instanceof z.ZodRecord ? [schema.valueType] : [];
}

/** A union's each; anything else by itself. */
function forms(schema: unknown): unknown[] {
  const bare = unwrap(schema);
  return bare instanceof z.ZodUnion ? bare.options.flatMap(forms) : [bare];
}

function unwrap(schema: unknown): unknown {
  let here = schema;
  for (;;) {
    if (here instanceof z.ZodOptional || here instanceof z.ZodDefault || here instanceof z.ZodNullable)
      here = here.unwrap();
    else if (here instanceof z.ZodPipe) here = here.def.in;
    else return here;
  }
}
