import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { z } from 'zod';
import { ServiceError } from '../errors.ts';
import { parseJson } from '../parsing.ts';
import type { KeyNames } from '../redis/keys.ts';
import { script } from '../redis/script.ts';
import { RECORDING, recordArgs, recordingArgs, type Trail } from '../redis/trail.ts';
import { EnvelopeError, keyIdOf, type SecretPlace, seal, unseal } from '../secrets/envelope.ts';
import type { Keyring } from '../secrets/keyring.ts';
import { type TokenKey, tokenKeyRecord } from './records.ts';

/** What this installation signs its tokens with. */
export interface SigningKey {
  /** Its id: the field of both of its halves, and the `kid` of its tokens. */
  readonly kid: string;
  /** The installation: the `iss` of its tokens. */
  readonly issuer: string;
  /** Ed25519, as an object that nothing prints. */
  readonly privateKey: KeyObject;
}

export interface SigningKeyParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly keyring: Keyring;
  /** How it goes on record that a key was made. */
  readonly trail: Trail;
}

/**
 * KEYS[2] private keys, public keys. ARGV kid, sealed private key, public record, what goes on record. Answers every key that
 * has both halves, as kid, sealed, record …; where there is none, writes the one given, so that of several who begin at once
 * all get the same.
 */
const KEEP_OR_WRITE = script(`${RECORDING}
local found = {}
for _, kid in ipairs(redis.call('HKEYS', KEYS[2])) do
  local public = redis.call('HGET', KEYS[3], kid)
  if public then
    for _, part in ipairs({kid, redis.call('HGET', KEYS[2], kid), public}) do table.insert(found, part) end
  end
end
if #found > 0 then return found end
local kid, sealed, public = ARGV[first], ARGV[first + 1], ARGV[first + 2]
record(first + 3, 'create', {})
redis.call('HSET', KEYS[3], kid, public)
redis.call('HSET', KEYS[2], kid, sealed)
return {kid, sealed, public}
`);

const triples = z.array(z.string()).refine(({ length }) => length % 3 === 0);

/**
 * The newest key pair of the installation that opens; made where there is none. Throws CONFIG_INVALID where
 * ENCRYPTION_KEYS lacks what opens it, RECORD_INVALID where what stands there cannot be used.
 */
export async function loadSigningKey({ redis, names, keyring, trail }: SigningKeyParts): Promise<SigningKey> {
  if (keyring.newest === undefined) {
    throw new ServiceError(
      'CONFIG_INVALID',
      'ENCRYPTION_KEYS: missing; the key that signs tokens is sealed with it. Make one with: ' +
        'export ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)", and keep it',
      { field: 'ENCRYPTION_KEYS' },
    );
  }
  const publicKeys = names.hash('token-keys');
  const made = newKeyPair(await issuerIn(redis, publicKeys), keyring);
  const record = JSON.stringify(made.record);
  const [described] = trail.describe([{ key: publicKeys, field: made.kid, before: undefined, after: record }]);
  const reply = await KEEP_OR_WRITE.run(
    redis,
    [trail.stream, names.admin.signing, publicKeys],
    [...recordingArgs(trail), made.kid, made.sealed, record, ...recordArgs(described)],
  );
  const parts = triples.parse(reply);
  const found: Candidate[] = [];
  for (let at = 0; at < parts.length; at += 3) {
    found.push(readPair({ kid: parts[at] ?? '', sealed: parts[at + 1] ?? '', text: parts[at + 2] ?? '' }, keyring));
  }
  const usable = found.filter((one) => 'privateKey' in one).sort((one, other) => other.createdAt - one.createdAt);
  const [newest] = usable;
  if (newest !== undefined) return { kid: newest.kid, issuer: newest.issuer, privateKey: newest.privateKey };
  throw faultOf(found, names);
}

interface Usable extends SigningKey {
  readonly createdAt: number;
}
type Candidate = Usable | { readonly kid: string; readonly missing?: string; readonly fault: string };

function readPair(
  { kid, sealed, text }: { readonly kid: string; readonly sealed: string; readonly text: string },
  keyring: Keyring,
): Candidate {
  const record = parseJson<TokenKey>(text, tokenKeyRecord);
  if (!record.ok) return { kid, fault: 'its public half cannot be read' };
  try {
    const privateKey = createPrivateKey(unseal(sealed, signingKeyPlace(kid), keyring));
    // Signed with any other, no token would be taken.
    if (publicPartOf(privateKey) !== record.value.publicKey.x) return { kid, fault: 'its halves are not of one pair' };
    return { kid, issuer: record.value.issuer, createdAt: record.value.createdAt, privateKey };
  } catch (error) {
    const missing = error instanceof EnvelopeError && error.kind === 'missing-key' ? keyIdOf(sealed) : undefined;
    const fault = error instanceof EnvelopeError ? error.message : 'it is no private key';
    return { kid, fault, ...(missing === undefined ? {} : { missing }) };
  }
}

function faultOf(found: readonly Candidate[], names: KeyNames): ServiceError {
  const faults = found.filter((one) => 'fault' in one);
  const missing = [...new Set(faults.flatMap((one) => one.missing ?? []))];
  if (missing.length > 0) {
    const ids = missing.map((id) => `"${id}"`).join(', ');
    return new ServiceError(
      'CONFIG_INVALID',
      `ENCRYPTION_KEYS: has no key ${ids}, under which the key that signs tokens is sealed (${names.admin.signing}); add it`,
      { field: 'ENCRYPTION_KEYS' },
    );
  }
  const [first] = faults;
  return new ServiceError(
    'RECORD_INVALID',
    `${names.admin.signing}, field ${first?.kid ?? ''}: the key that signs tokens cannot be used: ${first?.fault ?? ''}. ` +
      `Delete that field there and in ${names.hash('token-keys')} for a new one; tokens signed by the old one then end`,
  );
}

function newKeyPair(issuer: string, keyring: Keyring): { kid: string; sealed: string; record: TokenKey } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const kid = randomUUID();
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    kid,
    sealed: seal(pem, signingKeyPlace(kid), keyring),
    record: {
      issuer,
      publicKey: { kty: 'OKP', crv: 'Ed25519', x: publicPartOf(privateKey) },
      createdAt: Date.now(),
    },
  };
}

/** Stays what it was where only private keys were lost. */
async function issuerIn(redis: Redis | Cluster, publicKeys: string): Promise<string> {
  const records = Object.values(await redis.hgetall(publicKeys)).flatMap((text) => {
    const read = parseJson<TokenKey>(text, tokenKeyRecord);
    return read.ok ? [read.value] : [];
  });
  return records.sort((one, other) => other.createdAt - one.createdAt)[0]?.issuer ?? randomUUID();
}

function publicPartOf(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '';
}

/** Where a private key stands: sealed for there, it opens nowhere else. */
export function signingKeyPlace(kid: string): SecretPlace {
  return { kind: 'admin:signing', record: kid, field: 'privateKey' };
}
