import { describe, expect, it } from 'vitest';
import { loadSigningKey } from '../../../src/identity/signing.ts';
import { secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { seal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { testTrail } from '../../support/trail.ts';
import type { Finding } from './check-world.ts';
import { type Installation, install, resultOf } from './installation.ts';

const keyring = (id: string) => parseKeyring(encryptionKeys(id));
const integration = (api_key: string) => ({
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIAUSER', api_key },
});

/** An integration under `secretKey`, and the key that signs tokens under `signingKey`. */
async function seeded(here: Installation, secretKey: string, signingKey: string): Promise<string> {
  await here.put('integrations', 'p', integration(seal('hush', secretPlace('p', 'api_key'), keyring(secretKey))));
  const { kid } = await loadSigningKey({
    redis: here.redis,
    names: here.names,
    keyring: keyring(signingKey),
    trail: testTrail(here.names),
  });
  return kid;
}

async function check(here: Installation, keys: string | undefined, env: NodeJS.ProcessEnv = {}) {
  const ran = await here.run(['check', '--offline', '--output', 'json'], { ENCRYPTION_KEYS: keys, ...env });
  return { code: ran.code, findings: resultOf<{ findings: Finding[] }>(ran).findings };
}

const unneeded = (id: string, newest: string) => ({
  severity: 'warning',
  key: 'environment',
  field: 'ENCRYPTION_KEYS',
  message: `nothing is sealed under the key "${id}": once "${newest}" is first everywhere, take it out`,
});

describe('check of ENCRYPTION_KEYS', () => {
  it('finds nothing where each key has something sealed under it, nor in a newest one that is not used yet', async () => {
    await using here = await install();
    await seeded(here, 'old', 'older');
    expect(await check(here, encryptionKeys('new', 'old', 'older'))).toEqual({ code: 0, findings: [] });
  });

  it('finds a key that no secret needs', async () => {
    await using here = await install();
    await seeded(here, 'new', 'new');
    const { code, findings } = await check(here, encryptionKeys('new', 'old', 'older'));
    expect([code, findings]).toEqual([1, [unneeded('old', 'new'), unneeded('older', 'new')]]);
  });

  it('counts a key as needed that a record names which cannot be read', async () => {
    await using here = await install();
    await seeded(here, 'new', 'new');
    await here.put('integrations', 'broken', '{"configuration":{"api_key":"enc:v1:old:AAAA"}');
    const { findings } = await check(here, encryptionKeys('new', 'old', 'older'));
    expect(findings.filter(({ field }) => field === 'ENCRYPTION_KEYS')).toEqual([unneeded('older', 'new')]);
  });

  it('finds the key that signs tokens where nothing opens it, an error, and names what is missing', async () => {
    await using here = await install();
    const kid = await seeded(here, 'new', 'gone');
    const { code, findings } = await check(here, encryptionKeys('new'));
    expect([code, findings]).toEqual([
      1,
      [
        {
          severity: 'error',
          key: here.names.admin.signing,
          field: kid,
          message:
            'the key that signs tokens: it is sealed under the key "gone", which ENCRYPTION_KEYS does not have; give admin that key',
        },
      ],
    ]);
  });

  it('only warns of such a key where another opens', async () => {
    await using here = await install();
    await seeded(here, 'new', 'new');
    await here.redis.hset(here.names.admin.signing, 'other', 'enc:v1:new:no-envelope');
    const { findings } = await check(here, encryptionKeys('new'));
    expect(findings).toMatchObject([{ severity: 'warning', field: 'other' }]);
  });

  it('asks a place without any key for none, as a worker’s may be', async () => {
    await using here = await install();
    await loadSigningKey({ redis: here.redis, names: here.names, keyring: keyring('k'), trail: testTrail(here.names) });
    await here.put('integrations', 'p', integration('env:NAME'));
    expect(await check(here, undefined)).toEqual({ code: 0, findings: [] });
  });

  it('claims nothing where Redis does not show the private keys', async () => {
    await using here = await install();
    await seeded(here, 'new', 'old');
    const user = here.names.prefix.replace(':', '');
    await here.redis.acl('SETUSER', user, 'on', '>sesame', `~${here.names.prefix}*`, '&*', '+@all');
    const { host } = new URL(here.env['REDIS_URL'] ?? '');
    const url = { REDIS_URL: `redis://${user}:sesame@${host}` };
    expect((await check(here, encryptionKeys('new', 'old', 'older'), url)).findings).toEqual([
      unneeded('older', 'new'),
    ]);
    const kinds = [
      'integrations',
      'models',
      'prompts',
      'groups',
      'applications',
      'users',
      'roles',
      'access-keys',
      'token-keys',
    ];
    const readable = [...kinds, 'members:*', 'grants:*', 'run:*'].map((name) => `~${here.names.prefix}${name}`);
    await here.redis.acl('SETUSER', user, 'resetkeys', ...readable);
    expect(await check(here, encryptionKeys('new', 'old', 'older'), url)).toEqual({ code: 0, findings: [] });
    await here.redis.acl('DELUSER', user);
  });
});

describe('check of bare secrets', () => {
  it('finds one in a record that has another fault, too', async () => {
    await using here = await install();
    await here.put('integrations', 'p', { ...integration('hush-hush'), nonsense: 1 });
    const { findings } = await check(here, undefined);
    expect(findings.map(({ message }) => message)).toEqual([
      expect.stringContaining('nonsense: unknown key'),
      expect.stringContaining(
        'configuration.api_key stands in Redis as it is; seal it with bedrock-cohere secrets rotate',
      ),
    ]);
    expect(JSON.stringify(findings)).not.toContain('hush-hush');
  });
});
