import { z } from 'zod';
import { EMBEDDING_TYPES, INPUT_TYPES, TRUNCATIONS } from '../../integrations/codec.ts';
import { integrationName, modelName } from '../../integrations/names.ts';
import { parseValue } from '../../parsing.ts';
import type { GENERATION_INPUTS } from '../../record-fields.ts';
import { invalidInput, type TaskInput, withoutNulls } from './read-inputs.ts';

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
