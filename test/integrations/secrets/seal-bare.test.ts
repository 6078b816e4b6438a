import { describe, expect, it } from 'vitest';
import { sealBareSecrets } from '../../../src/integrations/secrets/seal-bare.ts';
import { secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { keyIdOf, seal, unseal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';

const KEYRING = parseKeyring(encryptionKeys('new', 'old'));
const PLACE = secretPlace('p', 'api_key');
const record = (configuration: Record<string, unknown>) => ({ type: 'aws_bedrock_cohere', configuration });
const sealedUnder = (id: string, secret: string, place = PLACE) =>
  seal(secret, place, parseKeyring(encryptionKeys(id)));

function sealedKey(stored: unknown, configuration: Record<string, unknown> = { api_key: 'bare' }): string {
  const sealed = sealBareSecrets('p', record(configuration), stored, KEYRING);
  return (sealed['configuration'] as { api_key: string }).api_key;
}

describe('a bare secret', () => {
  it('is sealed under the newest key, each for its field, and the rest stays', () => {
    const sealed = sealBareSecrets('p', record({ user: 'U', api_key: 'bare', externalId: 'id' }), undefined, KEYRING);
    const { api_key, externalId, user } = sealed['configuration'] as Record<string, string>;
    expect(unseal(api_key ?? '', PLACE, KEYRING)).toBe('bare');
    expect(unseal(externalId ?? '', secretPlace('p', 'externalId'), KEYRING)).toBe('id');
    expect([sealed['type'], user, keyIdOf(api_key ?? '')]).toEqual(['aws_bedrock_cohere', 'U', 'new']);
  });

  it('that is stored sealed under any key there is stays that envelope', () => {
    for (const id of ['new', 'old']) {
      const envelope = sealedUnder(id, 'bare');
      expect(sealedKey(record({ api_key: envelope }))).toBe(envelope);
    }
  });

  it.each([
    ['another secret', record({ api_key: sealedUnder('new', 'other') })],
    ['one under a key that is gone', record({ api_key: sealedUnder('gone', 'bare') })],
    ['one sealed for another field', record({ api_key: sealedUnder('new', 'bare', secretPlace('p', 'externalId')) })],
    ['the same one, bare', record({ api_key: 'bare' })],
    ['no envelope', record({ api_key: 'enc:v1:new:bare' })],
    ['no text', record({ api_key: ['bare'] })],
    ['no record', 'not JSON'],
    ['no configuration', { configuration: null }],
  ])('is sealed anew where what is stored is %s', (_, stored) => {
    const envelope = sealedKey(stored);
    expect(unseal(envelope, PLACE, KEYRING)).toBe('bare');
    expect(JSON.stringify(stored)).not.toContain(envelope);
  });

  it('stays bare where there is no key', () => {
    const bare = record({ api_key: 'bare' });
    expect(sealBareSecrets('p', bare, undefined, parseKeyring(undefined))).toBe(bare);
  });
});

it.each(['env:KEY', 'file:key', 'enc:v1:gone:AAAA'])('a secret in another form stays as it is: %s', (text) => {
  expect(sealedKey(undefined, { api_key: text })).toBe(text);
  expect(sealBareSecrets('p', record({ api_key: null }), undefined, KEYRING)).toEqual(record({ api_key: null }));
});
