import { z } from 'zod';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { FAMILIES } from '../../integrations/codec.ts';
import { familyOf, LIFE_STATES, lifeOf } from '../../integrations/cohere/models.ts';
import type { Integration } from '../../integrations/integration.ts';
import type { Model } from '../../integrations/model.ts';
import { maskConfiguration } from '../../integrations/secrets/masks.ts';
import { tag } from '../../record-fields.ts';
import type { Caller } from '../access/caller.ts';
import { integrationAsked, modelAsked } from '../access/targets.ts';
import { auditOf, ignored, ignoredAudit, limitOf, limitUpdate, wireAudit, wireLimit, wireTag } from './common.ts';

const category = z.literal('AI_MODEL');
const configuration = z.record(z.string(), z.unknown());

/** Orkes' IntegrationApi: a model of an integration. */
export const wireModel = z.object({
  integrationName: z.string(),
  api: z.string(),
  description: z.string().optional(),
  enabled: z.boolean(),
  configuration,
  ...wireLimit,
  tags: z.array(wireTag),
  family: z.enum(FAMILIES).describe('Ours: how the model is called.'),
  life: z
    .object({
      state: z.enum(LIFE_STATES),
      endsOn: z.string().optional(),
      endedOn: z.string().optional(),
      alternative: z.string().optional(),
    })
    .describe(
      "Ours: the model's life at Bedrock, from its dates; `unknown` for what is not Cohere's or hides behind an ARN.",
    ),
  ...wireAudit,
});
export type WireModel = z.infer<typeof wireModel>;

/** Orkes' Integration. Secrets are masked. `apis` only where they are asked for. */
export const wireIntegration = z.object({
  name: z.string(),
  type: z.string(),
  category,
  description: z.string().optional(),
  enabled: z.boolean(),
  configuration,
  ...wireLimit,
  tags: z.array(wireTag),
  modelsCount: z.number().int(),
  apis: z.array(wireModel).optional(),
  ...wireAudit,
});
export type WireIntegration = z.infer<typeof wireIntegration>;

/** Orkes' IntegrationUpdate: the whole configuration; what else is left out stays as it is. */
export const integrationUpdate = z.strictObject({
  type: z.string().optional().describe('aws_bedrock_cohere; it cannot change later.'),
  category: category.nullish(),
  description: z.string().nullish(),
  enabled: z.boolean().nullish(),
  configuration: configuration.describe('See GET /api/integrations/def/aws_bedrock_cohere.'),
  ...limitUpdate,
  name: ignored,
  tags: z.array(tag).nullish().describe('Needs the right to grant on it, where it differs from what is there.'),
  modelsCount: ignored,
  apis: ignored,
  ...ignoredAudit,
});
export type IntegrationUpdate = z.infer<typeof integrationUpdate>;

/** Orkes' IntegrationApiUpdate. */
export const modelUpdate = z.strictObject({
  description: z.string().nullish(),
  enabled: z.boolean().nullish(),
  configuration: configuration.nullish().describe('Limits and how to call it, whole: see docs/redis.md, Models.'),
  ...limitUpdate,
  integrationName: ignored,
  api: ignored,
  tags: z.array(tag).nullish().describe('Needs the right to grant on it, where it differs from what is there.'),
  family: ignored,
  life: ignored,
  ...ignoredAudit,
});
export type ModelUpdate = z.infer<typeof modelUpdate>;

export function modelOnWire(
  integration: string,
  model: string,
  record: Model,
  stored: Readonly<Record<string, unknown>>,
): WireModel {
  const { modelId, family } = record.configuration;
  return {
    integrationName: integration,
    api: model,
    description: record.description ?? undefined,
    enabled: record.enabled,
    configuration: (stored['configuration'] as Record<string, unknown> | null | undefined) ?? {},
    ...limitOf(record),
    tags: record.tags.map(plainTag),
    family: familyOf({ name: model, modelId, family }),
    life: lifeOf(modelId ?? model, new Date()),
    ...auditOf(record),
  };
}

/** `models`: those that the caller may see. Without READ on it, a model of it apart, its configuration stays hidden. */
export function integrationOnWire(
  name: string,
  record: Integration,
  { models, withApis, hidden = false }: { models: readonly WireModel[]; withApis: boolean; hidden?: boolean },
): WireIntegration {
  return {
    name,
    type: record.type,
    category: 'AI_MODEL',
    description: record.description ?? undefined,
    enabled: record.enabled,
    configuration: hidden ? {} : maskConfiguration(record.configuration),
    ...(hidden ? {} : limitOf(record)),
    tags: hidden ? [] : record.tags.map(plainTag),
    modelsCount: models.length,
    ...(withApis ? { apis: [...models] } : {}),
    ...(hidden ? {} : auditOf(record)),
  };
}

export interface Shown {
  readonly activeOnly: boolean;
}

/** The models of an integration that a caller may READ, by name. */
export function modelsFor(snapshot: Snapshot, caller: Caller, integration: string, { activeOnly }: Shown): WireModel[] {
  const models: WireModel[] = [];
  for (const [name, entry] of snapshot.parts.tables.models) {
    const model = name.startsWith(`${integration}:`) ? name.slice(integration.length + 1) : undefined;
    if (model === undefined) continue;
    if (entry.lookup.kind !== 'found' || (activeOnly && !entry.lookup.record.enabled)) continue;
    if (!caller.may('READ', modelAsked(integration, model))) continue;
    models.push(modelOnWire(integration, model, entry.lookup.record, JSON.parse(entry.raw) as Record<string, unknown>));
  }
  return models.sort((one, other) => (one.api < other.api ? -1 : 1));
}

/** The integrations that a caller may READ, or a model of which it may; by name. */
export function integrationsFor(
  snapshot: Snapshot,
  caller: Caller,
  { activeOnly, withApis }: Shown & { readonly withApis: boolean },
): WireIntegration[] {
  const shown: WireIntegration[] = [];
  for (const name of [...snapshot.names('integrations')].sort()) {
    const found = snapshot.integration(name);
    if (found.kind !== 'found' || (activeOnly && !found.record.enabled)) continue;
    const models = modelsFor(snapshot, caller, name, { activeOnly });
    const mayRead = caller.may('READ', integrationAsked(name));
    if (!mayRead && models.length === 0) continue;
    shown.push(integrationOnWire(name, found.record, { models, withApis, hidden: !mayRead }));
  }
  return shown;
}

function plainTag({ key, value, type }: z.infer<typeof wireTag>) {
  return { key, value, ...(type === undefined ? {} : { type }) };
}
