import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import { MASK, maskSecrets, openSecret, secretForm } from '../../src/integrations/secrets.ts';

const FIELD = 'configuration.api_key';
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
  return openSecret(text, FIELD, { variables, filesDir });
}

async function expectRefused(text: string, variables: Record<string, string | undefined> = {}): Promise<void> {
  const opened = open(text, variables);
  await expect(opened).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE', field: FIELD });
  const message = await opened.then(String, messageOf);
  expect(message).toContain(FIELD);
  expect(message).not.toContain(SECRET);
}

describe('a secret in a record', () => {
  it('is itself, a variable, a file or wrapped', () => {
    expect(['x', 'env:X', 'file:x', 'enc:v1:k:x', 'env', ''].map(secretForm)).toEqual([
      'bare',
      'environment',
      'file',
      'encrypted',
      'bare',
      'bare',
    ]);
  });

  it('that stands there bare is taken as it is', async () => {
    expect(await open('a:b\n')).toBe('a:b\n');
  });

  it('that is wrapped is refused, without being repeated', async () => {
    await expectRefused(`enc:v1:k1:${SECRET}`);
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
    'RBAC_MODE HTTP_PORT ADMIN_HOST ADMIN_PORT ADMIN_ALLOWED_HOSTS ANONYMOUS_SUBJECT LOG_LEVEL',
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
    expect(await openSecret('file:inside', FIELD, { variables: {}, filesDir: join(root, 'link') })).toBe(SECRET);
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
    const opened = openSecret('file:inside', FIELD, { variables: {}, filesDir: undefined });
    await expect(opened).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    await expect(opened).rejects.toThrow('SECRET_FILES_DIR');
  });
});

describe('an integration that is shown', () => {
  const shown = (configuration: unknown) =>
    (maskSecrets({ type: 'x', configuration }) as { configuration: unknown }).configuration;

  it('masks secrets, bare and wrapped, and the account, but no reference', () => {
    expect(shown({ api_key: SECRET, externalId: 'enc:v1:k:x', awsAccountId: '111122223333', user: 'AKIA' })).toEqual({
      api_key: MASK,
      externalId: MASK,
      awsAccountId: MASK,
      user: 'AKIA',
    });
    expect(shown({ api_key: 'env:KEY', externalId: 'file:x' })).toEqual({ api_key: 'env:KEY', externalId: 'file:x' });
  });

  it('masks what is no text, too, and leaves absent what is absent', () => {
    expect(shown({ api_key: [SECRET], externalId: 5, awsAccountId: null })).toEqual({
      api_key: MASK,
      externalId: MASK,
      awsAccountId: null,
    });
    expect(shown({})).toEqual({});
  });

  it('is not changed by being shown, and shown whatever it is', () => {
    const record = { configuration: { api_key: SECRET } };
    maskSecrets(record);
    expect(record.configuration.api_key).toBe(SECRET);
    for (const value of [null, undefined, 1, 'x', [], {}, { configuration: null }]) {
      expect(maskSecrets(value)).toEqual(value);
    }
  });
});
