import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { loadSnapshot } from '../../../src/catalog/load.ts';
import { loadSigningKey, type SigningKey } from '../../../src/identity/signing.ts';
import { createTokenVerifier } from '../../../src/identity/token-verifier.ts';
import { issueToken } from '../../../src/identity/tokens.ts';
import { type KeyNames, keyNames } from '../../../src/redis/keys.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import type {} from '../../support/redis-for-all.ts';
import { testTrail } from '../../support/trail.ts';
import { freshPrefix } from '../support/live-catalog.ts';

const [K1, K2] = [1, 2].map((number) => `k${number}:${randomBytes(32).toString('base64')}`);
const keyring = parseKeyring(K1);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let redis: Redis;
let names: KeyNames;

beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());
beforeEach(() => {
  names = keyNames(freshPrefix());
});

const load = (ring = keyring, by: Redis = redis) =>
  loadSigningKey({ redis: by, names, keyring: ring, trail: testTrail(names) });
const privateOf = ({ privateKey }: SigningKey) => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

describe('the key that signs tokens', () => {
  it('is made once: eight who begin at the same time have one and the same, and one issuer', async () => {
    const connections = Array.from({ length: 8 }, () => new Redis(inject('redisUrl')));
    try {
      const keys = await Promise.all(connections.map((connection) => load(keyring, connection)));
      expect(new Set(keys.map(({ kid }) => kid)).size).toBe(1);
      expect(new Set(keys.map(({ issuer }) => issuer)).size).toBe(1);
      expect(new Set(keys.map(privateOf)).size).toBe(1);
      expect(await redis.hlen(names.admin.signing)).toBe(1);
      expect(await redis.hlen(names.hash('token-keys'))).toBe(1);
    } finally {
      for (const connection of connections) connection.disconnect();
    }
  });

  it('is still the same at the next start', async () => {
    const [first, second] = [await load(), await load()];
    expect([second.kid, second.issuer, privateOf(second)]).toEqual([first.kid, first.issuer, privateOf(first)]);
    expect([first.kid, first.issuer]).toEqual([expect.stringMatching(UUID), expect.stringMatching(UUID)]);
  });

  it('stands sealed under admin, and its public half where workers read', async () => {
    const key = await load();
    const sealed = await redis.hget(names.admin.signing, key.kid);
    expect(sealed).toMatch(/^enc:v1:k1:/);
    const everything = JSON.stringify([
      await redis.hgetall(names.admin.signing),
      await redis.hgetall(names.hash('token-keys')),
    ]);
    const { d = 'none' } = key.privateKey.export({ format: 'jwk' });
    for (const secret of [privateOf(key).split('\n')[1] ?? 'none', d]) expect(everything).not.toContain(secret);
    const snapshot = await loadSnapshot(redis, names);
    expect(snapshot.tokenKey(key.kid)).toMatchObject({ issuer: key.issuer, publicKey: { kty: 'OKP', crv: 'Ed25519' } });
    expect([...snapshot.faults()]).toEqual([]);
  });

  it('signs what workers take for proven', async () => {
    const signingKey = await load();
    const application = { id: 'claims', uid: 'u' };
    const key = { application: 'claims', applicationUid: 'u', enabled: true, createdAt: 0 };
    await redis.hset(names.hash('applications'), 'claims', '{"uid":"u"}');
    await redis.hset(names.hash('access-keys'), 'key-1', JSON.stringify(key));
    const { token } = await issueToken({ signingKey, application, accessKeyId: 'key-1', audience: 'task' });
    const world = await loadSnapshot(redis, names);
    expect((await createTokenVerifier().verifyToken({ token, audience: 'task', world })).kind).toBe('valid');
  });

  it('is the newest that opens, where there are several', async () => {
    const old = await load();
    const other = keyNames(freshPrefix());
    const newer = await loadSigningKey({ redis, names: other, keyring: parseKeyring(K2), trail: testTrail(other) });
    const record = JSON.parse((await redis.hget(other.hash('token-keys'), newer.kid)) ?? '') as object;
    await redis.hset(names.hash('token-keys'), newer.kid, JSON.stringify({ ...record, createdAt: Date.now() + 1_000 }));
    await redis.hset(names.admin.signing, newer.kid, (await redis.hget(other.admin.signing, newer.kid)) ?? '');
    expect((await load()).kid).toBe(old.kid);
    expect((await load(parseKeyring(`${K2},${K1}`))).kid).toBe(newer.kid);
  });

  it('is made anew, for the same installation, where its private half was lost', async () => {
    const first = await load();
    await redis.del(names.admin.signing);
    const second = await load();
    expect(second.kid).not.toBe(first.kid);
    expect(second.issuer).toBe(first.issuer);
    expect((await load()).kid).toBe(second.kid);
  });

  it('is made anew where its public half was taken away, which ends its tokens', async () => {
    const first = await load();
    await redis.del(names.hash('token-keys'));
    expect((await load()).kid).not.toBe(first.kid);
  });
});

describe('a key that cannot be used', () => {
  const wrong = (ring = keyring) => load(ring).catch((error: unknown) => error);

  it('names the encryption key that is missing, and is not replaced', async () => {
    await load();
    const before = await redis.hgetall(names.admin.signing);
    expect(await wrong(parseKeyring(K2))).toMatchObject({
      code: 'CONFIG_INVALID',
      field: 'ENCRYPTION_KEYS',
      message: expect.stringContaining('has no key "k1"'),
    });
    expect(await redis.hgetall(names.admin.signing)).toEqual(before);
  });

  it('says how to make an encryption key where there is none, and writes nothing', async () => {
    expect(await wrong(parseKeyring(undefined))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('openssl rand -base64 32'),
    });
    expect(await redis.keys(`${names.prefix}*`)).toEqual([]);
  });

  it.each([
    [
      'another installation’s public half',
      { publicKey: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } },
      'not of one pair',
    ],
    ['a public half that cannot be read', { publicKey: 'SEKRET' }, 'cannot be read'],
  ])('is one with %s: said, and never signed with', async (_, change, words) => {
    const { kid } = await load();
    const record = JSON.parse((await redis.hget(names.hash('token-keys'), kid)) ?? '') as object;
    await redis.hset(names.hash('token-keys'), kid, JSON.stringify({ ...record, ...change }));
    const error = await wrong();
    expect(error).toMatchObject({ code: 'RECORD_INVALID', message: expect.stringContaining(words) });
    expect((error as Error).message).not.toContain('SEKRET');
  });

  it('is one that was sealed for another place', async () => {
    const { kid } = await load();
    const sealed = (await redis.hget(names.admin.signing, kid)) ?? '';
    const record = (await redis.hget(names.hash('token-keys'), kid)) ?? '';
    await redis.del(names.admin.signing, names.hash('token-keys'));
    await redis.hset(names.admin.signing, 'moved', sealed);
    await redis.hset(names.hash('token-keys'), 'moved', record);
    expect(await wrong()).toMatchObject({ code: 'RECORD_INVALID', message: expect.stringContaining('field moved') });
  });

  it('is none of which half was written: a key of another type writes nothing', async () => {
    await redis.set(names.admin.signing, 'x');
    await expect(load()).rejects.toThrow('WRONGTYPE');
    await redis.del(names.admin.signing);
    await redis.set(names.hash('token-keys'), 'x');
    await expect(load()).rejects.toThrow('WRONGTYPE');
    expect(await redis.exists(names.admin.signing)).toBe(0);
  });
});
