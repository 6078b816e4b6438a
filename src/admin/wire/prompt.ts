import { z } from 'zod';
import { joinDefaults } from '../../calls/inputs/defaults.ts';
import { generation } from '../../calls/inputs/task-inputs.ts';
import { splitQualified } from '../../integrations/names.ts';
import { highestVersion, type Prompt, versionOf } from '../../prompts/prompt.ts';
import { variablesOf } from '../../prompts/render.ts';
import { tag } from '../../record-fields.ts';
import type { Caller } from '../access/caller.ts';
import { modelAsked } from '../access/targets.ts';
import { auditOf, ignored, ignoredAudit, wireAudit, wireTag } from './common.ts';

/** Orkes' MessageTemplate: one version of a prompt. */
export const wirePrompt = z.object({
  name: z.string(),
  template: z.string(),
  description: z.string().optional(),
  /** What the template names as `${name}`. */
  variables: z.array(z.string()),
  /** Ours: what it is run with where a task does not say, the version's own before the prompt's. */
  defaults: z.record(z.string(), z.unknown()).optional(),
  /** The models that may run it, each `provider:model`. */
  integrations: z.array(z.string()),
  version: z.number().int(),
  tags: z.array(wireTag),
  ...wireAudit,
});
export type WirePrompt = z.infer<typeof wirePrompt>;

/** `defaults` as they are written: each of the form that a task's input has. */
export const writtenDefaults = z
  .strictObject(Object.fromEntries(Object.entries(generation).map(([name, form]) => [name, form.nullish()])))
  .describe(
    'Ours: task inputs for where a task gives none. Of version 1 they hold for every version; those of another go before them. ' +
      'Absent or null keeps those that are there; `{}` takes them away.',
  );

/** A prompt as a list of several is written: one version, the first where none is named. */
export const promptUpdate = z.strictObject({
  name: z.string(),
  template: z.string(),
  description: z.string().nullish(),
  integrations: z.array(z.string()).nullish(),
  version: z.number().int().min(1).max(999_999_999).nullish(),
  variables: ignored,
  defaults: writtenDefaults.nullish(),
  tags: z.array(tag).nullish().describe('Needs the right to grant on it, where it differs from what is there.'),
  ...ignoredAudit,
});

/** The highest version where none is named; one that exists. */
export function promptOnWire(
  name: string,
  record: Prompt,
  caller: Caller,
  version = highestVersion(record),
): WirePrompt {
  const { template = '', description, defaults = [] } = versionOf(record, version) ?? {};
  const said = joinDefaults(defaults.map(({ values }) => values));
  return {
    name,
    template,
    description,
    variables: variablesOf(template),
    ...(Object.keys(said).length === 0 ? {} : { defaults: said }),
    integrations: record.integrations.filter((model) => seesModel(caller, model)),
    version,
    tags: record.tags.map(({ key, value, type }) => ({ key, value, ...(type === undefined ? {} : { type }) })),
    ...auditOf(record),
  };
}

/** A prompt names models; whoever may not READ one learns of it here as little as elsewhere. */
export function seesModel(caller: Caller, qualified: string): boolean {
  const parts = splitQualified(qualified);
  return parts === undefined ? caller.isAdmin : caller.may('READ', modelAsked(parts.integration, parts.model));
}
