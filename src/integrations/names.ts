import { z } from 'zod';

/** An integration's name, as in `bedrock-prod`: `[A-Za-z0-9][A-Za-z0-9_.-]*`. Orkes calls it the provider. */
export type IntegrationName = string & { readonly __brand: 'IntegrationName' };
/** A model's name within its integration, as in `cohere.embed-v4:0`; it may hold colons, spaces never. */
export type ModelName = string & { readonly __brand: 'ModelName' };

const INTEGRATION_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const MODEL_NAME = /^[!-~]{1,2048}$/;

export const integrationName = z
  .string()
  .regex(INTEGRATION_NAME, 'an integration name is a letter or digit, then letters, digits, "_", "." or "-"')
  .max(255)
  .transform((text) => text as IntegrationName);

export const modelName = z
  .string()
  .regex(MODEL_NAME, 'a model name has no spaces and at least one character')
  .transform((text) => text as ModelName);

/** `provider:model` into its parts; undefined when either is missing or malformed. */
export function splitQualified(text: string): { integration: IntegrationName; model: ModelName } | undefined {
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const integration = integrationName.safeParse(text.slice(0, colon));
  const model = modelName.safeParse(text.slice(colon + 1));
  if (!integration.success || !model.success) return undefined;
  return { integration: integration.data, model: model.data };
}
