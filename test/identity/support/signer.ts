/** A signing key as an installation has one, without a Redis, and the records by which its tokens are judged. */
import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import type { AccessKey, TokenKey } from '../../../src/identity/records.ts';
import type { SigningKey } from '../../../src/identity/signing.ts';
import type { TokenWorld } from '../../../src/identity/token-verifier.ts';
import { issueToken, type TokenRequest } from '../../../src/identity/tokens.ts';

export interface Signer {
  readonly signingKey: SigningKey;
  /** What workers know of it. */
  readonly record: TokenKey;
}

export function newSigner({
  kid = randomUUID() as string,
  issuer = randomUUID() as string,
}: {
  kid?: string;
  issuer?: string;
} = {}): Signer {
  const { privateKey } = generateKeyPairSync('ed25519');
  const x = createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '';
  return {
    signingKey: { kid, issuer, privateKey },
    record: { issuer, publicKey: { kty: 'OKP', crv: 'Ed25519', x }, createdAt: 0 },
  };
}

export const KEY: AccessKey = { application: 'claims', applicationUid: 'uid-1', enabled: true, createdAt: 0 };

/** Application `claims` with `uid-1` and the access key `key-1`, or other records. */
export function worldOf(
  signer: Signer,
  {
    tokenKeys = { [signer.signingKey.kid]: signer.record },
    accessKeys = { 'key-1': KEY },
    applications = { claims: { uid: 'uid-1' } },
  }: {
    readonly tokenKeys?: Readonly<Record<string, TokenKey>>;
    readonly accessKeys?: Readonly<Record<string, AccessKey>>;
    readonly applications?: Readonly<Record<string, { readonly uid: string | undefined }>>;
  } = {},
): TokenWorld {
  const find = <T>(records: Readonly<Record<string, T>>, id: string) =>
    Object.hasOwn(records, id) ? records[id] : undefined;
  return {
    tokenKey: (kid) => find(tokenKeys, kid),
    accessKey: (id) => find(accessKeys, id),
    application: (id) => find(applications, id),
  };
}

/** A token for tasks of the application `claims`. */
export async function tokenOf(signer: Signer, more: Partial<TokenRequest> = {}): Promise<string> {
  const { token } = await issueToken({
    signingKey: signer.signingKey,
    application: { id: 'claims', uid: 'uid-1' },
    accessKeyId: 'key-1',
    audience: 'task',
    ...more,
  });
  return token;
}
