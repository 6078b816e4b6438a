import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { z } from 'zod';
import { ServiceError } from '../errors.ts';
import { describeFaults, parseJson } from '../parsing.ts';
import { applicationRecord } from '../rbac/records.ts';
import { commit } from '../redis/commit.ts';
import { ANY, type Edit, type FieldEdit, unchanged } from '../redis/edits.ts';
import type { KeyNames } from '../redis/keys.ts';
import { hashSecret, type NewAccessKey, newAccessKey } from './access-keys.ts';
import { type AccessKey, accessKeyRecord } from './records.ts';

/** Access keys in Redis. Every change is one script, and none is made to something else than was read. */
export interface KeyStore {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
}

/** An access key, named by the application that it must be of. */
export interface NamedKey {
  readonly applicationId: string;
  readonly accessKeyId: string;
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

/**
 * Switches a key on or off, or (`toggle`) to what it is not; answers its record as it then is. Its tokens stop working as
 * soon as workers hear of it. Throws NOT_FOUND where the application has no such key.
 */
export async function setAccessKeyEnabled(
  store: KeyStore,
  { applicationId, accessKeyId, enabled }: NamedKey & { readonly enabled: boolean | 'toggle' },
): Promise<AccessKey> {
  const accessKeys = store.names.hash('access-keys');
  return await changed(store, async () => {
    const { raw, record } = await readKey(store, { applicationId, accessKeyId });
    const after: AccessKey = { ...record, enabled: enabled === 'toggle' ? !record.enabled : enabled };
    return {
      result: after,
      edits: [{ key: accessKeys, field: accessKeyId, before: raw, after: JSON.stringify(after) }],
    };
  });
}

/** Deletes a key with its hash. Throws NOT_FOUND where the application has no such key. */
export async function deleteAccessKey(store: KeyStore, { applicationId, accessKeyId }: NamedKey): Promise<void> {
  const accessKeys = store.names.hash('access-keys');
  await changed(store, async () => {
    const { raw } = await readKey(store, { applicationId, accessKeyId });
    return {
      result: undefined,
      edits: [
        { key: accessKeys, field: accessKeyId, before: raw, after: undefined },
        { key: store.names.admin.keyHashes, field: accessKeyId, before: ANY, after: undefined },
      ],
    };
  });
}

/** The hash of a key's secret; undefined where there is none. */
export async function keyHashOf({ redis, names }: KeyStore, accessKeyId: string): Promise<string | undefined> {
  return (await redis.hget(names.admin.keyHashes, accessKeyId)) ?? undefined;
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
  { redis }: KeyStore,
  plan: () => Promise<{ readonly edits: readonly Edit[]; readonly result: T }>,
): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const { edits, result } = await plan();
    if (await commit(redis, edits)) return result;
  }
  throw new ServiceError('CATALOG_CHANGED', 'Somebody keeps changing the same record; nothing was written. Try again');
}

/** Of another application it is the same as none: whoever manages one learns nothing of others. */
async function readKey(store: KeyStore, { applicationId, accessKeyId }: NamedKey) {
  const read = await readField(store, store.names.hash('access-keys'), accessKeyId, accessKeyRecord, 'access key');
  if (read.record.application !== applicationId) throw notFound('access key', accessKeyId);
  return read;
}

async function readField<T>(
  { redis }: KeyStore,
  key: string,
  field: string,
  schema: z.ZodType<T>,
  what: string,
): Promise<{ raw: string; record: T }> {
  const raw = await redis.hget(key, field);
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
