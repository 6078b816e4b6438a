import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { AUDIENCES, issueToken, LIFETIMES, type TokenRequest } from '../../src/identity/tokens.ts';
import { newSigner } from './support/signer.ts';

const signer = newSigner();
const NOW = 1_800_000_000_123;
const ask = (more: Partial<TokenRequest> = {}) =>
  issueToken({
    signingKey: signer.signingKey,
    application: { id: 'claims', uid: 'uid-1' },
    accessKeyId: 'key-1',
    audience: 'task',
    now: NOW,
    ...more,
  });

describe('a token', () => {
  it('is an EdDSA JWT that says whom it proves, by which key, for what and for how long, and no roles', async () => {
    const { token, jti, expiresAt } = await ask({ workflow: 'claims_intake', once: true });
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', kid: signer.signingKey.kid, typ: 'JWT' });
    expect(decodeJwt(token)).toEqual({
      iss: signer.signingKey.issuer,
      sub: 'app:claims',
      aud: 'task',
      iat: 1_800_000_000,
      exp: 1_800_003_600,
      jti,
      uid: 'uid-1',
      key: 'key-1',
      wf: 'claims_intake',
      once: true,
    });
    expect(expiresAt).toBe(1_800_003_600_000);
  });

  it('is another one each time', async () => {
    expect((await ask()).jti).not.toBe((await ask()).jti);
  });

  it.each(AUDIENCES)('for %s lives for an hour where nothing else is said', async (audience) => {
    expect((await ask({ audience })).expiresAt).toBe(1_800_003_600_000);
  });

  it.each([
    ['api', 3_600],
    ['task', 604_800],
  ] as const)('for %s lives for %i s at most', async (audience, atMost) => {
    expect(LIFETIMES[audience].atMost).toBe(atMost);
    expect((await ask({ audience, expiresInSeconds: atMost })).expiresAt).toBe(1_800_000_000_000 + atMost * 1_000);
    for (const expiresInSeconds of [atMost + 1, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(ask({ audience, expiresInSeconds })).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        field: 'expiresInSeconds',
      });
    }
  });

  it('is pinned to a workflow only where it is for tasks', async () => {
    await expect(ask({ audience: 'api', workflow: 'w' })).rejects.toMatchObject({ field: 'workflow' });
    await expect(ask({ audience: 'api', once: true })).rejects.toMatchObject({ field: 'once' });
    for (const workflow of ['', 'w'.repeat(256)])
      await expect(ask({ workflow })).rejects.toMatchObject({ field: 'workflow' });
  });
});
