import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseKeyring } from '../../src/secrets/keyring.ts';

const key = (byte: number) => Buffer.alloc(32, byte).toString('base64');

describe('a keyring', () => {
  it('has the newest key first and finds every other', () => {
    const keyring = parseKeyring(`2026-11:${key(1)}, 2025:${key(2)}`);
    expect(keyring.newest?.id).toBe('2026-11');
    expect(keyring.ids).toEqual(['2026-11', '2025']);
    expect(keyring.find('2025')?.export()).toEqual(Buffer.alloc(32, 2));
    expect(keyring.find('2024')).toBeUndefined();
  });

  it('shows no key where it is printed', () => {
    const keyring = parseKeyring(`a:${key(7)}`);
    expect(`${inspect(keyring, { depth: 9 })} ${JSON.stringify(keyring)}`).not.toMatch(/07|BwcH/);
  });

  it.each([undefined, ''])('is empty where ENCRYPTION_KEYS is %j', (text) => {
    expect(parseKeyring(text)).toMatchObject({ newest: undefined, ids: [] });
  });

  it.each([
    ['a key of another length', `a:${Buffer.alloc(31).toString('base64')}`, 'entry 1'],
    ['no id', key(1), 'entry 1'],
    ['an empty entry', `a:${key(1)},`, 'entry 2'],
    ['an id said twice', `a:${key(1)},a:${key(2)}`, 'entry 2'],
  ])('refuses %s by its place and never repeats it', (_, text, place) => {
    expect(() => parseKeyring(text)).toThrow(place);
    expect(() => parseKeyring(text)).not.toThrow(key(1));
  });
});
