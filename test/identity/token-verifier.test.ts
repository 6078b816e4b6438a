import { createHmac, createPublicKey, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createTokenVerifier, type TokenWorld } from '../../src/identity/token-verifier.ts';
import { KEY, newSigner, type Signer, tokenOf, worldOf } from './support/signer.ts';

const signer = newSigner();
const world = worldOf(signer);

function verify(token: unknown, { audience = 'task' as 'task' | 'api', in: here = world, now = Date.now() } = {}) {
  return createTokenVerifier().verifyToken({ token, audience, world: here, now });
}

/** What our tokens say, to be altered. */
const CLAIMS = { uid: 'uid-1', key: 'key-1' };
function signed(claims: Record<string, unknown>, by: Signer = signer, header: Record<string, unknown> = {}) {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'EdDSA', kid: by.signingKey.kid, ...header })
    .sign(by.signingKey.privateKey);
}
const full = (more: Record<string, unknown> = {}) => ({
  ...CLAIMS,
  iss: signer.signingKey.issuer,
  sub: 'app:claims',
  aud: 'task',
  iat: 1,
  exp: 4_000_000_000,
  jti: 'j',
  ...more,
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token of this installation', () => {
  it('proves its application, and says what it is pinned to', async () => {
    const now = 1_800_000_000_000;
    const token = await tokenOf(signer, { now, workflow: 'claims_intake', once: true, expiresInSeconds: 60 });
    expect(await verify(token, { now })).toEqual({
      kind: 'valid',
      subject: { type: 'USER', id: 'app:claims' },
      applicationId: 'claims',
      accessKeyId: 'key-1',
      jti: expect.any(String),
      workflow: 'claims_intake',
      once: true,
      expiresAt: now + 60_000,
    });
  });

  it('expires to the second', async () => {
    const token = await tokenOf(signer, { now: 1_800_000_000_000, expiresInSeconds: 60 });
    expect((await verify(token, { now: 1_800_000_059_999 })).kind).toBe('valid');
    expect(await verify(token, { now: 1_800_000_060_000 })).toEqual({ kind: 'expired' });
  });

  it('is for its audience alone', async () => {
    const [api, task] = [await tokenOf(signer, { audience: 'api' }), await tokenOf(signer)];
    expect((await verify(api, { audience: 'api' })).kind).toBe('valid');
    expect(await verify(api)).toEqual({ kind: 'invalid', reason: 'it is not for the audience task' });
    expect(await verify(task, { audience: 'api' })).toEqual({
      kind: 'invalid',
      reason: 'it is not for the audience api',
    });
  });

  it('counts for nothing by roles that it claims', async () => {
    expect(await verify(await signed(full({ roles: ['ADMIN'] })))).not.toHaveProperty('roles');
  });
});

describe('a token that was altered', () => {
  it('is invalid, whichever of its characters it is', async () => {
    const token = await tokenOf(signer);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: token.length - 1 }),
        fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n'),
        async (at, character) => {
          fc.pre(token[at] !== character);
          const answer = await verify(token.slice(0, at) + character + token.slice(at + 1));
          expect(answer.kind).toBe('invalid');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('is invalid for every last character that decodes to the same signature', async () => {
    const token = await tokenOf(signer);
    const last = Buffer.from(token.slice(-2), 'base64url');
    const twins = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
      .map((character) => token.slice(0, -1) + character)
      .filter((twin) => twin !== token && Buffer.from(twin.slice(-2), 'base64url').equals(last));
    expect(twins.length).toBeGreaterThan(0);
    for (const twin of twins) expect((await verify(twin)).kind).toBe('invalid');
  });

  it('is invalid with anything before, after or within it', async () => {
    const token = await tokenOf(signer);
    for (const other of [
      ` ${token}`,
      `${token} `,
      `${token}=`,
      `${token}.`,
      `Bearer ${token}`,
      token.replace('.', '..'),
    ])
      expect((await verify(other)).kind).toBe('invalid');
  });

  it('is invalid where its claims are of another token', async () => {
    const [mine, other] = [await tokenOf(signer), await tokenOf(signer)].map((token) => token.split('.'));
    expect((await verify([mine?.[0], other?.[1], mine?.[2]].join('.'))).kind).toBe('invalid');
  });
});

describe('a token that somebody else made', () => {
  const header = (alg: string) => encode({ alg, kid: signer.signingKey.kid, typ: 'JWT' });

  it('is invalid without a signature (alg none)', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      const unsigned = `${header(alg)}.${encode(full())}`;
      for (const token of [`${unsigned}.`, unsigned, `${unsigned}.AA`])
        expect((await verify(token)).kind).toBe('invalid');
    }
  });

  it('is invalid with the public key as the secret of HS256', async () => {
    const pem = createPublicKey(signer.signingKey.privateKey).export({ type: 'spki', format: 'pem' });
    const secrets = [pem, signer.record.publicKey.x, Buffer.from(signer.record.publicKey.x, 'base64url')];
    for (const secret of secrets) {
      const unsigned = `${header('HS256')}.${encode(full())}`;
      const mac = createHmac('sha256', secret).update(unsigned).digest('base64url');
      expect((await verify(`${unsigned}.${mac}`)).kind).toBe('invalid');
    }
  });

  it('is invalid by the other name of the same algorithm: one is pinned', async () => {
    expect((await verify(await signed(full(), signer, { alg: 'Ed25519' }))).kind).toBe('invalid');
    expect((await verify(await signed(full()))).kind).toBe('valid');
  });

  it('is invalid under a key of its own, and by a key that it brings along', async () => {
    const stranger = newSigner({ kid: signer.signingKey.kid, issuer: signer.signingKey.issuer });
    expect((await verify(await tokenOf(stranger))).kind).toBe('invalid');
    const jwk = stranger.record.publicKey;
    expect((await verify(await signed(full(), stranger, { jwk }))).kind).toBe('invalid');
    expect((await verify(await tokenOf(newSigner()))).kind).toBe('invalid');
  });

  it('is invalid as one of another key of the installation', async () => {
    const second = newSigner({ issuer: signer.signingKey.issuer });
    const both = worldOf(signer, {
      tokenKeys: { [signer.signingKey.kid]: signer.record, [second.signingKey.kid]: second.record },
    });
    expect((await verify(await tokenOf(second), { in: both })).kind).toBe('valid');
    const swapped = { ...second, signingKey: { ...second.signingKey, kid: signer.signingKey.kid } };
    expect((await verify(await tokenOf(swapped), { in: both })).kind).toBe('invalid');
  });

  it('is invalid for another issuer than its key’s', async () => {
    expect((await verify(await signed(full({ iss: randomUUID() })))).kind).toBe('invalid');
  });

  it.each([
    ['no audience', { aud: undefined }],
    ['several audiences', { aud: ['task', 'api'] }],
    ['no end', { exp: undefined }],
    ['an end that is text', { exp: '4000000000' }],
    ['no id', { jti: undefined }],
    ['no access key', { key: undefined }],
    ['no uid', { uid: undefined }],
    ['a user', { sub: 'alice@example.com' }],
    ['nobody', { sub: 'app:' }],
  ])('is invalid with %s, even if our key had signed it', async (_, claims) => {
    expect((await verify(await signed(full(claims)))).kind).toBe('invalid');
  });

  it('is invalid, and never repeated, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.jsonValue(), fc.string(), fc.stringMatching(/^SEKRET[\w.-]{0,40}$/)),
        async (token) => {
          const answer = await verify(token);
          expect(answer.kind).toBe('invalid');
          expect(JSON.stringify(answer)).not.toContain('SEKRET');
        },
      ),
    );
  });
});

describe('the records of the moment', () => {
  const judge = async (in_: TokenWorld) => verify(await tokenOf(signer), { in: in_ });

  it.each<[string, Parameters<typeof worldOf>[1], string]>([
    ['its access key is gone', { accessKeys: {} }, 'its access key does not exist (any more)'],
    [
      'its access key is off',
      { accessKeys: { 'key-1': { ...KEY, enabled: false } } },
      'its access key is switched off',
    ],
    [
      'its access key is of another application',
      { accessKeys: { 'key-1': { ...KEY, application: 'other' } } },
      'its access key is of another application',
    ],
    ['its application is gone', { applications: {} }, 'its application does not exist (any more)'],
    [
      'its application was made anew',
      { applications: { claims: { uid: 'uid-2' } } },
      'its application was deleted; the one of that name is another',
    ],
    [
      'its application has no uid',
      { applications: { claims: { uid: undefined } } },
      'its application was deleted; the one of that name is another',
    ],
    [
      'its application was made anew, and the key with it',
      { applications: { claims: { uid: 'uid-2' } }, accessKeys: { 'key-1': { ...KEY, applicationUid: 'uid-2' } } },
      'its application was deleted; the one of that name is another',
    ],
    [
      'its access key was made for the application before',
      { accessKeys: { 'key-1': { ...KEY, applicationUid: 'uid-0' } } },
      'its application was deleted; the one of that name is another',
    ],
    ['the signing key is gone', { tokenKeys: {} }, 'the key that signed it is none of this installation'],
  ])('make it invalid where %s', async (_, records, reason) => {
    expect(await judge(worldOf(signer, records))).toEqual({ kind: 'invalid', reason });
  });

  it('count each time, though the signature is looked at once', async () => {
    const verifier = createTokenVerifier();
    const token = await tokenOf(signer);
    const kindIn = async (here: TokenWorld, now = Date.now()) =>
      (await verifier.verifyToken({ token, audience: 'task', world: here, now })).kind;
    expect(await kindIn(world)).toBe('valid');
    expect(await kindIn(worldOf(signer, { accessKeys: { 'key-1': { ...KEY, enabled: false } } }))).toBe('invalid');
    expect(await kindIn(worldOf(signer, { tokenKeys: {} }))).toBe('invalid');
    const replaced = newSigner({ issuer: signer.signingKey.issuer }).record;
    expect(await kindIn(worldOf(signer, { tokenKeys: { [signer.signingKey.kid]: replaced } }))).toBe('invalid');
    const renamed = { ...signer.record, issuer: 'another' };
    expect(await kindIn(worldOf(signer, { tokenKeys: { [signer.signingKey.kid]: renamed } }))).toBe('invalid');
    expect(await kindIn(world, 4_000_000_000_000)).toBe('expired');
    expect(await kindIn(world)).toBe('valid');
  });

  it('are not asked for what is not proven, nor is a proof made anew that stands', async () => {
    const verifier = createTokenVerifier();
    const token = await tokenOf(signer);
    const proof = await verifier.prove(token, world);
    expect(await verifier.prove(token, world)).toBe(proof);
    expect(await verifier.prove(`${token}x`, world)).not.toBe(proof);
    expect(await verifier.prove(await tokenOf(newSigner()), world)).toMatchObject({ unknownKey: expect.any(String) });
  });
});
