import { z } from 'zod';
import { auditFields, tags } from '../record-fields.ts';

/** Bounded, so that it stays exact as a number. */
const VERSION = /^[1-9]\d{0,8}$/;

const version = z.strictObject({
  template: z.string(),
  description: z.string().nullish(),
  variables: z.array(z.string()).nullish(),
  ...auditFields,
});

/** One field of the hash `cohere:prompts`, in the shape of Orkes' MessageTemplate. `template` is version 1. */
export const promptRecord = z.strictObject({
  name: z.string().optional(),
  template: z.string(),
  description: z.string().nullish(),
  variables: z.array(z.string()).nullish(),
  /** The `provider:model`s that may run this prompt, whatever its version. */
  integrations: z
    .array(z.string())
    .nullish()
    .transform((list) => list ?? []),
  version: z.number().nullish(),
  versions: z
    .record(z.string().regex(VERSION, 'a version is a whole number from 1'), version)
    .nullish()
    .transform((versions) => versions ?? {}),
  tags,
  ...auditFields,
});

export type Prompt = z.infer<typeof promptRecord>;

/** All versions, lowest first. Version 1 is the record's own template unless `versions` names a 1 itself. */
export function versionsOf(prompt: Prompt): number[] {
  return [...new Set([1, ...Object.keys(prompt.versions).map(Number)])].sort((a, b) => a - b);
}

/** The template of a version; of the highest where none is given. Undefined where there is no such version. */
export function templateOf(prompt: Prompt, wanted?: number): string | undefined {
  const number = wanted ?? Math.max(...versionsOf(prompt));
  const named = Object.hasOwn(prompt.versions, String(number)) ? prompt.versions[String(number)] : undefined;
  if (named !== undefined) return named.template;
  return number === 1 ? prompt.template : undefined;
}
