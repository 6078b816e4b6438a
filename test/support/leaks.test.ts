import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findLeaks } from './leaks.ts';

const SECRET = 'a/night+in"gale\\of ünrest';
const found = (text: string) => findLeaks({ log: text }, { key: SECRET }).map(({ form }) => form);

describe('a secret is found', () => {
  it.each([
    ['as it is', SECRET],
    ['in JSON', JSON.stringify({ api_key: SECRET })],
    ['in JSON within JSON', JSON.stringify({ record: JSON.stringify({ api_key: SECRET }) })],
    ['in a URL', `https://x/?k=${encodeURIComponent(SECRET)}`],
    ['in a URL, in small letters', `https://x/?k=${encodeURIComponent(SECRET).toLowerCase()}`],
    ['in hexadecimal', `0x${Buffer.from(SECRET).toString('hex').toUpperCase()}`],
    ['in the head of Basic authentication', `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}`],
  ])('%s', (_, text) => {
    expect(found(text)).toHaveLength(1);
  });

  it('in base64 of either alphabet, whatever stands around it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.constantFrom('base64', 'base64url'), (before, after, encoding) => {
        const text = Buffer.from(before + SECRET + after).toString(encoding as 'base64' | 'base64url');
        expect(found(text)).toHaveLength(1);
      }),
    );
  });
});

it('what is no secret is not found', () => {
  expect(found('a night in gale of rest enc:v1:k:AAAA')).toEqual([]);
  expect(() => findLeaks({ log: '' }, { key: 'short' })).toThrow('too short');
});
