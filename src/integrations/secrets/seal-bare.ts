import { EnvelopeError, isEnvelope, type SecretPlace, seal, unseal } from '../../secrets/envelope.ts';
import type { Keyring } from '../../secrets/keyring.ts';
import { bareSecrets, configurationOf, secretPlace } from './secret-fields.ts';

/**
 * An integration's record with its bare secrets sealed under the newest key, for who may write references as well. One
 * that `stored` holds already, sealed under any key of the keyring, stays that very envelope, so that the same record
 * twice is no change. Without a key the record stays as it is.
 */
export function sealBareSecrets(
  name: string,
  record: Readonly<Record<string, unknown>>,
  stored: unknown,
  keyring: Keyring,
): Readonly<Record<string, unknown>> {
  if (keyring.newest === undefined) return record;
  const configuration = configurationOf(record);
  const before = configurationOf(stored);
  const sealed: Record<string, unknown> = {};
  for (const field of bareSecrets(configuration)) {
    const place = secretPlace(name, field);
    const secret = String(configuration[field]);
    sealed[field] = opensTo(secret, before[field], place, keyring) ? before[field] : seal(secret, place, keyring);
  }
  return { ...record, configuration: { ...configuration, ...sealed } };
}

function opensTo(secret: string, envelope: unknown, place: SecretPlace, keyring: Keyring): boolean {
  if (typeof envelope !== 'string' || !isEnvelope(envelope)) return false;
  try {
    return unseal(envelope, place, keyring) === secret;
  } catch (error) {
    if (error instanceof EnvelopeError) return false;
    throw error;
  }
}
