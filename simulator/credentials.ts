/**
 * Who may sign: static key pairs, and temporary ones that STS issued, each with the one it stands for. An expired
 * credential stays known, since AWS tells an expired token from one it never saw.
 */
import { randomBytes } from 'node:crypto';
import { ACCOUNT, ENVIRONMENT_CREDENTIALS, INTEGRATION_CREDENTIALS } from './known.ts';
import type { SessionPolicy } from './policy.ts';

/** A key pair that does not expire. */
export interface StaticCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Name of the IAM user it belongs to. Default `user-` and the access key id. */
  readonly user?: string | undefined;
}

/** The one that a signature stands for. */
export interface Principal {
  readonly arn: string;
  readonly account: string;
  readonly userId: string;
  readonly accessKeyId: string;
  /** Only for an assumed role. */
  readonly session?: { readonly roleArn: string; readonly policy: SessionPolicy | undefined };
}

export interface Credential {
  readonly secretAccessKey: string;
  /** Only for temporary credentials. */
  readonly sessionToken?: string;
  /** Milliseconds since the epoch; absent: never. */
  readonly expiresAt?: number;
  readonly principal: Principal;
}

export interface IssuedCredential extends Credential {
  readonly sessionToken: string;
  readonly expiresAt: number;
}

export interface Issue {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly lifetimeMs: number;
  readonly policy: SessionPolicy | undefined;
}

export interface Credentials {
  find(accessKeyId: string): Credential | undefined;
  add(credentials: StaticCredentials): void;
  /** Forgets a key, static or temporary; false when it was not known. */
  revoke(accessKeyId: string): boolean;
  issue(request: Issue): IssuedCredential;
  /** Back to the static keys of the start. Temporary ones stay valid: their holders would not know. */
  reset(): void;
}

/** How many temporary credentials are remembered; the oldest are forgotten. */
const ISSUED_LIMIT = 10_000;

export function createCredentials(extra: readonly StaticCredentials[] = []): Credentials {
  const statics = new Map<string, Credential>();
  const issued = new Map<string, IssuedCredential>();

  const add = ({ accessKeyId, secretAccessKey, user = `user-${accessKeyId}` }: StaticCredentials) => {
    statics.set(accessKeyId, {
      secretAccessKey,
      principal: {
        arn: `arn:aws:iam::${ACCOUNT}:user/${user}`,
        account: ACCOUNT,
        userId: accessKeyId.replace(/^AKIA/, 'AIDA'),
        accessKeyId,
      },
    });
  };
  const reset = () => {
    statics.clear();
    add({ ...ENVIRONMENT_CREDENTIALS, user: 'conductor' });
    add({ ...INTEGRATION_CREDENTIALS, user: 'integration' });
    for (const one of extra) add(one);
  };
  reset();

  return {
    find: (accessKeyId) => statics.get(accessKeyId) ?? issued.get(accessKeyId),
    add,
    revoke(accessKeyId) {
      const wasStatic = statics.delete(accessKeyId);
      return issued.delete(accessKeyId) || wasStatic;
    },
    issue({ roleArn, sessionName, lifetimeMs, policy }) {
      const accessKeyId = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
      const account = roleArn.split(':')[4] ?? ACCOUNT;
      const role = roleArn.slice(roleArn.lastIndexOf('/') + 1);
      const credential = {
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: `simulator-session-${randomBytes(48).toString('base64')}`,
        expiresAt: Date.now() + lifetimeMs,
        principal: {
          arn: `arn:aws:sts::${account}:assumed-role/${role}/${sessionName}`,
          account,
          userId: `AROASIMULATOR0000001:${sessionName}`,
          accessKeyId,
          session: { roleArn, policy },
        },
      };
      issued.set(accessKeyId, credential);
      for (const oldest of issued.keys()) {
        if (issued.size <= ISSUED_LIMIT) break;
        issued.delete(oldest);
      }
      return credential;
    },
    reset,
  };
}
