import { z } from 'zod';
import { splitQualified } from '../../integrations/names.ts';
import { type Prompt, templateOf, versionsOf } from '../../prompts/prompt.ts';
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
  /** The models that may run it, each `provider:model`. */
  integrations: z.array(z.string()),
  version: z.number().int(),
  tags: z.array(wireTag),
  ...wireAudit,
});
export type WirePrompt = z.infer<typeof wirePrompt>;

/** A prompt as a list of several is written: one version, the first where none is named. */
export const promptUpdate = z.strictObject({
  name: z.string(),
  template: z.string(),
  description: z.string().nullish(),
  integrations: z.array(z.string()).nullish(),
  version: z.number().int().min(1).max(999_999_999).nullish(),
  variables: ignored,
  tags: z.array(tag).nullish().describe('Needs the right to grant on it, where it differs from what is there.'),
  ...ignoredAudit,
});

/** The highest version where none is named; one that exists. */
export function promptOnWire(
  name: string,
  record: Prompt,
  caller: Caller,
  version = Math.max(...versionsOf(record)),
): WirePrompt {
  const template = templateOf(record, version) ?? '';
  const own = Object.hasOwn(record.versions, String(version)) ? record.versions[String(version)] : undefined;
  return {
    name,
    template,
    description: own?.description ?? record.description ?? undefined,
    variables: variablesOf(template),
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
