import { readFile, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { ServiceError } from '../../errors.ts';
import type { SecretPlace } from '../../secrets/envelope.ts';
import type { Keyring } from '../../secrets/keyring.ts';
import { openSealed } from './sealed.ts';
import { secretForm } from './secret-fields.ts';

/** What the forms of a secret are opened with. */
export interface SecretSources {
  /** Environment variables that `env:NAME` may name. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The folder of `file:NAME`; undefined: none may be named. */
  readonly filesDir: string | undefined;
  /** For `enc:v1:…`; may be empty: then no sealed secret opens. */
  readonly keyring: Keyring;
}

/**
 * The service's own variables and AWS's: a record must not be able to send them anywhere. (An external id of
 * `env:CONDUCTOR_AUTH_SECRET` would hand that secret to a role in somebody else's account.)
 */
const FORBIDDEN_VARIABLES =
  /^(AWS_.*|CONDUCTOR_.*|REDIS_.*|ENCRYPTION_KEYS|SECRET_FILES_DIR|ADMIN_.*|ANONYMOUS_SUBJECT|AUDIT_.*|TASK_.*|REGISTER_.*|MAX_IN_FLIGHT|WORKER_ID|DRAIN_TIMEOUT_MS|SUBJECT_SOURCES|RBAC_MODE|HTTP_PORT|LOG_LEVEL)$/;

/**
 * The secret itself. Read again at every call, so that a rotated file is seen. What was sealed is taken as it is, also
 * where it reads like a reference. Throws SECRET_UNAVAILABLE with the field and the reference's name or the key's id,
 * never the secret.
 */
export async function openSecret(text: string, place: SecretPlace, sources: SecretSources): Promise<string> {
  const { field } = place;
  const name = text.slice(text.indexOf(':') + 1);
  switch (secretForm(text)) {
    case 'bare':
      return text;
    case 'environment': {
      if (FORBIDDEN_VARIABLES.test(name)) throw unavailable(field, `the variable ${name} may not be used as a secret`);
      const value = Object.hasOwn(sources.variables, name) ? sources.variables[name] : undefined;
      if (value === undefined || value === '')
        throw unavailable(field, `the variable ${name} is not set in the worker's environment`);
      return value;
    }
    case 'file':
      return await readSecretFile(name, field, sources.filesDir);
    case 'sealed':
      return openSealed(text, place, sources.keyring);
  }
}

async function readSecretFile(name: string, field: string, filesDir: string | undefined): Promise<string> {
  if (filesDir === undefined)
    throw unavailable(field, `file:${name} needs SECRET_FILES_DIR in the worker's environment`);
  const { folder, path } = await whereLinksLead(filesDir, name, field);
  const inside = relative(folder, path);
  // A name may begin with two dots, as `..data` does in a mounted secret of Kubernetes; only the step upwards leads out.
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw unavailable(field, `file:${name} lies outside SECRET_FILES_DIR`);
  }
  const content = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw unavailable(field, `file:${name} cannot be read`, cause);
  });
  // Files written by hand or by a secret store often end in a line break that is not part of the secret.
  const secret = content.replace(/\r?\n$/, '');
  if (secret !== '') return secret;
  throw unavailable(field, `file:${name} is empty`);
}

/** Secret stores lay their files out with links, which may lead anywhere in the folder but not out of it. */
async function whereLinksLead(
  filesDir: string,
  name: string,
  field: string,
): Promise<{ folder: string; path: string }> {
  const folder = await realpath(filesDir).catch((cause: unknown) => {
    throw unavailable(field, 'SECRET_FILES_DIR is no folder that can be read', cause);
  });
  const path = join(folder, name);
  return { folder, path: await realpath(path).catch(() => path) };
}

function unavailable(field: string, reason: string, cause?: unknown): ServiceError {
  return new ServiceError('SECRET_UNAVAILABLE', `${field}: ${reason}`, { field, cause });
}
