import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Keyring } from './keyring.ts';

/** Where a secret stands. It opens there and nowhere else: a sealed secret copied to another record or field is worthless. */
export interface SecretPlace {
  /** The Redis hash without its prefix, such as `integrations`. */
  readonly kind: string;
  /** The record's name. */
  readonly record: string;
  /** The path within it, such as `configuration.api_key`. */
  readonly field: string;
}

/** Why an envelope does not open. `missing-key` names a key that may come back; the other two never mend. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError';
  readonly kind: 'missing-key' | 'malformed' | 'forged';

  constructor(kind: EnvelopeError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

const PREFIX = 'enc:v1:';
const CIPHER = 'aes-256-gcm';
/** NIST SP 800-38D: 96 bits of nonce, the whole tag. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function isEnvelope(text: string): boolean {
  return text.startsWith('enc:');
}

/** The id of the key that sealed it; undefined where the text is no envelope of ours. */
export function keyIdOf(envelope: string): string | undefined {
  return parts(envelope)?.keyId;
}

/**
 * `enc:v1:<key id>:<base64 of nonce, tag and ciphertext>`: AES-256-GCM under a key derived for this very place (HKDF-SHA256),
 * with the place as additional data. Throws a RangeError where the keyring is empty.
 */
export function seal(plaintext: string, place: SecretPlace, keyring: Keyring): string {
  if (keyring.newest === undefined) throw new RangeError('there is no key to seal with: set ENCRYPTION_KEYS');
  const { id, key } = keyring.newest;
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, placeKey(key, place), nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(placeData(place));
  const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return `${PREFIX}${id}:${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')}`;
}

/** The secret. Throws an EnvelopeError, which never repeats it. */
export function unseal(envelope: string, place: SecretPlace, keyring: Keyring): string {
  const read = parts(envelope);
  if (read === undefined) throw new EnvelopeError('malformed', 'it is not of the form enc:v1:<key id>:<base64>');
  const key = keyring.find(read.keyId);
  if (key === undefined) {
    throw new EnvelopeError(
      'missing-key',
      `it is sealed under the key "${read.keyId}", which ENCRYPTION_KEYS does not have`,
    );
  }
  const decipher = createDecipheriv(CIPHER, placeKey(key, place), read.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(placeData(place));
  decipher.setAuthTag(read.tag);
  try {
    return Buffer.concat([decipher.update(read.sealed), decipher.final()]).toString('utf8');
  } catch {
    throw new EnvelopeError(
      'forged',
      `it does not open with the key "${read.keyId}": it was altered, or sealed for another record or field`,
    );
  }
}

function parts(envelope: string): { keyId: string; nonce: Buffer; tag: Buffer; sealed: Buffer } | undefined {
  const [, keyId, encoded = ''] = /^enc:v1:([\w.-]+):([A-Za-z0-9+/]+={0,2})$/.exec(envelope) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (keyId === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  return {
    keyId,
    nonce: bytes.subarray(0, NONCE_BYTES),
    tag: bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES),
    sealed: bytes.subarray(NONCE_BYTES + TAG_BYTES),
  };
}

/** As JSON, so that no two places have the same bytes. */
function placeData({ kind, record, field }: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify(['bedrock-cohere', 'v1', kind, record, field]), 'utf8');
}

function placeKey(master: KeyObject, place: SecretPlace): Buffer {
  // HKDF bounds its info to 1,024 bytes, which a record's name may exceed; the whole place is in the additional data.
  const info = placeData(place).subarray(0, 1_024);
  return Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), info, 32));
}
