import { messageOf, ServiceError } from '../../errors.ts';
import type { Fault } from '../../parsing.ts';
import { EnvelopeError, isEnvelope, type SecretPlace, unseal } from '../../secrets/envelope.ts';
import type { Keyring } from '../../secrets/keyring.ts';
import type { IntegrationConfiguration } from '../integration.ts';
import { type SecretField, secretPlace } from './secret-fields.ts';

const NEXT_STEP: Readonly<Record<EnvelopeError['kind'], string>> = {
  'missing-key': "give the worker's ENCRYPTION_KEYS that key, or write the secret anew",
  malformed: 'write the secret anew',
  forged: 'write the secret anew',
};

/** The secret in an envelope. Throws SECRET_UNAVAILABLE with the field, the key's id and what to do. */
export function openSealed(envelope: string, place: SecretPlace, keyring: Keyring): string {
  try {
    return unseal(envelope, place, keyring);
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause;
    const message = `${place.field}: ${cause.message}; ${NEXT_STEP[cause.kind]}`;
    throw new ServiceError('SECRET_UNAVAILABLE', message, { field: place.field, cause });
  }
}

/** What is wrong with the envelopes of these fields: nothing, where each of them opens or is none. */
export function sealedFaults(
  integration: string,
  configuration: IntegrationConfiguration,
  fields: readonly SecretField[],
  keyring: Keyring,
): Fault[] {
  return fields.flatMap((field) => {
    const text = configuration[field] ?? '';
    const place = secretPlace(integration, field);
    try {
      if (isEnvelope(text)) openSealed(text, place, keyring);
      return [];
    } catch (error) {
      return [{ field: place.field, message: messageOf(error) }];
    }
  });
}
