import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createTokenPins } from '../../../src/cluster/token-pins.ts';
import { type KeyNames, keyNames } from '../../../src/redis/keys.ts';
import type {} from '../../support/redis-for-all.ts';
import { freshPrefix } from '../support/live-catalog.ts';

let redis: Redis;
let names: KeyNames;

beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());
beforeEach(() => {
  names = keyNames(freshPrefix());
});

const replica = () => createTokenPins({ redis, names });
const inAnHour = () => Date.now() + 3_600_000;

describe('a token for one workflow', () => {
  it('is the first instance’s, at every replica, whoever asks at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, instance) => replica().pin('jti', `workflow-${instance}`, inAnHour())),
    );
    expect(new Set(answers).size).toBe(1);
    expect(await replica().pin('jti', 'another', inAnHour())).toBe(answers[0]);
    expect(await replica().pin('jti-2', 'another', inAnHour())).toBe('another');
  });

  it('is kept for as long as the token lives, and holds nothing but the workflow', async () => {
    await replica().pin('jti', 'workflow-1', Date.now() + 90_000);
    expect(await redis.get(`${names.prefix}run:token:jti`)).toBe('workflow-1');
    const seconds = await redis.ttl(names.tokenPin('jti'));
    expect(seconds).toBeGreaterThan(60);
    expect(seconds).toBeLessThanOrEqual(90);
  });

  it('is asked for once by each replica: what is settled stays so', async () => {
    const pins = replica();
    await pins.pin('jti', 'workflow-1', inAnHour());
    await redis.del(names.tokenPin('jti'));
    expect(await pins.pin('jti', 'workflow-2', inAnHour())).toBe('workflow-1');
    expect(await redis.exists(names.tokenPin('jti'))).toBe(0);
  });

  it('is nobody’s while Redis does not answer, and asked for again', async () => {
    const away = new Redis('redis://127.0.0.1:1', {
      lazyConnect: true,
      enableOfflineQueue: false,
      retryStrategy: () => null,
    });
    away.on('error', () => undefined);
    await expect(createTokenPins({ redis: away, names }).pin('jti', 'workflow-1', inAnHour())).rejects.toThrow();
    expect(await redis.exists(names.tokenPin('jti'))).toBe(0);
  });
});
