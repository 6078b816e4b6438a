import { z } from 'zod';

/** Keys that Orkes' read shapes carry and its clients send back; kept, never interpreted. Times in milliseconds. */
export const auditFields = {
  ownerApp: z.string().nullish(),
  createdBy: z.string().nullish(),
  updatedBy: z.string().nullish(),
  createTime: z.number().nullish(),
  updateTime: z.number().nullish(),
  createdOn: z.number().nullish(),
  updatedOn: z.number().nullish(),
} as const;

/** How often a limit of tokens begins anew. */
export const FREQUENCIES = ['daily', 'weekly', 'monthly'] as const;
export type Frequency = (typeof FREQUENCIES)[number];

/** A limit of tokens, as Orkes' IntegrationApiUpdate writes it: in force where both are there. See docs/limits.md. */
export const limitFields = {
  maxTokens: z.number().int().min(0).nullish(),
  frequency: z.enum(FREQUENCIES).nullish(),
} as const;
export interface LimitFields {
  readonly maxTokens?: number | null | undefined;
  readonly frequency?: Frequency | null | undefined;
}

/** The task inputs that say how to generate: what the `defaults` of a model and of a prompt may both set. */
export const GENERATION_INPUTS = [
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
] as const;

/** `defaults` of a record: task inputs used where a task gives none. Their values are read as the task's own would be. */
export function defaultsOf(inputs: readonly string[]) {
  return z.strictObject(Object.fromEntries(inputs.map((name) => [name, z.unknown().optional()])));
}

/** A tag, `{key, value, type?}`; grants can be made on it, so its key holds no colon. */
export const tag = z.strictObject({
  key: z
    .string()
    .min(1)
    .regex(/^[^:]+$/, 'a tag key holds no colon'),
  value: z.string(),
  type: z.string().optional(),
});
export const tags = z
  .array(tag)
  .nullish()
  .transform((list) => list ?? []);
export type Tag = z.infer<typeof tag>;
