/**
 * Bodies checked the way Bedrock checks them: a schema a family, and faults in the words of its JSON schema validator:
 * `Malformed input request: #/temperature: 7.0 is not less or equal to 5.0, please reformat your input and try again.`
 * The words are those that users report in issues; Bedrock documents none.
 */
import { z } from 'zod';
import { type AwsError, validationError } from './errors.ts';

/** Several faults follow each other without anything between, as Bedrock writes them. */
export function malformed(...faults: readonly string[]): AwsError {
  return validationError(`Malformed input request: ${faults.join('')}, please reformat your input and try again.`);
}

/** Throws ValidationException unless the body fits. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw malformed(...parsed.error.issues.flatMap(inBedrocksWords));
}

function inBedrocksWords(issue: z.core.$ZodIssue): string[] {
  const at = (path: readonly PropertyKey[]) => ['#', ...path.map(String)].join('/');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${at(issue.path)}: extraneous key [${key}] is not permitted`);
  }
  const missing = issue.input === undefined && issue.path.length > 0;
  if (missing && (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union')) {
    return [`${at(issue.path.slice(0, -1))}: required key [${String(issue.path.at(-1))}] not found`];
  }
  if (issue.code === 'invalid_type') {
    return [
      `${at(issue.path)}: expected type: ${TYPE_NAMES[issue.expected] ?? issue.expected}, found: ${typeOf(issue.input)}`,
    ];
  }
  if (issue.code === 'invalid_value') return [`${at(issue.path)}: ${String(issue.input)} is not a valid enum value`];
  return [`${at(issue.path)}: ${issue.message}`];
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'String',
  number: 'Number',
  int: 'Integer',
  boolean: 'Boolean',
  array: 'JSONArray',
  object: 'JSONObject',
  record: 'JSONObject',
};

function typeOf(value: unknown): string {
  if (value === null) return 'Null';
  if (Array.isArray(value)) return 'JSONArray';
  if (typeof value === 'number') return Number.isInteger(value) ? 'Integer' : 'BigDecimal';
  return TYPE_NAMES[typeof value] ?? typeof value;
}

/** A number within `min` and `max`, both included. */
export function fraction(min: number, max: number) {
  const shown = (value: number) => (Number.isInteger(value) ? value.toFixed(1) : String(value));
  return z
    .number()
    .min(min, { error: ({ input }) => `${shown(Number(input))} is not greater or equal to ${shown(min)}` })
    .max(max, { error: ({ input }) => `${shown(Number(input))} is not less or equal to ${shown(max)}` });
}

/** A whole number within `min` and `max`, both included. */
export function whole(min: number, max: number) {
  return z
    .int()
    .min(min, { error: ({ input }) => `${String(input)} is not greater or equal to ${min}` })
    .max(max, { error: ({ input }) => `${String(input)} is not less or equal to ${max}` });
}

/** A text of `min` to `max` characters; characters are code points, as in JSON Schema. */
export function text(min: number, max = Number.POSITIVE_INFINITY) {
  return z.string().superRefine((value, context) => {
    const length = value.length >= min && value.length <= max / 2 ? value.length : [...value].length;
    if (length < min) context.addIssue({ code: 'custom', message: `expected minLength: ${min}, actual: ${length}` });
    if (length > max) context.addIssue({ code: 'custom', message: `expected maxLength: ${max}, actual: ${length}` });
  });
}

/** A list of `min` to `max` items. */
export function list<Item extends z.ZodType>(item: Item, min: number, max = Number.POSITIVE_INFINITY) {
  const found = (input: unknown) => (Array.isArray(input) ? input.length : 0);
  return z
    .array(item)
    .min(min, { error: ({ input }) => `expected minimum item count: ${min}, found: ${found(input)}` })
    .max(max, { error: ({ input }) => `expected maximum item count: ${max}, found: ${found(input)}` });
}
