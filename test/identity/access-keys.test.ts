import { createHook } from 'node:async_hooks';
import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hashSecret, newAccessKey, verifySecret } from '../../src/identity/access-keys.ts';

const COST = { N: 16_384, r: 8, p: 1 };
const hashWith = (more: Partial<Record<'N' | 'r' | 'p' | 'salt' | 'hash', string | number>>): string => {
  const { N, r, p, salt, hash } = { ...COST, salt: 'A'.repeat(22), hash: 'A'.repeat(43), ...more };
  return `scrypt:v1:${N}:${r}:${p}:${salt}:${hash}`;
};

describe('an access key', () => {
  it('is a random UUID and 32 random bytes in base64url', () => {
    const [one, other] = [newAccessKey(), newAccessKey()];
    expect(one.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Buffer.from(one.secret, 'base64url')).toHaveLength(32);
    expect(one.secret).toMatch(/^[\w-]{43}$/);
    expect([one.id === other.id, one.secret === other.secret]).toEqual([false, false]);
  });
});

describe('the hash of a secret', () => {
  it('names its parameters, is salted, and does not hold the secret', async () => {
    const hashes = [await hashSecret('a secret'), await hashSecret('a secret')];
    for (const hash of hashes) {
      expect(hash).toMatch(/^scrypt:v1:16384:8:1:[\w-]{22}:[\w-]{43}$/);
      expect(hash).not.toContain('secret');
    }
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  it('is right for its secret and for nothing else', async () => {
    const hash = await hashSecret('a secret');
    expect(await verifySecret('a secret', hash)).toBe(true);
    for (const other of ['', 'a secre', 'a secret ', 'A secret', hash])
      expect(await verifySecret(other, hash)).toBe(false);
  });

  it('keeps working where another cost is chosen later: it stands in it', async () => {
    const salt = Buffer.alloc(16, 7);
    const cheap = scryptSync('x', salt, 32, { N: 16, r: 1, p: 1 }).toString('base64url');
    expect(await verifySecret('x', hashWith({ N: 16, r: 1, salt: salt.toString('base64url'), hash: cheap }))).toBe(
      true,
    );
    expect(await verifySecret('y', hashWith({ N: 16, r: 1, salt: salt.toString('base64url'), hash: cheap }))).toBe(
      false,
    );
  });

  it.each([
    ['is right', 'a secret', true],
    ['is wrong', 'another', true],
    ['is of no key', 'a secret', false],
  ])(
    'costs one scrypt where the secret %s: how long it takes tells nobody which keys there are',
    async (_, secret, is) => {
      const hash = is ? await hashSecret('a secret') : undefined;
      let scrypts = 0;
      const hook = createHook({
        init(_, type) {
          if (type === 'SCRYPTREQUEST') scrypts += 1;
        },
      }).enable();
      await verifySecret(secret, hash);
      hook.disable();
      expect(scrypts).toBe(1);
    },
  );

  it.each([
    ['none', undefined],
    ['empty', ''],
    ['another form', 'bcrypt:v1:…'],
    ['a cost that takes all memory', hashWith({ N: 2 ** 22 })],
    ['a block size that does', hashWith({ r: 99 })],
    ['a cost that scrypt does not take', hashWith({ N: 1_000 })],
    ['no cost', hashWith({ N: 0 })],
    ['a salt that is cut', hashWith({ salt: 'AA' })],
    ['a hash that is cut', hashWith({ hash: '' })],
  ])('is right for no secret where it is %s', async (_, hash) => {
    for (const secret of ['', 'a secret']) expect(await verifySecret(secret, hash)).toBe(false);
  });
});
