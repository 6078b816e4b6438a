import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { z } from 'zod';
import { ServiceError } from '../errors.ts';
import { describeFaults, parseJson } from '../parsing.ts';
import { applicationRecord } from '../rbac/records.ts';
import { answered } from '../redis/answered.ts';
import { commit } from '../redis/commit.ts';
import { type Edit, type FieldEdit, unchanged } from '../redis/edits.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import { hashSecret, type NewAccessKey, newAccessKey } from './access-keys.ts';
import type { AccessKey } from './records.ts';

/** Access keys in Redis. Every change is one script, and none is made to something else than was read. */
export interface KeyStore {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  /** How a change goes on record, asked when it is begun. */
  readonly trailNow: () => Trail;
}

/** An access key as listings show it. */
export interface ListedKey {
  readonly id: string;
  readonly record: AccessKey;
}

/** How often a change is tried anew because somebody else was writing. */
const ATTEMPTS = 5;

/**
 * A new key of an application; the secret is nowhere but in the answer. An application without a `uid` gets one. Throws
 * NOT_FOUND where there is no such application.
 */
export async function createAccessKey(
  store: KeyStore,
  { applicationId, by }: { readonly applicationId: string; readonly by?: string | undefined },
): Promise<NewAccessKey> {
  const key = newAccessKey();
  const hash = await hashSecret(key.secret);
  return await changed(store, async () => {
    const applications = store.names.hash('applications');
    const { raw, record } = await readField(store, applications, applicationId, applicationRecord, 'application');
    const uid = record.uid ?? randomUUID();
    return {
      result: key,
      edits: [
        record.uid === undefined
          ? { key: applications, field: applicationId, before: raw, after: withUid(raw, uid) }
          : unchanged(applications, applicationId, raw),
        ...keyEdits(store.names, { key, hash, application: { id: applicationId, uid }, by }),
      ],
    };
  });
}

/** What a new key writes, where nothing stood. */
export function keyEdits(
  names: KeyNames,
  {
    key,
    hash,
    application,
    by,
  }: {
    readonly key: NewAccessKey;
    readonly hash: string;
    readonly application: { readonly id: string; readonly uid: string };
    readonly by?: string | undefined;
  },
): FieldEdit[] {
  const record: AccessKey = {
    application: application.id,
    applicationUid: application.uid,
    enabled: true,
    createdAt: Date.now(),
    ...(by === undefined ? {} : { createdBy: by }),
  };
  return [
    { key: names.hash('access-keys'), field: key.id, before: undefined, after: JSON.stringify(record) },
    { key: names.admin.keyHashes, field: key.id, before: undefined, after: hash },
  ];
}

/** The hash of a key's secret; undefined where there is none. */
export async function keyHashOf(
  { redis, names }: Omit<KeyStore, 'trailNow'>,
  accessKeyId: string,
): Promise<string | undefined> {
  return (await answered(redis.hget(names.admin.keyHashes, accessKeyId))) ?? undefined;
}

/** The keys of an application, the oldest first; the catalog's snapshot is such a world. */
export function accessKeysOf(
  world: { names(kind: 'access-keys'): Iterable<string>; accessKey(id: string): AccessKey | undefined },
  applicationId: string,
): ListedKey[] {
  const keys: ListedKey[] = [];
  for (const id of world.names('access-keys')) {
    const record = world.accessKey(id);
    if (record?.application === applicationId) keys.push({ id, record });
  }
  return keys.sort((one, other) => one.record.createdAt - other.record.createdAt);
}

/** Reads, and writes what follows from it; anew where somebody else wrote in between. */
async function changed<T>(
  { redis, trailNow }: KeyStore,
  plan: () => Promise<{ readonly edits: readonly Edit[]; readonly result: T }>,
): Promise<T> {
  const trail = trailNow();
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const { edits, result } = await plan();
    if (await commit(redis, edits, trail)) return result;
  }
  throw new ServiceError('CATALOG_CHANGED', 'Somebody keeps changing the same record; nothing was written. Try again');
}

async function readField<T>(
  { redis }: KeyStore,
  key: string,
  field: string,
  schema: z.ZodType<T>,
  what: string,
): Promise<{ raw: string; record: T }> {
  const raw = await answered(redis.hget(key, field));
  if (raw === null) throw notFound(what, field);
  const read = parseJson(raw, schema);
  if (!read.ok) {
    throw new ServiceError('RECORD_INVALID', `${key}, field ${field}: ${describeFaults(read.faults)}`, { field });
  }
  return { raw, record: read.value };
}

function notFound(what: string, name: string): ServiceError {
  return new ServiceError('NOT_FOUND', `There is no ${what} ${JSON.stringify(name)}`);
}

/** The record as it was written, with one field more. */
function withUid(raw: string, uid: string): string {
  return JSON.stringify({ ...(JSON.parse(raw) as object), uid });
}
