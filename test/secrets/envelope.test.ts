import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnvelopeError, keyIdOf, type SecretPlace, seal, unseal } from '../../src/secrets/envelope.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';

const entry = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString('base64')}`;
const keyring = parseKeyring(entry('one', 1));
const place: SecretPlace = { kind: 'integrations', record: 'main', field: 'configuration.api_key' };

function kindOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    return error instanceof EnvelopeError ? error.kind : `another error: ${String(error)}`;
  }
  return 'opened';
}

describe('an envelope', () => {
  it('opens to what was sealed, whatever it was and wherever it stands', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, text, text, (secret, kind, record, field) => {
        // A lone surrogate has no UTF-8.
        fc.pre(secret.isWellFormed());
        const envelope = seal(secret, { kind, record, field }, keyring);
        expect(envelope).toMatch(/^enc:v1:one:[\w+/]+=*$/);
        expect(unseal(envelope, { kind, record, field }, keyring)).toBe(secret);
      }),
    );
  });

  it('is another one each time', () => {
    expect(seal('same', place, keyring)).not.toBe(seal('same', place, keyring));
  });

  it.each([
    ['record', { ...place, record: 'other' }],
    ['field', { ...place, field: 'configuration.externalId' }],
    ['kind', { ...place, kind: 'models' }],
    ['division of the same letters', { kind: 'integrations', record: 'mainconfiguration', field: '.api_key' }],
  ])('does not open in another %s', (_, elsewhere) => {
    const envelope = seal('secret', place, keyring);
    expect(kindOf(() => unseal(envelope, elsewhere, keyring))).toBe('forged');
  });

  it('does not open in a record whose long name differs only at its end', () => {
    const envelope = seal('secret', { ...place, record: `${'x'.repeat(2_000)}a` }, keyring);
    expect(kindOf(() => unseal(envelope, { ...place, record: `${'x'.repeat(2_000)}b` }, keyring))).toBe('forged');
  });

  it('does not open once any of its bytes is altered', () => {
    const envelope = seal('secret', place, keyring);
    const bytes = Buffer.from(envelope.split(':')[3] ?? '', 'base64');
    for (const index of bytes.keys()) {
      const altered = Buffer.from(bytes);
      altered[index] = (altered[index] ?? 0) ^ 1;
      expect(kindOf(() => unseal(`enc:v1:one:${altered.toString('base64')}`, place, keyring))).toBe('forged');
    }
  });

  it('opens under an older key once a newer one seals', () => {
    const rotated = parseKeyring(`${entry('two', 2)},${entry('one', 1)}`);
    const old = seal('secret', place, keyring);
    expect(unseal(old, place, rotated)).toBe('secret');
    expect(keyIdOf(seal('secret', place, rotated))).toBe('two');
  });

  it('names the key that is missing', () => {
    const envelope = seal('secret', place, keyring);
    expect(() => unseal(envelope, place, parseKeyring(entry('two', 2)))).toThrow('"one"');
    expect(kindOf(() => unseal(envelope, place, parseKeyring(undefined)))).toBe('missing-key');
  });

  it('does not open with another key of the same id', () => {
    expect(kindOf(() => unseal(seal('secret', place, keyring), place, parseKeyring(entry('one', 9))))).toBe('forged');
  });

  it.each(['enc:', 'enc:v2:one:AAAA', 'enc:v1:one:', 'enc:v1:one:AAAA', 'enc:v1:one:!', 'secret'])(
    'is malformed as %s',
    (text) => {
      expect(kindOf(() => unseal(text, place, keyring))).toBe('malformed');
      expect(keyIdOf(text)).toBeUndefined();
    },
  );

  it('is not made without a key', () => {
    expect(() => seal('secret', place, parseKeyring(undefined))).toThrow('ENCRYPTION_KEYS');
  });
});
