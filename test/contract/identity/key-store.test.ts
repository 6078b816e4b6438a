import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { loadSnapshot } from '../../../src/catalog/load.ts';
import { verifySecret } from '../../../src/identity/access-keys.ts';
import { accessKeysOf, createAccessKey, keyHashOf } from '../../../src/identity/key-store.ts';
import { type KeyNames, keyNames } from '../../../src/redis/keys.ts';
import type {} from '../../support/redis-for-all.ts';
import { testTrail } from '../../support/trail.ts';
import { freshPrefix } from '../support/live-catalog.ts';

let redis: Redis;
let names: KeyNames;

beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());
beforeEach(async () => {
  names = keyNames(freshPrefix());
  await redis.hset(names.hash('applications'), 'claims', '{"name":"Claims","workflows":["claims_*"]}');
});

const store = () => ({ redis, names, trailNow: () => testTrail(names) });
const create = (applicationId = 'claims') => createAccessKey(store(), { applicationId, by: 'app:root' });
const applicationNow = async () => JSON.parse((await redis.hget(names.hash('applications'), 'claims')) ?? '');

describe('a new access key', () => {
  it('is of its application, is switched on, and its secret is kept as a hash only, under admin', async () => {
    const { id, secret } = await create();
    const snapshot = await loadSnapshot(redis, names);
    expect(snapshot.accessKey(id)).toEqual({
      application: 'claims',
      applicationUid: (await applicationNow()).uid,
      enabled: true,
      createdAt: expect.any(Number),
      createdBy: 'app:root',
    });
    expect(await verifySecret(secret, await keyHashOf(store(), id))).toBe(true);
    for (const key of await redis.keys(`${names.prefix}*`)) {
      const held = await (key === names.audit ? redis.xrange(key, '-', '+') : redis.hgetall(key));
      expect(JSON.stringify(held), key).not.toContain(secret);
      if (key !== names.admin.keyHashes) expect(JSON.stringify(held), key).not.toContain('scrypt');
    }
  });

  it('gives its application a uid, once, and leaves the rest of its record as it was', async () => {
    await create();
    const { uid, ...rest } = await applicationNow();
    expect(uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(rest).toEqual({ name: 'Claims', workflows: ['claims_*'] });
    await create();
    expect((await applicationNow()).uid).toBe(uid);
  });

  it('agrees with the others on the uid where eight are made at once', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => create()));
    const snapshot = await loadSnapshot(redis, names);
    const uids = keys.map(({ id }) => snapshot.accessKey(id)?.applicationUid);
    expect(new Set(uids)).toEqual(new Set([(await applicationNow()).uid]));
  });

  it.each([
    ['that does not exist', 'other', 'NOT_FOUND'],
    ['whose record cannot be read', 'broken', 'RECORD_INVALID'],
  ])('is not made for an application %s', async (_, applicationId, code) => {
    await redis.hset(names.hash('applications'), 'broken', '{"nam":"SEKRET"}');
    const error = await create(applicationId).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain('SEKRET');
    expect(await redis.exists(names.hash('access-keys'), names.admin.keyHashes)).toBe(0);
  });
});

describe('an access key', () => {
  it('is listed with the others of its application, the oldest first', async () => {
    const [first, second] = [await create(), await create()];
    await redis.hset(names.hash('applications'), 'other', '{}');
    await create('other');
    const listed = accessKeysOf(await loadSnapshot(redis, names), 'claims');
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set([first.id, second.id]));
    expect(listed.map(({ record }) => record.createdAt)).toEqual(
      listed.map(({ record }) => record.createdAt).sort((one, other) => one - other),
    );
  });
});
