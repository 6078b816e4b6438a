import type { IntegrationConfiguration } from '../integration.ts';
import { secretForm } from './secret-fields.ts';

/** What is shown in place of a secret, and may be written back to keep it. */
export const MASK = '********';

/** The fields that Orkes types PASSWORD: written, and never read again. */
export const MASKED_FIELDS = ['api_key', 'externalId', 'awsAccountId'] as const;
export type MaskedField = (typeof MASKED_FIELDS)[number];

/** An integration's record as a command may show it: secrets masked, references (`env:NAME`, `file:NAME`) as they are. */
export function maskSecrets(record: unknown): unknown {
  const configuration = (record as { configuration?: unknown } | null)?.configuration;
  if (typeof configuration !== 'object' || configuration === null) return record;
  const shown: Record<string, unknown> = { ...configuration };
  for (const field of MASKED_FIELDS) {
    const value = shown[field];
    if (value === undefined || value === null) continue;
    const form = typeof value === 'string' ? secretForm(value) : 'bare';
    if (form !== 'environment' && form !== 'file') shown[field] = MASK;
  }
  return { ...(record as object), configuration: shown };
}

/**
 * A configuration as the API may show it: every masked field that has a value is the mask, whatever its form. A
 * reference tells where secrets lie, which is nobody's business over HTTP.
 */
export function maskConfiguration(configuration: IntegrationConfiguration): IntegrationConfiguration {
  const masked = MASKED_FIELDS.filter((field) => hasValue(configuration[field]));
  return { ...configuration, ...Object.fromEntries(masked.map((field) => [field, MASK])) };
}

/** Null and '' say that a field is empty. */
export function hasValue(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
