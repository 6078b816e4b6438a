import { createHash } from 'node:crypto';

/** A value of ENCRYPTION_KEYS with a key for each id, newest first: always the same one for the same id. */
export function encryptionKeys(...ids: readonly string[]): string {
  return ids.map((id) => `${id}:${createHash('sha256').update(id).digest('base64')}`).join(',');
}
