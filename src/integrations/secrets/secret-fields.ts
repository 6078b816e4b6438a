import type { SecretPlace } from '../../secrets/envelope.ts';
import type { ConnectionType } from '../integration.ts';

/** The fields of an integration's `configuration` that hold a secret, bare or in another form. */
export const SECRET_FIELDS = ['api_key', 'externalId'] as const;
export type SecretField = (typeof SECRET_FIELDS)[number];

/** The secret that each connection type opens; that of another may stand beside it. */
export const OPENED_BY: Readonly<Record<ConnectionType, readonly SecretField[]>> = {
  CONDUCTOR_ROLE: [],
  EXTERNAL_ROLE: ['externalId'],
  ACCESS_KEY: ['api_key'],
};

/** Where an integration's secret stands: sealed for there, it opens nowhere else. */
export function secretPlace(integration: string, field: SecretField): SecretPlace {
  return { kind: 'integrations', record: integration, field: `configuration.${field}` };
}

/** How a secret is written in a record. */
export type SecretForm = 'sealed' | 'environment' | 'file' | 'bare';

export function secretForm(text: string): SecretForm {
  if (text.startsWith('enc:')) return 'sealed';
  if (text.startsWith('env:')) return 'environment';
  if (text.startsWith('file:')) return 'file';
  return 'bare';
}

/** The fields of a configuration whose secret stands there as it is. */
export function bareSecrets(configuration: Readonly<Record<string, unknown>>): SecretField[] {
  return SECRET_FIELDS.filter((field) => {
    const secret = configuration[field];
    return typeof secret === 'string' && secret !== '' && secretForm(secret) === 'bare';
  });
}

/** A record's configuration, whatever stands in Redis: where there is none, an empty one. */
export function configurationOf(record: unknown): Readonly<Record<string, unknown>> {
  const configuration = (record as { configuration?: unknown } | null | undefined)?.configuration;
  return typeof configuration === 'object' && configuration !== null ? (configuration as Record<string, unknown>) : {};
}
