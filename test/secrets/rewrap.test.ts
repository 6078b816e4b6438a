import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyIdOf, type SecretPlace, seal, unseal } from '../../src/secrets/envelope.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';
import { rewrap } from '../../src/secrets/rewrap.ts';
import { encryptionKeys } from '../support/encryption-keys.ts';

const keyring = (...ids: string[]) => parseKeyring(encryptionKeys(...ids));
const place: SecretPlace = { kind: 'integrations', record: 'main', field: 'configuration.api_key' };

describe('rewrapping', () => {
  it('keeps the secret, whatever it is, opens with the newest key alone, and is over after once', () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,5}$/), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(fc.string(), ids, fc.nat(), (secret, [newest = '', ...old], at) => {
        const from = old[at % old.length] ?? '';
        const rewrapped = rewrap(seal(secret, place, keyring(from)), place, keyring(newest, ...old));
        if (rewrapped.kind !== 'rewrapped') throw new Error(rewrapped.kind);
        expect(rewrapped.from).toBe(from);
        expect(keyIdOf(rewrapped.envelope)).toBe(newest);
        expect(unseal(rewrapped.envelope, place, keyring(newest))).toBe(secret);
        expect(rewrap(rewrapped.envelope, place, keyring(newest, ...old))).toEqual({ kind: 'current' });
      }),
    );
  });

  it.each([
    ['a key that is missing', seal('hush', place, keyring('gone')), 'gone', 'missing-key'],
    ['another place', seal('hush', { ...place, record: 'other' }, keyring('old')), 'old', 'forged'],
    [
      'another place, under the newest key',
      seal('hush', { ...place, record: 'other' }, keyring('new')),
      'new',
      'forged',
    ],
    ['an unknown form', 'enc:v2:old:aGVsbG8=', undefined, 'malformed'],
    ['no envelope at all', 'hush', undefined, 'malformed'],
  ])('says what is wrong with an envelope of %s, and no secret', (_, envelope, from, kind) => {
    const failed = rewrap(envelope, place, keyring('new', 'old'));
    expect(failed).toMatchObject({ kind: 'failed', from, reason: { kind } });
    expect(JSON.stringify(failed) + String((failed as { reason: Error }).reason)).not.toContain('hush');
  });
});
