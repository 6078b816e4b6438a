import type { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { describeFaults, didYouMean, type Fault, parseValue } from '../../parsing.ts';
import { visible } from '../../visible.ts';

/** Conductor hands over null for a reference that resolved to nothing: the same as an absent input. */
export type TaskInput = Readonly<Record<string, unknown>>;

export interface ReadInput<T> {
  readonly value: T;
  /** For the task's log in Conductor: inputs that no one reads, a slip of the hand perhaps. */
  readonly notes: readonly string[];
}

/** Of the inputs of one task type. */
export type InputSchema<T> = z.ZodType<T> & { readonly shape: Readonly<Record<string, z.ZodType>> };

/**
 * A task's inputs against the schema of its type, with `defaults` where the task gives none. Throws
 * INPUT_INVALID with the field's name (see `blameDefaults` for a fault that a default brought in), also for one that is nested
 * more than 200 deep.
 */
export function readInput<T extends object>(
  input: TaskInput,
  schema: InputSchema<T>,
  defaults: TaskInput,
): ReadInput<T> {
  const given = withoutNulls(input);
  const known = Object.keys(schema.shape);
  demandShallow(given);
  const read = parseValue(given, schema);
  if (!read.ok) throw invalidInput(read.faults);
  const notes = unreadInputs(given, known).map((key) => `${notKnown(key)}${didYouMean(key, known)}`);
  return { value: withDefaults(read.value, schema, defaults), notes };
}

/** Names of inputs that no one reads, cut short, the first ten. */
export function unreadInputs(input: TaskInput, known: readonly string[]): string[] {
  return Object.keys(withoutNulls(input))
    .filter((key) => !known.includes(key) && !key.startsWith('_'))
    .slice(0, NOTES_AT_MOST)
    .map((key) => key.slice(0, 100));
}

export function notKnown(key: string): string {
  return `The input "${key}" is not known and was not used.`;
}

/** `value` with `defaults` where it says nothing, each read as the task's own would be. Throws as `readInput` does. */
export function withDefaults<T extends object>(value: T, schema: InputSchema<T>, defaults: TaskInput): T {
  const added: Record<string, unknown> = {};
  const faults: Fault[] = [];
  for (const [name, given] of Object.entries(withoutNulls(defaults))) {
    const form = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
    if (form === undefined || Object.hasOwn(value, name)) continue;
    demandShallow({ [name]: given });
    const read = parseValue(given, form);
    if (read.ok) added[name] = read.value;
    else faults.push(...read.faults.map(({ field, message }) => ({ field: joined(name, field), message })));
  }
  if (faults.length > 0) throw invalidInput(faults);
  return { ...value, ...added };
}

function joined(name: string, field: string): string {
  return field === '' ? name : `${name}.${field}`;
}

/** Lists and objects in one another: no schema or history comes near it, and what writes JSON ends at a few thousand. */
const DEEPEST = 200;
/** `messages.0.message`: enough to find it by. */
const PLACE_STEPS = 3;

function demandShallow(input: TaskInput): void {
  const path = tooDeep(input, 0);
  if (path === undefined) return;
  const place = path
    .slice(0, PLACE_STEPS)
    .map((key) => key.slice(0, 100))
    .join('.');
  throw invalidInput([{ field: place, message: `is nested more than ${DEEPEST} deep` }]);
}

/** The way to a value that lies too deep. It goes no deeper itself. */
function tooDeep(value: object, depth: number): string[] | undefined {
  if (depth > DEEPEST) return [];
  // Every input comes by here: names are made for the one place that is told.
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const [index, one] of inner.entries()) {
    if (typeof one !== 'object' || one === null) continue;
    const path = tooDeep(one, depth + 1);
    if (path !== undefined) return [Object.keys(value)[index] ?? '', ...path];
  }
  return undefined;
}

/** A slip or two is worth a note; a thousand are something else. */
const NOTES_AT_MOST = 10;

/** What stands for nothing left out. */
export function withoutNulls(input: TaskInput): TaskInput {
  const given: Record<string, unknown> = {};
  for (const key of Object.keys(input)) {
    const value = input[key];
    if (value === null || value === undefined) continue;
    // Assigning would set the prototype, and no own property.
    if (key === '__proto__') Object.defineProperty(given, key, { value, enumerable: true });
    else given[key] = value;
  }
  return given;
}

/** A list of a thousand numbers where texts belong has a thousand faults. */
const FAULTS_SHOWN = 5;
/** A key may be as long as Conductor lets an input be. */
const FAULT_CHARACTERS = 300;

/** The faults of inputs, in one INPUT_INVALID. */
export function invalidInput(faults: readonly Fault[]): ServiceError {
  const shown = faults
    .slice(0, FAULTS_SHOWN)
    .map((fault) => visible(describeFaults([fault]).slice(0, FAULT_CHARACTERS)));
  const more = faults.length - shown.length;
  return new ServiceError('INPUT_INVALID', `Input: ${shown.join('; ')}${more === 0 ? '' : `; and ${more} more`}`, {
    field: faults[0]?.field.slice(0, FAULT_CHARACTERS),
  });
}
