import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/errors.ts';
import { openSecret } from '../../../src/integrations/secrets/open-secret.ts';
import { secretForm, secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { seal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';

const PLACE = secretPlace('prod', 'api_key');
const FIELD = 'configuration.api_key';
const KEYRING = parseKeyring(encryptionKeys('new', 'old'));
const NO_KEYS = parseKeyring(undefined);
const SECRET = 'hunter2-hunter2';

let root: string;
let filesDir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'secrets-'));
  filesDir = join(root, 'secrets');
  await mkdir(join(filesDir, 'deep'), { recursive: true });
  await writeFile(join(root, 'outside'), SECRET);
  await writeFile(join(filesDir, 'inside'), SECRET);
  await writeFile(join(filesDir, 'deep', 'inside'), `${SECRET}\n`);
});
afterEach(() => rm(root, { recursive: true }));

function open(text: string, variables: Record<string, string | undefined> = {}): Promise<string> {
  return openSecret(text, PLACE, { variables, filesDir, keyring: KEYRING });
}

async function expectRefused(text: string, variables: Record<string, string | undefined> = {}): Promise<void> {
  const opened = open(text, variables);
  await expect(opened).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE', field: FIELD });
  const message = await opened.then(String, messageOf);
  expect(message).toContain(FIELD);
  expect(message).not.toContain(SECRET);
}

describe('a secret in a record', () => {
  it('is itself, a variable, a file or sealed', () => {
    expect(['x', 'env:X', 'file:x', 'enc:v1:k:x', 'env', ''].map(secretForm)).toEqual([
      'bare',
      'environment',
      'file',
      'sealed',
      'bare',
      'bare',
    ]);
  });

  it('that stands there bare is taken as it is', async () => {
    expect(await open('a:b\n')).toBe('a:b\n');
  });
});

describe('a sealed secret', () => {
  const sealedUnder = (ids: string, place = PLACE) => seal(SECRET, place, parseKeyring(encryptionKeys(ids)));
  const without = { variables: {}, filesDir: undefined, keyring: NO_KEYS };

  it('opens under the newest key and under an older one', async () => {
    expect(await open(seal(SECRET, PLACE, KEYRING))).toBe(SECRET);
    expect(await open(sealedUnder('old'))).toBe(SECRET);
  });

  it('under a key that is not there is refused, with the key and what to do', async () => {
    await expectRefused(sealedUnder('gone'));
    await expect(open(sealedUnder('gone'))).rejects.toThrow(
      `${FIELD}: it is sealed under the key "gone", which ENCRYPTION_KEYS does not have; give the worker's ENCRYPTION_KEYS that key`,
    );
    await expect(openSecret(sealedUnder('old'), PLACE, without)).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
  });

  it.each([
    ['another integration', secretPlace('other', 'api_key')],
    ['another field', secretPlace('prod', 'externalId')],
  ])('of %s is refused', async (_, place) => {
    await expectRefused(sealedUnder('new', place));
    await expect(open(sealedUnder('new', place))).rejects.toThrow('sealed for another record or field');
  });

  it.each([`enc:v1:k1:${SECRET}`, `enc:${SECRET}`, 'enc:', `enc:v2:new:${SECRET}`])(
    'that is none is refused, and not repeated: %s',
    async (text) => {
      await expectRefused(text);
      await expect(open(text)).rejects.toThrow('write the secret anew');
    },
  );

  it('that reads like a reference is no reference', async () => {
    const variables = { BEDROCK_KEY: SECRET };
    expect(await open(seal('env:BEDROCK_KEY', PLACE, KEYRING), variables)).toBe('env:BEDROCK_KEY');
    expect(await open(seal('file:inside', PLACE, KEYRING))).toBe('file:inside');
  });

  it('leaves those in other forms as they are where there is no key at all', async () => {
    expect(await openSecret('env:BEDROCK_KEY', PLACE, { ...without, variables: { BEDROCK_KEY: SECRET } })).toBe(SECRET);
  });
});

describe('a variable', () => {
  it('gives the secret that it holds', async () => {
    expect(await open('env:BEDROCK_KEY', { BEDROCK_KEY: SECRET })).toBe(SECRET);
  });

  it('is refused where it is not set or empty, by its name', async () => {
    await expectRefused('env:BEDROCK_KEY');
    await expectRefused('env:BEDROCK_KEY', { BEDROCK_KEY: '' });
    await expectRefused('env:');
    await expect(open('env:BEDROCK_KEY')).rejects.toThrow('BEDROCK_KEY is not set');
  });

  it.each([
    'CONDUCTOR_SERVER_URL CONDUCTOR_AUTH_KEY CONDUCTOR_AUTH_SECRET TASK_TYPES TASK_DOMAIN REGISTER_TASK_DEFINITIONS',
    'REDIS_URL REDIS_PREFIX ENCRYPTION_KEYS SECRET_FILES_DIR MAX_IN_FLIGHT WORKER_ID DRAIN_TIMEOUT_MS SUBJECT_SOURCES',
    'RBAC_MODE HTTP_PORT ADMIN_HOST ADMIN_PORT ADMIN_ALLOWED_HOSTS ADMIN_TRUSTED_PROXIES ANONYMOUS_SUBJECT LOG_LEVEL',
    'AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_BEARER_TOKEN_BEDROCK AWS_REGION',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_WEB_IDENTITY_TOKEN_FILE AWS_PROFILE AWS_',
  ])('of the service’s own or of AWS is never one: %s', async (names) => {
    for (const name of names.split(' ')) {
      await expectRefused(`env:${name}`, { [name]: SECRET });
      await expect(open(`env:${name}`, { [name]: SECRET })).rejects.toThrow(`${name} may not be used as a secret`);
    }
  });

  it('that only sounds like one of those may be one', async () => {
    for (const name of ['MY_AWS_KEY', 'aws_key', 'EXTERNAL_ENCRYPTION_KEYS', 'WORKER_IDENTITY']) {
      expect(await open(`env:${name}`, { [name]: SECRET })).toBe(SECRET);
    }
  });

  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'that every object has by birth is not set: %s',
    async (name) => {
      await expectRefused(`env:${name}`);
    },
  );
});

describe('a file', () => {
  it('gives its content without the last line break, read afresh each time', async () => {
    expect(await open('file:inside')).toBe(SECRET);
    expect(await open('file:deep/inside')).toBe(SECRET);
    await writeFile(join(filesDir, 'inside'), 'rotated\r\n');
    expect(await open('file:inside')).toBe('rotated');
    await writeFile(join(filesDir, 'inside'), 'two\n\n');
    expect(await open('file:inside')).toBe('two\n');
  });

  it('may be reached through links that stay inside, as Kubernetes mounts them', async () => {
    // Its own names: the folder of a version begins with two dots, too.
    const version = '..2026_11_23_10_00_00.123456789';
    await mkdir(join(filesDir, version));
    await writeFile(join(filesDir, version, 'inside'), SECRET);
    await symlink(version, join(filesDir, '..data'));
    await symlink('..data/inside', join(filesDir, 'linked'));
    expect(await open('file:linked')).toBe(SECRET);
  });

  it('may stand in a folder that is itself a link', async () => {
    await symlink(filesDir, join(root, 'link'));
    expect(
      await openSecret('file:inside', PLACE, { variables: {}, filesDir: join(root, 'link'), keyring: NO_KEYS }),
    ).toBe(SECRET);
  });

  it.each(['../outside', 'deep/../../outside', '..', '.', '', 'deep/..', './../outside', '../secrets2/x'])(
    'outside of the folder is refused: %j',
    async (name) => {
      await expectRefused(`file:${name}`);
      await expect(open(`file:${name}`)).rejects.toThrow('outside SECRET_FILES_DIR');
    },
  );

  it('of an absolute name is refused, also one inside', async () => {
    await expectRefused(`file:${join(root, 'outside')}`);
    await expectRefused(`file:${join(filesDir, 'inside')}`);
    await expectRefused('file:/etc/passwd');
  });

  it('that a link leads out to is refused', async () => {
    await symlink(join(root, 'outside'), join(filesDir, 'link'));
    await expectRefused('file:link');
  });

  it('in a folder that a link leads out to is refused', async () => {
    await symlink(root, join(filesDir, 'folder'));
    await expectRefused('file:folder/outside');
  });

  it('in a sibling folder whose name begins the same is refused', async () => {
    await mkdir(`${filesDir}-other`);
    await writeFile(join(`${filesDir}-other`, 'x'), SECRET);
    await expectRefused('file:../secrets-other/x');
  });

  it.each(['absent', 'deep', 'inside/x', 'in\0side', 'x'.repeat(5_000)])(
    'that cannot be read is refused: %j',
    async (name) => {
      await expectRefused(`file:${name}`);
    },
  );

  it('that is empty is refused', async () => {
    await writeFile(join(filesDir, 'inside'), '\n');
    await expectRefused('file:inside');
  });

  it('is refused where SECRET_FILES_DIR is not set', async () => {
    const opened = openSecret('file:inside', PLACE, { variables: {}, filesDir: undefined, keyring: NO_KEYS });
    await expect(opened).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    await expect(opened).rejects.toThrow('SECRET_FILES_DIR');
  });
});
