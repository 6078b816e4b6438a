import { z } from 'zod';
import { auditFields, defaultsOf, GENERATION_INPUTS, limitFields, tags } from '../record-fields.ts';
import { FAMILIES } from './codec.ts';

/** The task inputs that a model's `defaults` may set: how to answer, never whom to ask or what. */
const TASK_PARAMETERS = [
  ...GENERATION_INPUTS,
  'dimensions',
  'inputType',
  'truncate',
  'embeddingTypes',
  'topN',
] as const;

const positive = z.number().int().min(1);

/** A year. */
const CACHE_SECONDS_AT_MOST = 31_536_000;
const CACHE_MEGABYTES_AT_MOST = 65_536;

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
  defaults: defaultsOf(TASK_PARAMETERS).default({}),
  /** Answers are kept, and given again without a call: see `src/calls/from-cache.ts`. Absent: none is. */
  cache: z
    .strictObject({
      /** How long an answer is kept. */
      ttlSeconds: positive.max(CACHE_SECONDS_AT_MOST),
      /** Of answers of this model; beyond it the oldest go. */
      maxMegabytes: positive.max(CACHE_MEGABYTES_AT_MOST).default(64),
    })
    .optional(),
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
