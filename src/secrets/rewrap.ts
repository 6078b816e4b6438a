import { EnvelopeError, keyIdOf, type SecretPlace, seal, unseal } from './envelope.ts';
import type { Keyring } from './keyring.ts';

/** What an envelope has to become so that the newest key opens it. */
export type Rewrapping =
  /** The newest key opens it as it stands. */
  | { readonly kind: 'current' }
  /** The same secret in an envelope of the newest key; `from` is the id of the key before. */
  | { readonly kind: 'rewrapped'; readonly from: string; readonly envelope: string }
  /** It does not open; `reason` never repeats it. `from`: the id of the key that it names, where it is of the form of an envelope. */
  | { readonly kind: 'failed'; readonly from: string | undefined; readonly reason: EnvelopeError };

/**
 * Opens an envelope, and seals what is in it anew for the same place under the newest key. Opens also what is current:
 * that an envelope names a key does not prove that it opens.
 */
export function rewrap(envelope: string, place: SecretPlace, keyring: Keyring): Rewrapping {
  const from = keyIdOf(envelope);
  try {
    const secret = unseal(envelope, place, keyring);
    if (from === undefined || from === keyring.newest?.id) return { kind: 'current' };
    return { kind: 'rewrapped', from, envelope: seal(secret, place, keyring) };
  } catch (reason) {
    if (!(reason instanceof EnvelopeError)) throw reason;
    return { kind: 'failed', from, reason };
  }
}
