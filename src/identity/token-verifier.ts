import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Application } from '../rbac/records.ts';
import { applicationUser, type Subject } from '../rbac/subject.ts';
import type { AccessKey, TokenKey } from './records.ts';
import { ALGORITHM, type Audience } from './tokens.ts';

/** The records that a token is judged by; the catalog's snapshot is one. A record that cannot be read counts as absent. */
export interface TokenWorld {
  tokenKey(kid: string): TokenKey | undefined;
  accessKey(id: string): AccessKey | undefined;
  application(id: string): Pick<Application, 'uid'> | undefined;
}

export type TokenAnswer =
  | {
      readonly kind: 'valid';
      /** `USER:app:<application>`: what it may do is in the catalog, never in the token. */
      readonly subject: Subject;
      readonly applicationId: string;
      readonly accessKeyId: string;
      readonly jti: string;
      /** The one workflow, by its exact name, whose tasks may use it; undefined: any. */
      readonly workflow: string | undefined;
      /** For the first workflow instance alone that uses it. */
      readonly once: boolean;
      /** In milliseconds. */
      readonly expiresAt: number;
    }
  | { readonly kind: 'expired' }
  /** Why, without a word of the token: of something unproven nothing may be believed, or repeated. */
  | { readonly kind: 'invalid'; readonly reason: string };

/** What stays true of a token: who signed it, and what it says. */
export type Proof =
  | {
      readonly kind: 'proven';
      readonly kid: string;
      /** The public key that proved it. */
      readonly x: string;
      readonly claims: Claims;
    }
  | {
      readonly kind: 'unproven';
      readonly reason: string;
      /** The key that it names, where the world had none of that name. */
      readonly unknownKey?: string;
    };

export interface TokenVerifier {
  /** Signature and state at once. Never rejects, whatever the token is. */
  verifyToken(request: {
    readonly token: unknown;
    readonly audience: Audience;
    readonly world: TokenWorld;
    readonly now?: number;
  }): Promise<TokenAnswer>;
  /** The signature alone: remembered, since a worker looks at every task of a workflow and again at each dispatch. */
  prove(token: unknown, world: TokenWorld): Promise<Proof>;
}

const claimsForm = z.object({
  iss: z.string(),
  sub: z.string().regex(/^app:./s),
  aud: z.string(),
  iat: z.number(),
  exp: z.number(),
  jti: z.string().min(1),
  uid: z.string().min(1),
  key: z.string().min(1),
  wf: z.string().optional(),
  once: z.boolean().optional(),
});
export type Claims = z.infer<typeof claimsForm>;

/** Ours have about 500 characters, and with the longest names 2,000. */
const LENGTH_AT_MOST = 8_192;
const PARTS = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;
/** Proofs that are remembered; only proven ones, so that forged tokens drive none of them out. */
const REMEMBERED = 5_000;

export function createTokenVerifier(): TokenVerifier {
  const proofs = new LRUCache<string, Proof & { kind: 'proven' }>({ max: REMEMBERED });

  async function prove(token: unknown, world: TokenWorld): Promise<Proof> {
    if (typeof token !== 'string') return unproven('it is no text');
    if (token.length > LENGTH_AT_MOST || !isCanonical(token)) return unproven('it is no JWT');
    const digest = createHash('sha256').update(token).digest('base64url');
    const known = proofs.get(digest);
    if (known !== undefined) return known;
    const proof = await proveSignature(token, world);
    if (proof.kind === 'proven') proofs.set(digest, proof);
    return proof;
  }

  return {
    prove,
    async verifyToken({ token, audience, world, now }) {
      return judgeToken(await prove(token, world), { audience, world, now });
    },
  };
}

/**
 * What a proven token is worth by the records of one moment, which is asked each time: its key is still the
 * installation's, the audience is this one, its time is not over, its access key is switched on and of an application
 * that is still the one it was made for.
 */
export function judgeToken(
  proof: Proof,
  { audience, world, now = Date.now() }: { audience: Audience; world: TokenWorld; now?: number | undefined },
): TokenAnswer {
  if (proof.kind === 'unproven') return invalid(proof.reason);
  const { claims, kid, x } = proof;
  const key = world.tokenKey(kid);
  if (key?.publicKey.x !== x) return invalid('the key that signed it is no longer one of this installation');
  if (key.issuer !== claims.iss) return invalid('it is of another installation');
  if (claims.aud !== audience) return invalid(`it is not for the audience ${audience}`);
  const expiresAt = claims.exp * 1_000;
  if (now >= expiresAt) return { kind: 'expired' };
  const applicationId = claims.sub.slice('app:'.length);
  const accessKey = world.accessKey(claims.key);
  if (accessKey === undefined) return invalid('its access key does not exist (any more)');
  if (!accessKey.enabled) return invalid('its access key is switched off');
  if (accessKey.application !== applicationId) return invalid('its access key is of another application');
  const application = world.application(applicationId);
  if (application === undefined) return invalid('its application does not exist (any more)');
  if (claims.uid !== application.uid || accessKey.applicationUid !== application.uid) {
    return invalid('its application was deleted; the one of that name is another');
  }
  return {
    kind: 'valid',
    subject: applicationUser(applicationId),
    applicationId,
    accessKeyId: claims.key,
    jti: claims.jti,
    workflow: claims.wf,
    once: claims.once ?? false,
    expiresAt,
  };
}

async function proveSignature(token: string, world: TokenWorld): Promise<Proof> {
  const kid = keyIdOf(token);
  if (kid === undefined) return unproven('it is no JWT of this installation');
  const key = world.tokenKey(kid);
  if (key === undefined) {
    return { kind: 'unproven', reason: 'the key that signed it is none of this installation', unknownKey: kid };
  }
  let payload: Uint8Array;
  try {
    const publicKey = await importJWK({ ...key.publicKey }, ALGORITHM);
    ({ payload } = await compactVerify(token, publicKey, { algorithms: [ALGORITHM] }));
  } catch {
    // jose's own words may repeat parts of the token.
    return unproven('its signature is not of this installation');
  }
  const claims = claimsForm.safeParse(readJson(payload));
  if (!claims.success) return unproven('it does not say what a token of this installation says');
  return { kind: 'proven', kid, x: key.publicKey.x, claims: claims.data };
}

function keyIdOf(token: string): string | undefined {
  try {
    const { kid } = decodeProtectedHeader(token);
    return typeof kid === 'string' ? kid : undefined;
  } catch {
    return undefined;
  }
}

/** Three parts in base64url, each in the one form that its bytes have: a token has no second spelling. */
function isCanonical(token: string): boolean {
  const [, ...parts] = PARTS.exec(token) ?? [];
  return parts.length === 3 && parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

function unproven(reason: string): Proof {
  return { kind: 'unproven', reason };
}

function invalid(reason: string): TokenAnswer {
  return { kind: 'invalid', reason };
}
