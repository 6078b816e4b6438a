import { z } from 'zod';
import { ServiceError } from '../errors.ts';
import { EMBEDDING_TYPES, INPUT_TYPES, TRUNCATIONS } from '../integrations/codec.ts';
import { integrationName, modelName } from '../integrations/names.ts';
import { describeFaults, didYouMean, type Fault, parseValue } from '../parsing.ts';
import type { GENERATION_INPUTS } from '../record-fields.ts';
import { visible } from '../visible.ts';

/** Conductor hands over null for a reference that resolved to nothing: the same as an absent input. */
export type TaskInput = Readonly<Record<string, unknown>>;

const NO_NUMBER = 'must be a number, such as 1 or 0.5';

/** Numbers may come as text, since a workflow's own inputs are often typed into a form. */
export const number = z.union(
  [
    z.number(),
    z
      .string()
      .regex(/^\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*$/, NO_NUMBER)
      .transform(Number),
  ],
  { error: NO_NUMBER },
);

const NO_BOOLEAN = 'must be true or false';

const trueOrFalse = z.union(
  [z.boolean(), z.enum(['true', 'false'], { error: NO_BOOLEAN }).transform((word) => word === 'true')],
  { error: NO_BOOLEAN },
);

/** A name as a record can have it: it goes into reasons, logs and the stream of denials. */
export const plainName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^\P{Cc}*$/u, 'a name has no control characters');

/** Inputs that every LLM task has. */
export const common = {
  llmProvider: integrationName,
  model: modelName,
  /** Never here by then (`polled-task.ts`): named so that a slip of the hand is told what it meant. */
  accessToken: z.undefined().optional(),
} as const;

/** How to generate, in text and chat. */
export const generation = {
  temperature: number.optional(),
  topP: number.optional(),
  topK: number.optional(),
  maxTokens: number.optional(),
  frequencyPenalty: number.optional(),
  presencePenalty: number.optional(),
  seed: number.optional(),
  maxResults: number.optional(),
  stopWords: z
    .union([z.array(z.string()), z.string().transform((word) => [word])], {
      error: 'must be a text or a list of texts',
    })
    .optional(),
  jsonOutput: trueOrFalse.optional(),
} as const satisfies Readonly<Record<(typeof GENERATION_INPUTS)[number], z.ZodType>>;

export const textCompleteInput = z.object({
  ...common,
  promptName: plainName.optional(),
  promptVersion: number.pipe(z.number().int().min(1)).optional(),
  promptVariables: z.record(z.string(), z.unknown()).optional(),
  prompt: z.string().optional(),
  allowRawPrompts: z.unknown().optional(),
  ...generation,
});

const NOTHING_TO_EMBED = 'is empty: there is nothing to embed';
const filledText = z.string().min(1, NOTHING_TO_EMBED);

/** What to do with a text that stands where a list of them belongs. */
export function insteadOfList(whatToDo: string): z.core.$ZodErrorMap {
  return ({ code, input }) =>
    code === 'invalid_type' && typeof input === 'string' ? `must be an array; ${whatToDo}` : undefined;
}

/** A list, or one of its items by itself. */
function listOf<T extends z.ZodType<string>>(item: T, error: string) {
  return z.union([z.array(item).min(1, 'is an empty list'), item.transform((one) => [one])], { error });
}

/** In Cohere's words; the address of an image may stand by itself. */
const mixedPart = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string().min(1, 'is empty') }),
  z.strictObject({
    type: z.literal('image_url'),
    image_url: z.union([z.strictObject({ url: z.string() }), z.string().transform((url) => ({ url }))], {
      error: 'must be a data URI, or an object with one as url',
    }),
  }),
]);

export const generateEmbeddingsInput = z.object({
  ...common,
  /** Exactly one of these four: see `generate-embeddings.ts`. */
  text: z
    .string({
      error: ({ input }) => (Array.isArray(input) ? 'must be a string; a list of them goes in texts' : undefined),
    })
    .min(1, NOTHING_TO_EMBED)
    .optional(),
  texts: z
    .array(filledText, { error: insteadOfList('a single text goes in text') })
    .min(1, 'is an empty list: there is nothing to embed')
    .optional(),
  images: z.array(z.string()).min(1, 'is an empty list: there is nothing to embed').optional(),
  inputs: z
    .array(z.strictObject({ content: z.array(mixedPart).min(1, 'is an empty list') }))
    .min(1, 'is an empty list: there is nothing to embed')
    .optional(),
  inputType: z.enum(INPUT_TYPES).optional(),
  truncate: z.enum(TRUNCATIONS).optional(),
  dimensions: number.optional(),
  embeddingTypes: listOf(z.enum(EMBEDDING_TYPES), `must be one or a list of ${EMBEDDING_TYPES.join(', ')}`).optional(),
});

export const rerankInput = z.object({
  ...common,
  query: z.string().min(1, 'is empty: there is nothing to rank by'),
  documents: z
    .array(z.union([z.string(), z.record(z.string(), z.unknown())], { error: 'must be a text or an object' }))
    .min(1, 'is an empty list: there is nothing to rank'),
  /** The fields of documents that are objects to rank by; all of them where it is absent. */
  rankFields: listOf(z.string().min(1), 'must be the name of a field, or a list of them').optional(),
  topN: number.optional(),
  returnDocuments: trueOrFalse.optional(),
});

const names = z.object(common);

/** The integration and model that a task names. Throws INPUT_INVALID. */
export function readNames(input: TaskInput): { integration: string; model: string } {
  const read = parseValue(withoutNulls(input), names);
  if (!read.ok) throw invalidInput(read.faults);
  return { integration: read.value.llmProvider, model: read.value.model };
}

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

function invalidInput(faults: readonly Fault[]): ServiceError {
  const shown = faults
    .slice(0, FAULTS_SHOWN)
    .map((fault) => visible(describeFaults([fault]).slice(0, FAULT_CHARACTERS)));
  const more = faults.length - shown.length;
  return new ServiceError('INPUT_INVALID', `Input: ${shown.join('; ')}${more === 0 ? '' : `; and ${more} more`}`, {
    field: faults[0]?.field.slice(0, FAULT_CHARACTERS),
  });
}
