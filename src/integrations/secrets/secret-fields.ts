import type { SecretPlace } from '../../secrets/envelope.ts';

/** The fields of an integration's `configuration` that hold a secret, bare or in another form. */
export const SECRET_FIELDS = ['api_key', 'externalId'] as const;
export type SecretField = (typeof SECRET_FIELDS)[number];

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
