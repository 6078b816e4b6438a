import { z } from 'zod';
import { auditFields, limitFields, tags } from '../record-fields.ts';
import { FAMILIES } from './codec.ts';

/** The task inputs that a model's `defaults` may set: how to answer, never whom to ask or what. */
const TASK_PARAMETERS = [
  'temperature',
  'topP',
  'topK',
  'maxTokens',
  'frequencyPenalty',
  'presencePenalty',
  'seed',
  'maxResults',
  'stopWords',
  'jsonOutput',
  'dimensions',
  'inputType',
  'truncate',
  'embeddingTypes',
  'topN',
] as const;

const positive = z.number().int().min(1);

const configuration = z.strictObject({
  /** Calls at once over the whole cluster. */
  maxConcurrency: positive.optional(),
  /** Calls at once from one worker. */
  maxConcurrencyPerWorker: positive.optional(),
  requestsPerMinute: positive.optional(),
  tokensPerMinute: positive.optional(),
  /** How long one call may take, in milliseconds. */
  timeoutMs: positive.max(3_600_000).default(120_000),
  /** How long a throttled task may be put off, in seconds. */
  maxDeferralSeconds: positive.default(900),
  /** An inference profile's id, or any ARN, to call in place of the name. */
  modelId: z
    .string()
    .min(1)
    .max(2048)
    .regex(/^[!-~]+$/, 'an id or ARN without spaces')
    .optional(),
  /** Which codec to use where the id does not tell. */
  family: z.enum(FAMILIES).optional(),
  /** Task inputs used where a task gives none; their values are read as the task's own would be. */
  defaults: z
    .strictObject(Object.fromEntries(TASK_PARAMETERS.map((name) => [name, z.unknown().optional()])))
    .default({}),
  cache: z.strictObject({ ttlSeconds: positive }).optional(),
  /** False: only named prompts, whatever the task says. */
  rawPrompts: z.boolean().default(true),
});

/** One field of the hash `cohere:models`, in the shape of Orkes' IntegrationApi. */
export const modelRecord = z.strictObject({
  integrationName: z.string().optional(),
  api: z.string().optional(),
  description: z.string().nullish(),
  enabled: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
  configuration: configuration.nullish().transform((value) => value ?? configuration.parse({})),
  tags,
  ...limitFields,
  ...auditFields,
});

export type Model = z.infer<typeof modelRecord>;
