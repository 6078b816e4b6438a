import { z } from 'zod';
import { auditFields, defaultsOf, GENERATION_INPUTS, tags } from '../record-fields.ts';

/** Bounded, so that it stays exact as a number. */
const VERSION = /^[1-9]\d{0,8}$/;

/** How to generate where a task does not say; a prompt's go before its model's. */
const defaults = defaultsOf(GENERATION_INPUTS).nullish();

const version = z.strictObject({
  template: z.string(),
  description: z.string().nullish(),
  variables: z.array(z.string()).nullish(),
  /** Go before the record's own, which hold for every version. */
  defaults,
  ...auditFields,
});

/** One field of the hash `cohere:prompts`, in the shape of Orkes' MessageTemplate. `template` is version 1. */
export const promptRecord = z.strictObject({
  name: z.string().optional(),
  template: z.string(),
  description: z.string().nullish(),
  variables: z.array(z.string()).nullish(),
  defaults,
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

export function highestVersion(prompt: Prompt): number {
  return versionsOf(prompt).at(-1) ?? 1;
}

/** One version, as tasks run it. */
export interface PromptVersion {
  readonly number: number;
  readonly template: string;
  readonly description: string | undefined;
  /** `defaults` by their places in the record, the first before the others: `versions.2.defaults`, `defaults`. */
  readonly defaults: readonly { readonly field: string; readonly values: Readonly<Record<string, unknown>> }[];
}

/** A version; the highest where none is given. Undefined where there is no such version. */
export function versionOf(prompt: Prompt, wanted?: number): PromptVersion | undefined {
  const number = wanted ?? highestVersion(prompt);
  const own = ownOf(prompt, number);
  if (own === undefined && number !== 1) return undefined;
  return {
    number,
    template: own?.template ?? prompt.template,
    description: own?.description ?? prompt.description ?? undefined,
    defaults: [
      { field: `versions.${number}.defaults`, values: own?.defaults ?? {} },
      { field: 'defaults', values: prompt.defaults ?? {} },
    ],
  };
}

/** What `versions` says of one. */
function ownOf({ versions }: Prompt, number: number) {
  return Object.hasOwn(versions, String(number)) ? versions[String(number)] : undefined;
}
