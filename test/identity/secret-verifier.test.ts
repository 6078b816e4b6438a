import { scryptSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { createSecretVerifier, type SecretVerifier } from '../../src/identity/secret-verifier.ts';

/** A cheap one, so that failing often takes no time. */
const SALT = Buffer.alloc(16, 1);
const HASH = scryptSync('right', SALT, 32, { N: 16, r: 1, p: 1 }).toString('base64url');
const hash = `scrypt:v1:16:1:1:${SALT.toString('base64url')}:${HASH}`;
let now = 0;
let verifier: SecretVerifier;
/** Hashes that are being looked up, and how many at once at most. */
const seen = { open: 0, most: 0, asked: 0 };

beforeEach(() => {
  now = 1_000_000;
  Object.assign(seen, { open: 0, most: 0, asked: 0 });
  verifier = createSecretVerifier({ hashOf, now: () => now });
});

async function hashOf(keyId: string): Promise<string | undefined> {
  seen.asked += 1;
  seen.open += 1;
  seen.most = Math.max(seen.most, seen.open);
  await new Promise((resolve) => setImmediate(resolve));
  seen.open -= 1;
  return keyId.startsWith('key') ? hash : undefined;
}

const attempt = (secret: string, { key = 'key-1', address = '10.0.0.1' } = {}) =>
  verifier.verify({ keyId: key, secret, address });

async function fail(times: number, where: { key?: string; address?: string } = {}): Promise<void> {
  for (let n = 0; n < times; n += 1) expect(await attempt('wrong', where)).toBe(false);
}

const refusal = (promise: Promise<unknown>): Promise<ServiceError> =>
  promise.then(
    () => {
      throw new Error('not refused');
    },
    (error: unknown) => {
      if (!(error instanceof ServiceError)) throw error;
      return error;
    },
  );

describe('a secret', () => {
  it('is right or wrong; that of a key that is not there is wrong', async () => {
    expect(await attempt('right')).toBe(true);
    expect(await attempt('wrong')).toBe(false);
    expect(await attempt('right', { key: 'unknown' })).toBe(false);
  });
});

describe('many at once', () => {
  it('are compared two at a time, 32 wait, and the others are told to come back', async () => {
    const answers = await Promise.allSettled(Array.from({ length: 40 }, () => attempt('right')));
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as ServiceError] : []));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(34);
    expect(refused).toHaveLength(6);
    for (const { code, retryable, retryAfterSeconds } of refused) {
      expect({ code, retryable, retryAfterSeconds }).toEqual({
        code: 'TOO_MANY_REQUESTS',
        retryable: true,
        retryAfterSeconds: 1,
      });
    }
    expect(seen.most).toBe(2);
    expect(await attempt('right')).toBe(true);
  });
});

describe('failures', () => {
  it('of a key end its attempts until the minute is over, whatever the address, and nothing is compared', async () => {
    await fail(10);
    now += 20_500;
    const asked = seen.asked;
    for (const address of ['10.0.0.1', '10.0.0.2']) {
      expect(await refusal(attempt('right', { address }))).toMatchObject({
        code: 'TOO_MANY_REQUESTS',
        retryAfterSeconds: 40,
      });
    }
    expect(seen.asked).toBe(asked);
    expect(await attempt('right', { key: 'key-2' })).toBe(true);
    now += 39_500;
    expect(await attempt('right')).toBe(true);
  });

  it('of a key that is not there count the same: nobody learns which keys there are', async () => {
    await fail(10, { key: 'unknown' });
    const unknown = await refusal(attempt('wrong', { key: 'unknown' }));
    await fail(10, { key: 'key-1' });
    expect((await refusal(attempt('wrong'))).message).toBe(unknown.message);
  });

  it('of an address end its attempts, with whatever key', async () => {
    for (let key = 0; key < 10; key += 1) await fail(5, { key: `key-${key}` });
    expect(await refusal(attempt('right', { key: 'key-new' }))).toMatchObject({ retryAfterSeconds: 60 });
    expect(await attempt('right', { key: 'key-new', address: '10.0.0.2' })).toBe(true);
  });

  it('of a key are forgotten once it is right', async () => {
    await fail(9, { address: 'one' });
    expect(await attempt('right', { address: 'one' })).toBe(true);
    await fail(9, { address: 'two' });
    expect(await attempt('right', { address: 'three' })).toBe(true);
    for (let round = 0; round < 2; round += 1) {
      await fail(9, { address: 'three' });
      expect(await attempt('right', { address: 'three' })).toBe(true);
    }
  });

  it('made while a key is refused do not make it longer', async () => {
    await fail(10);
    for (let n = 0; n < 20; n += 1) await refusal(attempt('wrong'));
    now += 60_000;
    expect(await attempt('right')).toBe(true);
  });

  it('of strangers do not keep the owner out where the secret was right before', async () => {
    expect(await attempt('right', { address: 'home' })).toBe(true);
    await fail(10, { address: 'elsewhere' });
    await refusal(attempt('right', { address: 'elsewhere' }));
    expect(await attempt('right', { address: 'home' })).toBe(true);
  });

  it('from that very place are counted, too', async () => {
    expect(await attempt('right', { address: 'home' })).toBe(true);
    await fail(10, { address: 'home' });
    expect(await refusal(attempt('right', { address: 'home' }))).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  });

  it('elsewhere count against a place that is known for a day only', async () => {
    expect(await attempt('right', { address: 'home' })).toBe(true);
    now += 24 * 3_600_000;
    await fail(10, { address: 'elsewhere' });
    await refusal(attempt('right', { address: 'home' }));
  });
});
