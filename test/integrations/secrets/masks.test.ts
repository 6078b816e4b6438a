import { describe, expect, it } from 'vitest';
import type { IntegrationConfiguration } from '../../../src/integrations/integration.ts';
import { MASK, maskConfiguration, maskSecrets } from '../../../src/integrations/secrets/masks.ts';

const SECRET = 'hunter2-hunter2';

describe('an integration that a command shows', () => {
  const shown = (configuration: unknown) =>
    (maskSecrets({ type: 'x', configuration }) as { configuration: unknown }).configuration;

  it('masks secrets, bare and sealed, and the account, but no reference', () => {
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

describe('a configuration that the API shows', () => {
  const stored: IntegrationConfiguration = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA' };

  it.each([SECRET, 'enc:v1:k:x', 'env:KEY', 'file:key', 'enc:'])('masks a secret in any form: %s', (secret) => {
    const shown = maskConfiguration({ ...stored, api_key: secret, externalId: secret, awsAccountId: '111122223333' });
    expect(shown).toEqual({ ...stored, api_key: MASK, externalId: MASK, awsAccountId: MASK });
  });

  it('shows no mask where there is no value, which could not be written back', () => {
    const empty = { ...stored, api_key: null, awsAccountId: '' };
    expect(maskConfiguration(empty)).toEqual(empty);
    expect(maskConfiguration(stored)).toEqual(stored);
  });
});
