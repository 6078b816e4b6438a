import { describe, expect, it } from 'vitest';
import type { IntegrationConfiguration } from '../../../src/integrations/integration.ts';
import { MASK, maskConfiguration } from '../../../src/integrations/secrets/masks.ts';
import { secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import {
  type AcceptedConfiguration,
  acceptConfiguration,
  connectionNeedsAdmin,
} from '../../../src/integrations/secrets/written-configuration.ts';
import { seal, unseal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';

const KEYRING = parseKeyring(encryptionKeys('new', 'old'));
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const ROLE = 'arn:aws:iam::111122223333:role/one';
const KEY = secretPlace('prod', 'api_key');
const ID = secretPlace('prod', 'externalId');

const KEYS = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA1' } as const;
const EXTERNAL = { connectionType: 'EXTERNAL_ROLE', region: 'us-east-1', roleArn: ROLE } as const;
const STORED_KEYS: IntegrationConfiguration = {
  ...KEYS,
  api_key: seal('stored', KEY, KEYRING),
  awsAccountId: '111122223333',
};
const STORED_EXTERNAL: IntegrationConfiguration = { ...EXTERNAL, externalId: seal('stored-id', ID, KEYRING) };

const write = (
  written: Record<string, unknown>,
  stored?: IntegrationConfiguration,
  { byAdmin = true, keyring = KEYRING } = {},
) => acceptConfiguration({ name: 'prod', stored, written, keyring, byAdmin });

function accepted(result: AcceptedConfiguration): IntegrationConfiguration {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.faults)}`);
  return result.configuration;
}

function faults(result: AcceptedConfiguration): string[] {
  if (result.ok) throw new Error('accepted');
  return result.faults.map(({ field, message }) => `${field}: ${message}`);
}

describe('a secret that is written', () => {
  it('is sealed for its record and field', () => {
    const keys = accepted(write({ ...KEYS, api_key: SECRET }));
    expect(keys).toEqual({ ...KEYS, api_key: expect.stringMatching(/^enc:v1:new:/) });
    expect(unseal(keys.api_key ?? '', KEY, KEYRING)).toBe(SECRET);
    const role = accepted(write({ ...EXTERNAL, externalId: 'an-id' }));
    expect(unseal(role.externalId ?? '', ID, KEYRING)).toBe('an-id');
  });

  it.each(['env:ENCRYPTION_KEYS', 'file:key', 'enc:v1:new:AAAA', STORED_KEYS.api_key ?? '', 'env:', 'enc:'])(
    'is never a reference, even from ADMIN: %s',
    (reference) => {
      for (const field of ['api_key', 'externalId']) {
        const [fault = '', ...others] = faults(write({ ...EXTERNAL, user: 'AKIA1', [field]: reference }, undefined));
        expect(fault).toMatch(new RegExp(`^configuration\\.${field}: env:, file: and enc: are for redis-cli`));
        expect(others).toEqual([]);
        expect(fault).not.toContain(reference.slice(4) || '\0');
      }
    },
  );

  it.each(['awsAccountId', 'roleArn', 'user', 'region', 'connectionType'])('is no reference in %s either', (field) => {
    for (const reference of ['env:HOME', 'file:key', 'enc:v1:new:AAAA']) {
      const said = faults(write({ ...EXTERNAL, [field]: reference }));
      expect(said[0]).toContain(`configuration.${field}: `);
      expect(said.join()).not.toContain(reference);
    }
  });

  it('needs a key to be sealed with', () => {
    const without = { keyring: parseKeyring(undefined) };
    expect(faults(write({ ...KEYS, api_key: SECRET }, undefined, without))).toEqual([
      'configuration.api_key: cannot be sealed: set ENCRYPTION_KEYS of the admin service',
    ]);
    expect(accepted(write(KEYS, STORED_KEYS, without))).toEqual(STORED_KEYS);
  });

  it('is in the form that AWS takes, where AWS says one', () => {
    expect(faults(write({ ...EXTERNAL, externalId: 'with a space', awsAccountId: '1111-2222-3333' }))).toEqual([
      expect.stringContaining('configuration.externalId: an external id (2 to 1224 characters'),
      'configuration.awsAccountId: an AWS account id, 12 digits',
    ]);
  });
});

describe('a mask, or nothing, written over a secret', () => {
  it.each([
    ['the mask', maskConfiguration(STORED_KEYS)],
    ['nothing', KEYS],
    ['the mask in another region', { ...maskConfiguration(STORED_KEYS), region: 'eu-west-1' }],
    ['nothing, and the role as null', { ...KEYS, roleArn: null, externalId: '' }],
  ])('keeps what is stored: %s', (_, written) => {
    const { region } = written;
    expect(accepted(write(written, STORED_KEYS))).toEqual({ ...STORED_KEYS, region });
  });

  it.each(['env:BEDROCK_KEY', 'file:key', 'enc:broken'])('keeps a stored reference: %s', (api_key) => {
    const stored = { ...KEYS, api_key };
    for (const written of [KEYS, maskConfiguration(stored)]) expect(accepted(write(written, stored))).toEqual(stored);
  });

  it('keeps what redis-cli left bare, and seals it', () => {
    const { api_key } = accepted(write(KEYS, { ...KEYS, api_key: SECRET }));
    expect(unseal(api_key ?? '', KEY, KEYRING)).toBe(SECRET);
  });

  it('keeps an account of any form that redis-cli wrote', () => {
    const stored = { ...STORED_KEYS, awsAccountId: '1111-2222-3333' };
    expect(accepted(write(maskConfiguration(stored), stored))).toEqual(stored);
  });

  it.each([
    ['user', STORED_KEYS, { ...KEYS, user: 'AKIA2' }, ['api_key', 'awsAccountId']],
    ['roleArn', STORED_EXTERNAL, { ...EXTERNAL, roleArn: `${ROLE}2` }, ['externalId']],
    ['roleArn', STORED_KEYS, { ...KEYS, roleArn: ROLE }, ['api_key', 'awsAccountId']],
    ['connectionType', STORED_EXTERNAL, { ...EXTERNAL, connectionType: 'CONDUCTOR_ROLE' }, ['externalId']],
    ['connectionType', STORED_KEYS, { ...KEYS, connectionType: 'CONDUCTOR_ROLE' }, ['api_key', 'awsAccountId']],
  ])('is refused where %s would change', (part, stored, written, fields) => {
    const masked = Object.fromEntries(fields.map((field) => [field, MASK]));
    for (const [how, given] of [['is left out', written] as const, ['is the mask', { ...written, ...masked }] as const])
      expect(faults(write(given, stored))).toEqual(
        fields.map((field) => expect.stringContaining(`configuration.${field}: ${how}, but ${part} would change`)),
      );
  });

  it('may be followed by the secret anew, or by none, where the connection changes', () => {
    const other = { ...KEYS, user: 'AKIA2', awsAccountId: null };
    const { api_key } = accepted(write({ ...other, api_key: SECRET }, STORED_KEYS));
    expect(unseal(api_key ?? '', KEY, KEYRING)).toBe(SECRET);
    const role = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
    expect(accepted(write({ ...role, api_key: null, awsAccountId: '' }, STORED_KEYS))).toEqual(role);
  });

  it.each([undefined, { ...KEYS, api_key: 'x', externalId: null, awsAccountId: '' }, STORED_EXTERNAL])(
    'is refused as a mask where nothing is stored',
    (stored) => {
      const field = stored === STORED_EXTERNAL ? 'api_key' : 'externalId';
      expect(faults(write({ ...(stored ?? KEYS), api_key: SECRET, [field]: MASK }, stored))).toContainEqual(
        `configuration.${field}: is the mask, but no value is stored: write the value itself`,
      );
    },
  );

  it('is gone where null or nothing but quotes is written, unless the connection type needs it', () => {
    for (const nothing of [null, '']) {
      expect(accepted(write({ ...EXTERNAL, externalId: nothing }, STORED_EXTERNAL))).toEqual(EXTERNAL);
      expect(faults(write({ ...KEYS, api_key: nothing }, STORED_KEYS))).toEqual([
        'configuration.api_key: missing: ACCESS_KEY needs it',
      ]);
    }
  });
});

describe('a configuration that is written', () => {
  it('is whole: what it leaves out is gone, but for what is masked', () => {
    const { awsAccountId, ...others } = STORED_EXTERNAL;
    expect(awsAccountId).toBeUndefined();
    const stored = { ...others, user: 'AKIA1' };
    expect(accepted(write({ ...EXTERNAL, user: 'AKIA1' }, stored))).toEqual(stored);
    expect(accepted(write({ ...EXTERNAL, user: '', externalId: 'anew' }, stored))).not.toHaveProperty('user');
  });

  it('has all its faults said at once, each once', () => {
    expect(faults(write({ conectionType: 'x', region: 7, api_key: MASK, awsAccountId: [SECRET] }))).toEqual([
      'configuration.api_key: is the mask, but no value is stored: write the value itself',
      expect.stringContaining('configuration.connectionType: '),
      expect.stringContaining('configuration.region: '),
      expect.stringContaining('configuration.awsAccountId: '),
      'configuration.conectionType: unknown key. Did you mean "connectionType"?',
    ]);
    expect(faults(write({ ...KEYS, api_key: MASK }))).toHaveLength(1);
  });

  it('takes no key by which objects are made others', () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const written = JSON.parse(`{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1","${key}":{"api_key":"x"}}`);
      expect(faults(write(written))).toEqual([`configuration.${key}: unknown key.`]);
    }
  });
});

describe('a write that is ADMIN’s alone', () => {
  it.each<[string, boolean, IntegrationConfiguration | undefined, Record<string, unknown>]>([
    ['a new one with an access key', false, undefined, KEYS],
    ['one with an access key, again', false, STORED_KEYS, KEYS],
    ['another access key', false, STORED_KEYS, { ...KEYS, user: 'AKIA2' }],
    ['an access key whose role is empty, as before', false, { ...KEYS, roleArn: null }, { ...KEYS, roleArn: '' }],
    ['an access key beside the same role', false, { ...KEYS, roleArn: ROLE }, { ...KEYS, roleArn: ROLE }],
    ['a new one with the worker’s role', true, undefined, { ...KEYS, connectionType: 'CONDUCTOR_ROLE' }],
    ['a new one with another role', true, undefined, EXTERNAL],
    ['the same role, again', true, STORED_EXTERNAL, EXTERNAL],
    ['a role made an access key', true, STORED_EXTERNAL, { ...KEYS, roleArn: ROLE }],
    ['an access key made a role', true, STORED_KEYS, EXTERNAL],
    ['a role beside an access key', true, STORED_KEYS, { ...KEYS, roleArn: ROLE }],
    ['a role beside a new access key', true, undefined, { ...KEYS, roleArn: ROLE }],
    ['a role that goes', true, { ...KEYS, roleArn: ROLE }, KEYS],
  ])('%s: %s', (_, needsAdmin, stored, given) => {
    expect(connectionNeedsAdmin(stored, given)).toBe(needsAdmin);
    // With everything anew, so that nothing else stands in the way.
    const written = { api_key: SECRET, externalId: 'an-id', awsAccountId: '111122223333', ...given };
    const byUser = write(written, stored, { byAdmin: false });
    expect(write(written, stored).ok).toBe(true);
    expect(byUser.ok).toBe(!needsAdmin);
    if (needsAdmin) {
      expect(byUser).toMatchObject({ forbidden: true });
      expect(faults(byUser).join()).toContain('only the role ADMIN');
    }
  });

  it('is not what a slip of the hand is: that is told to anybody', () => {
    const refused = write({ ...KEYS, connectionType: 'ACESS_KEY', api_key: SECRET }, undefined, { byAdmin: false });
    expect(refused).not.toHaveProperty('forbidden');
    expect(faults(refused)).toEqual([expect.stringContaining('configuration.connectionType: ')]);
  });
});
