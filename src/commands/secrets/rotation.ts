import type { Cluster, Redis } from 'ioredis';
import { messageOf, ServiceError } from '../../errors.ts';
import { answered } from '../../redis/answered.ts';
import { commit } from '../../redis/commit.ts';
import type { KeyNames } from '../../redis/keys.ts';
import type { Trail } from '../../redis/trail.ts';
import { type EnvelopeError, seal } from '../../secrets/envelope.ts';
import type { Keyring } from '../../secrets/keyring.ts';
import { rewrap } from '../../secrets/rewrap.ts';
import { keyIdsOf, type SecretHash, type StoredSecret, secretHashes } from './secret-hashes.ts';

/** What became of one secret, or with a dry run what would. */
export interface RotatedSecret {
  /** The Redis key and the field in it, as `check` names them. */
  readonly key: string;
  readonly field: string;
  /** The path within the record, such as `configuration.api_key`; '' for a record that cannot be read. */
  readonly secret: string;
  /** `rewrapped` from an older key; `sealed`, for it stood there bare; `current` under the newest key; a `reference` that stays. */
  readonly outcome: 'rewrapped' | 'sealed' | 'current' | 'reference' | 'failed';
  /** The id of the key before, or of the one that a failed envelope names. */
  readonly from?: string;
  /** Why it failed and what to do; never the secret. */
  readonly message?: string;
}

export interface Rotation {
  /** Every secret, once. */
  readonly secrets: readonly RotatedSecret[];
  /** Ids of ENCRYPTION_KEYS but the newest that nothing in Redis is sealed under any more. */
  readonly unneededKeys: readonly string[];
  /** Ids that ENCRYPTION_KEYS lacks and some secret is sealed under. */
  readonly missingKeys: readonly string[];
}

export interface RotationParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  /** Not empty. */
  readonly keyring: Keyring;
  readonly dryRun: boolean;
  /** How what it writes goes on record. */
  readonly trail: Trail;
  /** Told after every thousand records. */
  readonly progress: (looked: number, total: number) => void;
}

/** How often one record is tried because somebody else was writing it. */
const ATTEMPTS = 20;
/** Until a whole look at everything finds nothing to write: others may seal under an older key meanwhile. */
const ROUNDS = 5;
const PAGE = 500;
const PROGRESS_EVERY = 1_000;

/**
 * Brings every secret under the newest key, each record in a compared write of its own, so that nobody's change is overwritten and
 * an interruption leaves each record old or new. Throws UNREACHABLE with how far it came, CATALOG_CHANGED where others
 * keep writing under an older key.
 */
export async function rotateSecrets(parts: RotationParts): Promise<Rotation> {
  const outcomes = new Map<string, RotatedSecret>();
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      const keysInUse = await oneRound(parts, outcomes);
      if (keysInUse !== undefined) return rotationOf(parts, [...outcomes.values()], keysInUse);
    }
  } catch (error) {
    throw interrupted(error, [...outcomes.values()].filter(isWritten).length);
  }
  throw new ServiceError(
    'CATALOG_CHANGED',
    'Somebody keeps writing secrets bare or under an older key. Give admin, and whoever runs apply, ENCRYPTION_KEYS with the newest key first; then run secrets rotate again',
  );
}

/** The ids of the keys under which something stays sealed; undefined where it wrote, so that another look is due. */
async function oneRound(
  parts: RotationParts,
  outcomes: Map<string, RotatedSecret>,
): Promise<ReadonlySet<string> | undefined> {
  const hashes = Object.values(secretHashes(parts.names));
  const lengths = await Promise.all(hashes.map(({ key }) => answered(parts.redis.hlen(key))));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const keysInUse = new Set<string>();
  let looked = 0;
  let wrote = false;
  for (const hash of hashes) {
    for await (const [field, raw] of fieldsOf(parts.redis, hash.key)) {
      const secrets = await rotateField(parts, hash, field, raw);
      if (secrets.some(({ secret }) => secret === '')) for (const id of keyIdsOf(hash, field, raw)) keysInUse.add(id);
      for (const secret of secrets) {
        const id = JSON.stringify([secret.key, secret.field, secret.secret]);
        const before = outcomes.get(id);
        // What this very command wrote is current at the next look.
        if (secret.outcome !== 'current' || before === undefined || !isWritten(before)) outcomes.set(id, secret);
        if (isWritten(secret)) wrote = true;
        if (secret.outcome === 'failed' && secret.from !== undefined) keysInUse.add(secret.from);
      }
      looked += 1;
      if (looked % PROGRESS_EVERY === 0) parts.progress(looked, Math.max(looked, total));
    }
  }
  return wrote && !parts.dryRun ? undefined : keysInUse;
}

/** What became of the secrets of one field; nothing where somebody deleted it. */
async function rotateField(
  { redis, keyring, dryRun, trail }: RotationParts,
  hash: SecretHash,
  field: string,
  first: string,
): Promise<readonly RotatedSecret[]> {
  let raw: string | null = first;
  let planned: readonly PlannedSecret[] = [];
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const secrets = hash.secretsOf(field, raw);
    if (secrets === undefined) return [unreadable(hash.key, field)];
    planned = secrets.map((secret) => planOf({ key: hash.key, field }, secret, keyring));
    const envelopes = new Map(
      planned.flatMap(({ place, envelope }) => (envelope === undefined ? [] : [[place, envelope]])),
    );
    if (envelopes.size === 0 || dryRun) return planned.map(({ outcome }) => outcome);
    const after = hash.withSecrets(raw, envelopes);
    if (await commit(redis, [{ key: hash.key, field, before: raw, after }], trail))
      return planned.map(({ outcome }) => outcome);
    raw = await answered(redis.hget(hash.key, field));
    if (raw === null) return [];
  }
  return planned.map(({ outcome }) =>
    isWritten(outcome)
      ? { ...outcome, outcome: 'failed', message: 'somebody keeps changing the record; run secrets rotate again' }
      : outcome,
  );
}

interface PlannedSecret {
  readonly place: string;
  /** Undefined: it stays as it is. */
  readonly envelope?: string;
  readonly outcome: RotatedSecret;
}

function planOf(
  where: Pick<RotatedSecret, 'key' | 'field'>,
  { place, text, form }: StoredSecret,
  keyring: Keyring,
): PlannedSecret {
  const secret = { ...where, secret: place.field };
  const planned = (outcome: RotatedSecret, envelope?: string): PlannedSecret => ({
    place: place.field,
    outcome,
    ...(envelope === undefined ? {} : { envelope }),
  });
  if (form === 'bare') return planned({ ...secret, outcome: 'sealed' }, seal(text, place, keyring));
  if (form !== 'sealed') return planned({ ...secret, outcome: 'reference' });
  const rewrapping = rewrap(text, place, keyring);
  switch (rewrapping.kind) {
    case 'current':
      return planned({ ...secret, outcome: 'current' });
    case 'rewrapped':
      return planned({ ...secret, outcome: 'rewrapped', from: rewrapping.from }, rewrapping.envelope);
    case 'failed': {
      const { from, reason } = rewrapping;
      const message = `${reason.message}; ${nextStep(reason.kind, place.kind)}`;
      return planned({ ...secret, outcome: 'failed', ...(from === undefined ? {} : { from }), message });
    }
  }
}

function nextStep(kind: EnvelopeError['kind'], placeKind: string): string {
  const anew =
    placeKind === 'integrations'
      ? 'write the secret anew'
      : 'delete the field: admin makes another key at its next start, and tokens signed by this one end';
  return kind === 'missing-key' ? `put that key behind the newest and run secrets rotate again, or ${anew}` : anew;
}

function unreadable(key: string, field: string): RotatedSecret {
  const message = 'the record is no JSON object, so that its secrets cannot be found; write it anew';
  return { key, field, secret: '', outcome: 'failed', message };
}

function isWritten({ outcome }: RotatedSecret): boolean {
  return outcome === 'rewrapped' || outcome === 'sealed';
}

function rotationOf(
  { keyring }: RotationParts,
  secrets: readonly RotatedSecret[],
  keysInUse: ReadonlySet<string>,
): Rotation {
  return {
    secrets,
    unneededKeys: keyring.ids.filter((id) => id !== keyring.newest?.id && !keysInUse.has(id)),
    missingKeys: [...keysInUse].filter((id) => !keyring.ids.includes(id)).sort(),
  };
}

function interrupted(error: unknown, written: number): unknown {
  if (!(error instanceof ServiceError)) return error;
  const so = `${written === 1 ? '1 secret was' : `${written} secrets were`} brought under the newest key before that`;
  return new ServiceError(
    error.code,
    `${messageOf(error)}. ${so}; run secrets rotate again: it goes on with the rest`,
    {
      field: error.field,
      cause: error,
    },
  );
}

/** Every field of a hash and its text, a page at a time; one may come twice, and one that is new may not come. */
async function* fieldsOf(redis: Redis | Cluster, key: string): AsyncGenerator<readonly [string, string]> {
  let cursor = '0';
  do {
    const [next, page] = await answered(redis.hscan(key, cursor, 'COUNT', PAGE));
    for (let at = 0; at < page.length; at += 2) yield [page[at] ?? '', page[at + 1] ?? ''];
    cursor = next;
  } while (cursor !== '0');
}
