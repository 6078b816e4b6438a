import { Redis } from 'ioredis';
import { describe, expect, inject, it } from 'vitest';
import { rotateSecrets } from '../../../src/commands/secrets/rotation.ts';
import { loadSigningKey } from '../../../src/identity/signing.ts';
import { type SecretField, secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { type SecretPlace, seal, unseal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import type { CliResult } from '../../support/cli.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { testTrail } from '../../support/trail.ts';
import { type Installation, install, resultOf } from './installation.ts';

const KEYS = encryptionKeys('new', 'old', 'older');
const SECRETS = ['first-nightingale', 'second-nightingale', 'third-nightingale', 'fourth-nightingale'] as const;
const [FIRST, SECOND, THIRD, FOURTH] = SECRETS;

interface Result {
  readonly dryRun: boolean;
  readonly newestKey: string;
  readonly counts: Record<string, number>;
  readonly records: readonly Record<string, string>[];
  readonly unneededKeys: readonly string[];
  readonly missingKeys: readonly string[];
}

const sealed = (keyId: string, secret: string, integration: string, field: SecretField) =>
  seal(secret, secretPlace(integration, field), parseKeyring(encryptionKeys(keyId)));
const opened = (envelope: string, place: SecretPlace) => unseal(envelope, place, parseKeyring(encryptionKeys('new')));
const record = (configuration: object) => ({
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIAUSER', ...configuration },
  createTime: 1_764_170_000_123,
});
const said = ({ stdout, stderr }: CliResult) => stdout + stderr;

async function rotate(here: Installation, ...options: string[]) {
  const ran = await here.run(['secrets', 'rotate', '--output', 'json', ...options], { ENCRYPTION_KEYS: KEYS });
  for (const secret of SECRETS) expect(said(ran)).not.toContain(secret);
  return { code: ran.code, stderr: ran.stderr, result: resultOf<Result>(ran) };
}

/** Two integrations under older keys, one bare, one by reference, and the key that signs tokens. */
async function seeded(here: Installation): Promise<void> {
  await here.put('integrations', 'a', record({ api_key: sealed('old', FIRST, 'a', 'api_key') }));
  await here.put('integrations', 'b', record({ api_key: sealed('older', SECOND, 'b', 'api_key'), externalId: THIRD }));
  await here.put('integrations', 'c', record({ api_key: 'env:NAME', externalId: 'file:name' }));
  await here.put('integrations', 'd', record({ connectionType: 'CONDUCTOR_ROLE', user: null }));
  const keyring = parseKeyring(encryptionKeys('old'));
  await loadSigningKey({ redis: here.redis, names: here.names, keyring, trail: testTrail(here.names) });
}

async function configurationOf(here: Installation, name: string): Promise<Record<string, string>> {
  return JSON.parse((await here.redis.hget(here.names.hash('integrations'), name)) ?? '').configuration;
}

describe('secrets rotate', () => {
  it('brings everything under the newest key: older envelopes, bare secrets and the key that signs tokens', async () => {
    await using here = await install();
    await seeded(here);
    const [kid = ''] = await here.redis.hkeys(here.names.admin.signing);
    const { code, stderr, result } = await rotate(here);
    expect([code, stderr]).toEqual([0, '']);
    expect(result).toMatchObject({
      dryRun: false,
      newestKey: 'new',
      counts: { rewrapped: 3, sealed: 1, current: 0, reference: 2, failed: 0 },
      unneededKeys: ['old', 'older'],
      missingKeys: [],
    });
    const integrations = here.names.hash('integrations');
    expect(new Set(result.records)).toEqual(
      new Set([
        { key: integrations, field: 'a', secret: 'configuration.api_key', outcome: 'rewrapped', from: 'old' },
        { key: integrations, field: 'b', secret: 'configuration.api_key', outcome: 'rewrapped', from: 'older' },
        { key: integrations, field: 'b', secret: 'configuration.externalId', outcome: 'sealed' },
        { key: here.names.admin.signing, field: kid, secret: 'privateKey', outcome: 'rewrapped', from: 'old' },
      ]),
    );
    const [a, b, c] = [
      await configurationOf(here, 'a'),
      await configurationOf(here, 'b'),
      await configurationOf(here, 'c'),
    ];
    expect(opened(a['api_key'] ?? '', secretPlace('a', 'api_key'))).toBe(FIRST);
    expect(opened(b['api_key'] ?? '', secretPlace('b', 'api_key'))).toBe(SECOND);
    expect(opened(b['externalId'] ?? '', secretPlace('b', 'externalId'))).toBe(THIRD);
    expect([c['api_key'], c['externalId']]).toEqual(['env:NAME', 'file:name']);
    const keyring = parseKeyring(encryptionKeys('new'));
    expect(
      (await loadSigningKey({ redis: here.redis, names: here.names, keyring, trail: testTrail(here.names) })).kid,
    ).toBe(kid);
  });

  it('changes nothing else of a record', async () => {
    await using here = await install();
    const before = {
      ...record({ api_key: FIRST }),
      tags: [{ key: 'tier', value: 'gold' }],
      unknown: { deep: [1, null] },
    };
    await here.put('integrations', 'a', before);
    await rotate(here);
    const after = JSON.parse((await here.redis.hget(here.names.hash('integrations'), 'a')) ?? '');
    expect(after.configuration.api_key).toMatch(/^enc:v1:new:/);
    expect({ ...after, configuration: { ...after.configuration, api_key: FIRST } }).toEqual(before);
  });

  it('has nothing to do the second time, and writes nothing then', async () => {
    await using here = await install();
    await seeded(here);
    await rotate(here);
    const before = await here.contents();
    const { code, result } = await rotate(here);
    expect([code, result.counts]).toEqual([0, { rewrapped: 0, sealed: 0, current: 4, reference: 2, failed: 0 }]);
    expect([result.records, result.unneededKeys]).toEqual([[], ['old', 'older']]);
    const { stdout } = await here.run(['secrets', 'rotate'], { ENCRYPTION_KEYS: KEYS });
    expect(stdout).toContain('Nothing to do: every sealed secret is under the key "new".');
    expect(await here.contents()).toEqual(before);
  });

  it('writes nothing with --dry-run, and says what it would', async () => {
    await using here = await install();
    await seeded(here);
    const before = await here.contents();
    const { code, result } = await rotate(here, '--dry-run');
    expect([code, result.dryRun, result.counts]).toEqual([
      0,
      true,
      { rewrapped: 3, sealed: 1, current: 0, reference: 2, failed: 0 },
    ]);
    const { stdout } = await here.run(['secrets', 'rotate', '--dry-run'], { ENCRYPTION_KEYS: KEYS });
    expect(stdout).toContain('4 secrets would be brought under the key "new"; 0 already there.');
    expect(stdout).toContain('Nothing was written (--dry-run).');
    expect(stdout).toContain('Afterwards no secret is sealed under "old", "older" any more.');
    expect(await here.contents()).toEqual(before);
  });

  it('tells people what it did and which keys may go, and no secret', async () => {
    await using here = await install();
    await seeded(here);
    const ran = await here.run(['secrets', 'rotate'], { ENCRYPTION_KEYS: KEYS });
    expect(ran.code).toBe(0);
    const key = here.names.hash('integrations');
    expect(ran.stdout).toContain(`rewrapped  ${key} a: configuration.api_key, from the key "old"`);
    expect(ran.stdout).toContain(`sealed     ${key} b: configuration.externalId, which stood there bare`);
    expect(ran.stdout).toContain('4 secrets brought under the key "new"; 0 already there.');
    expect(ran.stdout).toContain('take "old", "older" out of ENCRYPTION_KEYS');
    for (const secret of SECRETS) expect(said(ran)).not.toContain(secret);
  });

  it('names what it cannot open, goes on with the others and ends with exit code 1', async () => {
    await using here = await install();
    await seeded(here);
    const elsewhere = sealed('old', FOURTH, 'a', 'api_key');
    await here.put(
      'integrations',
      'lost',
      record({ api_key: sealed('gone', FOURTH, 'lost', 'api_key'), externalId: FOURTH }),
    );
    await here.put('integrations', 'moved', record({ api_key: elsewhere }));
    await here.put('integrations', 'strange', record({ api_key: 'enc:v9:x' }));
    await here.put(
      'integrations',
      'broken',
      `{"configuration":{"api_key":"${FOURTH}","externalId":"enc:v1:older:AAAA"}`,
    );
    await here.put('integrations', 'refused', { configuration: { api_key: FOURTH } });
    await here.redis.hset(here.names.admin.signing, 'odd', FOURTH);
    const { code, result } = await rotate(here);
    expect(code).toBe(1);
    expect(result.counts).toEqual({ rewrapped: 3, sealed: 3, current: 0, reference: 2, failed: 5 });
    const failures = Object.fromEntries(
      result.records.filter(({ outcome }) => outcome === 'failed').map((one) => [one['field'], one]),
    );
    expect(failures['lost']).toMatchObject({ secret: 'configuration.api_key', from: 'gone' });
    expect(failures['lost']?.['message']).toContain('put that key behind the newest and run secrets rotate again');
    expect(failures['moved']?.['message']).toContain('sealed for another record or field; write the secret anew');
    expect(failures['strange']?.['message']).toContain('not of the form enc:v1:<key id>:<base64>');
    expect(failures['broken']).toMatchObject({ secret: '', message: expect.stringContaining('no JSON object') });
    expect(failures['odd']?.['message']).toContain('admin makes another key at its next start');
    // What does not open may need its key still: "old" is named by the one that was moved, "older" by the broken record.
    expect([result.unneededKeys, result.missingKeys]).toEqual([[], ['gone']]);
    expect(opened((await configurationOf(here, 'lost'))['externalId'] ?? '', secretPlace('lost', 'externalId'))).toBe(
      FOURTH,
    );
    expect((await configurationOf(here, 'refused'))['api_key']).toMatch(/^enc:v1:new:/);
    expect(await here.redis.hget(here.names.admin.signing, 'odd')).toBe(FOURTH);
    const { code: again, result: second } = await rotate(here);
    expect([again, second.counts['failed'], second.counts['current']]).toEqual([1, 5, 6]);
  });

  it('says without a key how to make one, and writes nothing: exit code 2', async () => {
    await using here = await install();
    await seeded(here);
    const before = await here.contents();
    const { code, stdout, stderr } = await here.run(['secrets', 'rotate']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('ENCRYPTION_KEYS: missing');
    expect(stderr).toContain('openssl rand -base64 32');
    expect(await here.contents()).toEqual(before);
  });

  it('ends with exit code 3 where Redis is away, or refuses to write', async () => {
    await using here = await install();
    await seeded(here);
    const away = await here.run(['secrets', 'rotate'], { ENCRYPTION_KEYS: KEYS, REDIS_URL: 'redis://127.0.0.1:1' });
    expect([away.code, away.stdout]).toEqual([3, '']);
    const user = here.names.prefix.replace(':', '');
    await here.redis.acl('SETUSER', user, 'on', '>sesame', `%R~${here.names.prefix}*`, '&*', '+@all');
    const { host } = new URL(here.env['REDIS_URL'] ?? '');
    const refused = await here.run(['secrets', 'rotate'], {
      ENCRYPTION_KEYS: KEYS,
      REDIS_URL: `redis://${user}:sesame@${host}`,
    });
    await here.redis.acl('DELUSER', user);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain(
      '0 secrets were brought under the newest key before that; run secrets rotate again',
    );
  });

  it('is wrong usage by another name: exit code 2', async () => {
    await using here = await install();
    expect((await here.run(['secrets'])).code).toBe(2);
    expect((await here.run(['secrets', 'rotate', '--nonsense'])).code).toBe(2);
    const { code, stderr } = await here.run(['secrets', 'rotat']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Did you mean rotate?')]);
  });

  it('tells how far it is after every thousand records', async () => {
    await using here = await install();
    const records = Array.from(
      { length: 2_500 },
      (_, at) => [`n${at}`, JSON.stringify(record({ api_key: FIRST }))] as const,
    );
    await here.redis.hset(here.names.hash('integrations'), new Map(records));
    const { code, stderr, result } = await rotate(here);
    expect([code, result.counts['sealed']]).toEqual([0, 2_500]);
    expect(stderr.trim().split('\n').slice(0, 2)).toEqual([
      '1000 of 2500 records looked at',
      '2000 of 2500 records looked at',
    ]);
  });
});

describe('somebody who writes meanwhile', () => {
  /** Does something right before each of the first writes of the rotation. */
  async function rotateAmid(here: Installation, times: number, act: (turn: number) => Promise<unknown>) {
    const redis = new Redis(inject('redisUrl'));
    const send = redis.call.bind(redis) as (name: string, args: unknown) => Promise<unknown>;
    let turn = 0;
    redis.call = (async (name: string, args: unknown) => {
      if (name === 'evalsha') turn += 1;
      if (name === 'evalsha' && turn <= times) await act(turn);
      return await send(name, args);
    }) as typeof redis.call;
    try {
      const keyring = parseKeyring(KEYS);
      return await rotateSecrets({
        redis,
        names: here.names,
        keyring,
        dryRun: false,
        trail: testTrail(here.names),
        progress: () => undefined,
      });
    } finally {
      redis.disconnect();
    }
  }

  it('loses nothing: the change of an administrator stays, and its secret is sealed', async () => {
    await using here = await install();
    await here.put('integrations', 'a', record({ api_key: FIRST }));
    const { secrets } = await rotateAmid(here, 3, (turn) =>
      here.put('integrations', 'a', { ...record({ api_key: SECRETS[turn] }), description: `change ${turn}` }),
    );
    expect(secrets).toEqual([expect.objectContaining({ field: 'a', outcome: 'sealed' })]);
    const after = JSON.parse((await here.redis.hget(here.names.hash('integrations'), 'a')) ?? '');
    expect(after.description).toBe('change 3');
    expect(opened(after.configuration.api_key, secretPlace('a', 'api_key'))).toBe(SECRETS[3]);
  });

  it('is not brought back where it was deleted', async () => {
    await using here = await install();
    await here.put('integrations', 'a', record({ api_key: FIRST }));
    const { secrets } = await rotateAmid(here, 1, () => here.redis.hdel(here.names.hash('integrations'), 'a'));
    expect(secrets).toEqual([]);
    expect(await here.contents()).toEqual({});
  });

  it('is seen at another look: what was sealed under an older key behind its back is rewrapped, too', async () => {
    await using here = await install();
    await here.put('integrations', 'a', record({ api_key: FIRST }));
    const late = record({ api_key: sealed('old', SECOND, 'late', 'api_key') });
    const { secrets, unneededKeys } = await rotateAmid(here, 1, () => here.put('integrations', 'late', late));
    expect(secrets).toHaveLength(2);
    expect(unneededKeys).toEqual(['old', 'older']);
    expect((await configurationOf(here, 'late'))['api_key']).toMatch(/^enc:v1:new:/);
  });

  it('all the time is said, with the key that is still in use', async () => {
    await using here = await install();
    const changed = (turn: number) =>
      here.put('integrations', 'a', {
        ...record({ api_key: sealed('old', FIRST, 'a', 'api_key') }),
        description: `${turn}`,
      });
    await changed(0);
    const { secrets, unneededKeys } = await rotateAmid(here, 1_000, changed);
    expect(secrets).toEqual([
      expect.objectContaining({ outcome: 'failed', from: 'old', message: expect.stringContaining('keeps changing') }),
    ]);
    expect(unneededKeys).toEqual(['older']);
  });
});
