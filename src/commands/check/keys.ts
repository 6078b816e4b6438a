import type { Cluster, Redis } from 'ioredis';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { signingKeyPlace } from '../../identity/signing.ts';
import type { KeyNames } from '../../redis/keys.ts';
import { EnvelopeError, unseal } from '../../secrets/envelope.ts';
import type { Keyring } from '../../secrets/keyring.ts';
import { keyIdsOf, secretHashes } from '../secrets/secret-hashes.ts';
import type { Finding } from './finding.ts';

/**
 * The keys of ENCRYPTION_KEYS against what is sealed under them: those no longer needed, and private keys of tokens that do
 * not open. Where Redis does not show the private keys, as to a worker's user, nothing is said that would need them.
 */
export async function checkKeys(parts: {
  readonly redis: Redis | Cluster;
  readonly snapshot: Snapshot;
  readonly names: KeyNames;
  readonly keyring: Keyring;
}): Promise<Finding[]> {
  const { redis, snapshot, names, keyring } = parts;
  // A place without any key is a worker's that needs none; admin says at its start what it lacks.
  if (keyring.newest === undefined) return [];
  const { integrations, signing } = secretHashes(names);
  const privateKeys = await redis.hgetall(signing.key).catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined;
    throw error;
  });
  if (privateKeys === undefined) return [];
  const inUse = new Set([
    ...[...snapshot.parts.tables.integrations].flatMap(([name, { raw }]) => keyIdsOf(integrations, name, raw)),
    ...Object.entries(privateKeys).flatMap(([kid, raw]) => keyIdsOf(signing, kid, raw)),
  ]);
  return [...unneeded(keyring, inUse), ...unopened(signing.key, privateKeys, keyring)];
}

function* unneeded(keyring: Keyring, inUse: ReadonlySet<string>): Iterable<Finding> {
  for (const id of keyring.ids) {
    if (id === keyring.newest?.id || inUse.has(id)) continue;
    yield {
      severity: 'warning',
      key: 'environment',
      field: 'ENCRYPTION_KEYS',
      message: `nothing is sealed under the key "${id}": once "${keyring.newest?.id ?? ''}" is first everywhere, take it out`,
    };
  }
}

function unopened(key: string, privateKeys: Readonly<Record<string, string>>, keyring: Keyring): Finding[] {
  const faults = Object.entries(privateKeys).flatMap(([kid, sealed]) => {
    try {
      unseal(sealed, signingKeyPlace(kid), keyring);
      return [];
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      const next = error.kind === 'missing-key' ? 'give admin that key' : 'delete the field for a new one';
      return [{ field: kid, message: `the key that signs tokens: ${error.message}; ${next}` }];
    }
  });
  const isNoneLeft = faults.length === Object.keys(privateKeys).length;
  return faults.map((fault) => ({ severity: isNoneLeft ? 'error' : 'warning', key, ...fault }));
}
