import { signingKeyPlace } from '../../identity/signing.ts';
import {
  configurationOf,
  SECRET_FIELDS,
  type SecretForm,
  secretForm,
  secretPlace,
} from '../../integrations/secrets/secret-fields.ts';
import type { KeyNames } from '../../redis/keys.ts';
import { keyIdOf, type SecretPlace } from '../../secrets/envelope.ts';

/** A secret as it stands in Redis: bare, sealed, or a reference to where it is. */
export interface StoredSecret {
  readonly place: SecretPlace;
  readonly text: string;
  readonly form: SecretForm;
}

/** A hash of Redis whose fields hold secrets. */
export interface SecretHash {
  readonly key: string;
  /** The secrets of one field; undefined where its text cannot be read. */
  secretsOf(name: string, raw: string): readonly StoredSecret[] | undefined;
  /** The field's text with other secrets, by their `place.field`; all else as it was. */
  withSecrets(raw: string, secrets: ReadonlyMap<string, string>): string;
}

/** Everything in Redis that is sealed, or should be: what `secrets rotate` and `check` look at. */
export function secretHashes(names: KeyNames): { readonly integrations: SecretHash; readonly signing: SecretHash } {
  return { integrations: integrationSecrets(names.hash('integrations')), signing: signingKeys(names.admin.signing) };
}

function integrationSecrets(key: string): SecretHash {
  return {
    key,
    secretsOf(name, raw) {
      // Not by the schema: a record that workers refuse may hold a secret as well.
      const record = readObject(raw);
      if (record === undefined) return undefined;
      const configuration = configurationOf(record);
      return SECRET_FIELDS.flatMap((field) => {
        const text = configuration[field];
        if (typeof text !== 'string' || text === '') return [];
        return [{ place: secretPlace(name, field), text, form: secretForm(text) }];
      });
    },
    withSecrets(raw, secrets) {
      const record = readObject(raw);
      const sealed = SECRET_FIELDS.flatMap((field) => {
        const text = secrets.get(secretPlace('', field).field);
        return text === undefined ? [] : [[field, text]];
      });
      return JSON.stringify({
        ...record,
        configuration: { ...configurationOf(record), ...Object.fromEntries(sealed) },
      });
    },
  };
}

function signingKeys(key: string): SecretHash {
  return {
    key,
    // Never bare: what is no envelope there is no key of ours.
    secretsOf: (kid, raw) => [{ place: signingKeyPlace(kid), text: raw, form: 'sealed' }],
    withSecrets: (raw, secrets) => [...secrets.values()][0] ?? raw,
  };
}

function readObject(raw: string): object | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The keys that a field's secrets are sealed under; of what cannot be read, all that its text names. */
export function keyIdsOf(hash: SecretHash, name: string, raw: string): string[] {
  const secrets = hash.secretsOf(name, raw);
  if (secrets === undefined) return Array.from(raw.matchAll(/enc:v1:([\w.-]+):/g), ([, id = '']) => id);
  return secrets.flatMap(({ text }) => keyIdOf(text) ?? []);
}
