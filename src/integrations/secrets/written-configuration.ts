/**
 * The rules for a configuration that is written over HTTP, where secrets go in and never come out. Those for redis-cli
 * and manifests are looser: whoever writes there sees Redis itself.
 */
import { z } from 'zod';
import { type Fault, parseValue } from '../../parsing.ts';
import { seal } from '../../secrets/envelope.ts';
import type { Keyring } from '../../secrets/keyring.ts';
import {
  CONNECTION_TYPES,
  EXTERNAL_ID,
  EXTERNAL_ID_FORM,
  type IntegrationConfiguration,
  integrationConfiguration,
} from '../integration.ts';
import { hasValue, MASK, MASKED_FIELDS, type MaskedField } from './masks.ts';
import { bareSecrets, secretForm, secretPlace } from './secret-fields.ts';

export interface WrittenConfiguration {
  /** The integration's: a secret is sealed for the record of this name. */
  readonly name: string;
  /** What Redis holds; undefined where the integration is new or its record cannot be read. */
  readonly stored: IntegrationConfiguration | undefined;
  /** As it came: a mask and a masked field that is left out keep what is stored, null and '' remove. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly keyring: Keyring;
  /** Whether the writer has the role ADMIN. */
  readonly byAdmin: boolean;
}

export type AcceptedConfiguration =
  /** As it is to stand in Redis: its secrets sealed, or kept in the form they had. */
  | { readonly ok: true; readonly configuration: IntegrationConfiguration }
  /** Fields are paths such as `configuration.api_key`; messages repeat no value. `forbidden`: ADMIN might write it. */
  | { readonly ok: false; readonly faults: readonly Fault[]; readonly forbidden?: true };

/** What decides whose secrets these are: a stored one is kept only while none of it changes. */
const IDENTITY = ['connectionType', 'user', 'roleArn'] as const;
const ACCOUNT = /^\d{12}$/;

/**
 * Takes a configuration as it was written, whole: what is not masked and left out is gone. Pure, but for the nonces of
 * the envelopes. Never throws.
 */
export function acceptConfiguration(write: WrittenConfiguration): AcceptedConfiguration {
  const { name, stored, written, keyring, byAdmin } = write;
  const isConnectionType = (CONNECTION_TYPES as readonly unknown[]).includes(written['connectionType']);
  // One that does not exist is a fault for anybody, and its hint of use to anybody.
  if (!byAdmin && isConnectionType && connectionNeedsAdmin(stored, written)) return FORBIDDEN;

  const faults: Fault[] = [];
  const candidate: Record<string, unknown> = Object.fromEntries(
    Object.entries(written).filter(([key, value]) => !(isOptional(key) && !hasValue(value))),
  );
  for (const field of MASKED_FIELDS) {
    const value = written[field];
    if (value !== undefined && value !== MASK) {
      faults.push(...valueFaults(field, value, keyring));
    } else {
      const kept = keep(field, write);
      if (kept.fault !== undefined) faults.push(kept.fault);
      if (kept.value !== undefined) candidate[field] = kept.value;
    }
  }
  const read = parseValue({ configuration: candidate }, SCHEMA);
  if (!read.ok) {
    const said = new Set(faults.map(({ field }) => field));
    faults.push(...read.faults.filter(({ field }) => !said.has(field)));
  }
  if (!read.ok || faults.length > 0) return { ok: false, faults };
  return { ok: true, configuration: sealed(name, read.value.configuration, keyring) };
}

/**
 * A configuration with what is stored in place of its masks, and a fault for each mask that stands for nothing or for what
 * was written for another identity. Whoever writes Redis leaves a secret out to remove it: only a mask keeps one.
 */
export function keepMasked(
  written: Readonly<Record<string, unknown>>,
  stored: Readonly<Record<string, unknown>> | undefined,
): { readonly configuration: Readonly<Record<string, unknown>>; readonly faults: readonly Fault[] } {
  const masked = MASKED_FIELDS.filter((field) => written[field] === MASK);
  const kept = masked.map((field) => [field, keep(field, { stored, written })] as const);
  const values = kept.flatMap(([field, { value }]) => (value === undefined ? [] : [[field, value] as const]));
  return {
    configuration: values.length === 0 ? written : { ...written, ...Object.fromEntries(values) },
    faults: kept.flatMap(([, { fault }]) => fault ?? []),
  };
}

/**
 * Whether a write is ADMIN's alone: one of an integration that acts with the worker's own role or with one that it
 * assumes, or one that changes the connection type or the role. Others would make the worker their deputy.
 */
export function connectionNeedsAdmin(
  stored: IntegrationConfiguration | undefined,
  written: Readonly<Record<string, unknown>>,
): boolean {
  if (written['connectionType'] !== 'ACCESS_KEY') return true;
  if (stored !== undefined && stored.connectionType !== 'ACCESS_KEY') return true;
  return differs('roleArn', stored, written);
}

const SCHEMA = z.strictObject({ configuration: integrationConfiguration });

const FORBIDDEN: AcceptedConfiguration = {
  ok: false,
  forbidden: true,
  faults: [
    {
      field: 'configuration.connectionType',
      message:
        'only the role ADMIN writes an integration of CONDUCTOR_ROLE or EXTERNAL_ROLE, or changes connectionType or roleArn',
    },
  ],
};

/** Those that may be empty: null or '' removes them. */
function isOptional(key: string): boolean {
  return key === 'user' || key === 'roleArn' || (MASKED_FIELDS as readonly string[]).includes(key);
}

/** What a mask, or nothing, stands for. */
function keep(
  field: MaskedField,
  {
    stored,
    written,
  }: {
    readonly stored: Readonly<Record<string, unknown>> | undefined;
    readonly written: Readonly<Record<string, unknown>>;
  },
): { readonly value?: unknown; readonly fault?: Fault } {
  const isMask = written[field] === MASK;
  const value = stored?.[field];
  if (!hasValue(value)) {
    return isMask ? { fault: faultAt(field, 'is the mask, but no value is stored: write the value itself') } : {};
  }
  const changed = IDENTITY.filter((part) => differs(part, stored, written));
  if (changed.length === 0) return { value };
  const how = isMask ? 'is the mask' : 'is left out';
  return {
    fault: faultAt(
      field,
      `${how}, but ${changed.join(' and ')} would change, and the stored value stays with what it was written for: write the value anew, or null to remove it`,
    ),
  };
}

function differs(
  part: (typeof IDENTITY)[number],
  stored: Readonly<Record<string, unknown>> | undefined,
  written: Readonly<Record<string, unknown>>,
): boolean {
  const [before, after] = [stored?.[part], written[part]];
  return hasValue(before) || hasValue(after) ? before !== after : false;
}

/** What the schema cannot say, since it takes what redis-cli may write. */
function valueFaults(field: MaskedField, value: unknown, keyring: Keyring): Fault[] {
  if (typeof value !== 'string' || value === '') return [];
  if (field === 'awsAccountId') {
    return ACCOUNT.test(value) ? [] : [faultAt(field, 'an AWS account id, 12 digits')];
  }
  if (secretForm(value) !== 'bare') {
    return [
      faultAt(
        field,
        'env:, file: and enc: are for redis-cli and manifests alone: write the secret itself, it is sealed',
      ),
    ];
  }
  if (keyring.newest === undefined) {
    return [faultAt(field, 'cannot be sealed: set ENCRYPTION_KEYS of the admin service')];
  }
  return field === 'externalId' && !EXTERNAL_ID.test(value) ? [faultAt(field, EXTERNAL_ID_FORM)] : [];
}

/** Also what redis-cli left bare and is kept, now that there is an occasion. */
function sealed(name: string, configuration: IntegrationConfiguration, keyring: Keyring): IntegrationConfiguration {
  if (keyring.newest === undefined) return configuration;
  const envelopes = bareSecrets(configuration).map((field) => [
    field,
    seal(configuration[field] ?? '', secretPlace(name, field), keyring),
  ]);
  return { ...configuration, ...Object.fromEntries(envelopes) };
}

function faultAt(field: MaskedField, message: string): Fault {
  return { field: `configuration.${field}`, message };
}
