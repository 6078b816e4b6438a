import { createSecretKey, type KeyObject } from 'node:crypto';

/** The keys of ENCRYPTION_KEYS: the first, the newest, seals; every one of them opens what it sealed. */
export interface Keyring {
  /** Undefined where there are no keys. */
  readonly newest: { readonly id: string; readonly key: KeyObject } | undefined;
  readonly ids: readonly string[];
  /** A key of 32 bytes, as an object that nothing prints; undefined for one that is not there. */
  find(id: string): KeyObject | undefined;
}

const KEY_ID = /^[\w.-]+$/;
const KEY_BYTES = 32;
const NO_KEYS: Keyring = { newest: undefined, ids: [], find: () => undefined };

/**
 * Reads `id:base64key[,id:base64key…]`, newest first; undefined or '' is an empty keyring. Throws a RangeError that
 * tells which entry is wrong and never repeats one.
 */
export function parseKeyring(text: string | undefined): Keyring {
  if (text === undefined || text === '') return NO_KEYS;
  const keys = new Map<string, KeyObject>();
  for (const [index, entry] of text.split(',').entries()) {
    const [id = '', encoded = ''] = entry.trim().split(/:(.*)/s);
    const key = Buffer.from(encoded, 'base64');
    if (!KEY_ID.test(id) || key.length !== KEY_BYTES) {
      throw new RangeError(`entry ${index + 1} is not id:base64key with a key of ${KEY_BYTES} bytes`);
    }
    if (keys.has(id)) throw new RangeError(`entry ${index + 1} has the id of an entry before it`);
    keys.set(id, createSecretKey(key));
  }
  const [first] = keys;
  return {
    newest: first === undefined ? undefined : { id: first[0], key: first[1] },
    ids: [...keys.keys()],
    find: (id) => keys.get(id),
  };
}
