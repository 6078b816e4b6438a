import type { z } from 'zod';
import { type AccessKey, accessKeyRecord, type TokenKey, tokenKeyRecord } from '../identity/records.ts';
import { type Integration, integrationRecord } from '../integrations/integration.ts';
import { type Model, modelRecord } from '../integrations/model.ts';
import { integrationName, splitQualified } from '../integrations/names.ts';
import { describeFaults, parseJson } from '../parsing.ts';
import { type Prompt, promptRecord } from '../prompts/prompt.ts';
import type { Access, TargetId } from '../rbac/grants.ts';
import {
  type Application,
  applicationRecord,
  type Group,
  groupRecord,
  type Role,
  roleRecord,
  type User,
  userRecord,
} from '../rbac/records.ts';
import type { HashKind } from '../redis/keys.ts';
import { sharedAccess, sharedTarget } from './shared-grants.ts';

/** What each hash of the catalog holds, one record a field. */
export interface RecordKinds {
  readonly integrations: Integration;
  readonly models: Model;
  readonly prompts: Prompt;
  readonly groups: Group;
  readonly applications: Application;
  readonly users: User;
  readonly roles: Role;
  readonly 'access-keys': AccessKey;
  readonly 'token-keys': TokenKey;
}

/** A record that could not be read: where it stands in Redis and what is wrong, never its value. */
export interface RecordFault {
  readonly key: string;
  readonly field: string;
  readonly message: string;
}

export type Lookup<T> =
  | { readonly kind: 'found'; readonly record: T }
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid'; readonly fault: RecordFault };

/** One record as it was read; the raw text is kept so that an unchanged one is never parsed twice. */
export interface Entry<T> {
  readonly raw: string;
  readonly lookup: Exclude<Lookup<T>, { kind: 'absent' }>;
}

export const RECORD_SCHEMAS = {
  integrations: integrationRecord,
  models: modelRecord,
  prompts: promptRecord,
  groups: groupRecord,
  applications: applicationRecord,
  users: userRecord,
  roles: roleRecord,
  'access-keys': accessKeyRecord,
  'token-keys': tokenKeyRecord,
} as const satisfies { readonly [K in HashKind]: z.ZodType<RecordKinds[K]> };

/** What is wrong with a record's name, or undefined. */
export function nameFault(kind: HashKind, name: string): string | undefined {
  if (name.length > 2_303 || /\p{Cc}/u.test(name)) return 'the name is too long or has control characters';
  switch (kind) {
    case 'integrations': {
      const read = integrationName.safeParse(name);
      return read.success ? undefined : `the name is not usable: ${read.error.issues[0]?.message ?? ''}`;
    }
    case 'models':
      return splitQualified(name) === undefined ? 'a model is named provider:model' : undefined;
    case 'users':
      return name === '' || name.startsWith('app:') ? 'a user id is not empty and does not begin with app:' : undefined;
    case 'prompts':
      // As long as a task can name one.
      return name === '' || name.length > 255 ? 'the name is empty or longer than 255 characters' : undefined;
    case 'applications':
    case 'groups':
    case 'roles':
    case 'access-keys':
    case 'token-keys':
      return name === '' ? 'the name is empty' : undefined;
  }
}

export function readRecord<K extends HashKind>(
  kind: K,
  key: string,
  field: string,
  raw: string,
): Entry<RecordKinds[K]> {
  const badName = nameFault(kind, field);
  if (badName !== undefined) return { raw, lookup: { kind: 'invalid', fault: { key, field, message: badName } } };
  // The table above ties each kind to its schema; TypeScript cannot follow that through a type parameter.
  const read = parseJson(raw, RECORD_SCHEMAS[kind] as unknown as z.ZodType<RecordKinds[K]>);
  return read.ok
    ? { raw, lookup: { kind: 'found', record: read.value } }
    : { raw, lookup: { kind: 'invalid', fault: { key, field, message: describeFaults(read.faults) } } };
}

/** A field of a hash of grants that cannot be read: it grants nothing. */
export interface BadGrant {
  readonly kind: 'bad';
  readonly raw: string;
  readonly fault: RecordFault;
}

/** What may be done with a target. Targets and access that are written alike are the very same string and set. */
export interface Grant {
  readonly kind: 'good';
  readonly target: TargetId;
  readonly access: ReadonlySet<Access>;
}

/** One field of a hash of grants: the target, and what may be done with it. */
export function readGrant(key: string, field: string, raw: string): Grant | BadGrant {
  const target = sharedTarget(field);
  if ('fault' in target) return { kind: 'bad', raw, fault: { key, field, message: target.fault } };
  const access = sharedAccess(raw);
  if ('fault' in access) return { kind: 'bad', raw, fault: { key, field, message: access.fault } };
  return { kind: 'good', target: target.target, access: access.access };
}
