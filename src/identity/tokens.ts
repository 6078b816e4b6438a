import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { ServiceError } from '../errors.ts';
import type { SigningKey } from './signing.ts';

/** What a token is for: `task` proves the caller of a task, `api` somebody at the admin API; neither is taken for the other. */
export const AUDIENCES = ['api', 'task'] as const;
export type Audience = (typeof AUDIENCES)[number];

/** The one algorithm, named in every token and pinned wherever one is verified. Ed25519 is its only curve here. */
export const ALGORITHM = 'EdDSA';

/** How long tokens live, in seconds. Conductor keeps a task's token readable, so that even those of tasks end. */
export const LIFETIMES = {
  api: { byDefault: 3_600, atMost: 3_600 },
  task: { byDefault: 3_600, atMost: 7 * 24 * 3_600 },
} as const satisfies Record<Audience, { readonly byDefault: number; readonly atMost: number }>;

const WORKFLOW_LENGTH = 255;

export interface TokenRequest {
  readonly signingKey: SigningKey;
  /** Whom it proves; `uid` is that of the application's record. */
  readonly application: { readonly id: string; readonly uid: string };
  readonly accessKeyId: string;
  readonly audience: Audience;
  /** `task` only: the one workflow, by its exact name, whose tasks may use it. */
  readonly workflow?: string | undefined;
  /** `task` only: it is for the first workflow instance that uses it. */
  readonly once?: boolean | undefined;
  /** Default 1 h; at most 1 h for `api`, 7 days for `task`. */
  readonly expiresInSeconds?: number | undefined;
  /** In milliseconds. Default: now. */
  readonly now?: number | undefined;
}

export interface IssuedToken {
  readonly token: string;
  readonly jti: string;
  /** In milliseconds. */
  readonly expiresAt: number;
}

/** A signed JWT. Throws INPUT_INVALID, with the field, for what a token cannot be. Roles are never in it: the catalog has them. */
export async function issueToken(request: TokenRequest): Promise<IssuedToken> {
  const { signingKey, application, accessKeyId, audience, workflow, once = false } = request;
  const { byDefault, atMost } = LIFETIMES[audience];
  const seconds = request.expiresInSeconds ?? byDefault;
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > atMost) {
    throw invalid('expiresInSeconds', `a whole number from 1 to ${atMost} for the audience ${audience}`);
  }
  if (audience !== 'task' && workflow !== undefined) throw invalid('workflow', 'only for the audience task');
  if (audience !== 'task' && once) throw invalid('once', 'only for the audience task');
  if (workflow !== undefined && (workflow === '' || workflow.length > WORKFLOW_LENGTH)) {
    throw invalid('workflow', `the exact name of a workflow, of 1 to ${WORKFLOW_LENGTH} characters`);
  }
  const issuedAt = Math.floor((request.now ?? Date.now()) / 1_000);
  const jti = randomUUID();
  const token = await new SignJWT({
    uid: application.uid,
    key: accessKeyId,
    ...(workflow === undefined ? {} : { wf: workflow }),
    ...(once ? { once } : {}),
  })
    .setProtectedHeader({ alg: ALGORITHM, kid: signingKey.kid, typ: 'JWT' })
    .setIssuer(signingKey.issuer)
    .setSubject(`app:${application.id}`)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + seconds)
    .setJti(jti)
    .sign(signingKey.privateKey);
  return { token, jti, expiresAt: (issuedAt + seconds) * 1_000 };
}

function invalid(field: string, message: string): ServiceError {
  return new ServiceError('INPUT_INVALID', `${field}: ${message}`, { field });
}
