import type { Logger } from 'pino';
import { messageOf, ServiceError } from '../../errors.ts';
import { inTime } from '../../in-time.ts';
import { withoutIdentifiers } from './errors.ts';

/** What a request is signed with. Without `expiration` it holds until somebody revokes it. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export interface CredentialsSource {
  /** Valid credentials; waits only when there are none. Rejects with the last refresh's error. */
  get(): Promise<AwsCredentials>;
  /** After AWS refused `used`: others, if they can be had; `used` itself again where they cannot. */
  renew(used: AwsCredentials): Promise<AwsCredentials>;
}

export interface CredentialsParts {
  readonly load: () => Promise<AwsCredentials>;
  /** Names the integration in the log. */
  readonly name: string;
  readonly log: Logger;
  readonly now?: () => number;
  /** A clock that is never set, for ages. Default: that of `now` where given, else the process's own. */
  readonly tick?: () => number;
}

/** Refreshed this long before they expire, or a fifth of their life where that is shorter. */
const REFRESH_AHEAD_MS = 300_000;
/** Credentials this young were already the answer to a refusal: another refresh would bring the same again. */
const TOO_YOUNG_TO_RENEW_MS = 5_000;
const RETRY_AFTER_MS = 1_000;
const LOAD_TIMEOUT_MS = 30_000;

/**
 * Keeps credentials fresh: one refresh at a time, ahead of expiry and in the background, while calls go on with the
 * ones that still hold. A refresh that fails is only felt when the old ones have really expired. (AWS's own
 * memoisation lets calls wait for the refresh and fails them with it.)
 */
export function refreshingCredentials(parts: CredentialsParts): CredentialsSource {
  const { load, name, log, now = Date.now, tick = parts.now ?? (() => performance.now()) } = parts;
  let current: { credentials: AwsCredentials; obtainedAt: number; obtainedAtTick: number } | undefined;
  let refreshing: Promise<AwsCredentials> | undefined;
  let notBefore = 0;

  function refresh(): Promise<AwsCredentials> {
    // A source that never answers must not hold up those that ask after it has recovered.
    refreshing ??= inTime(load(), LOAD_TIMEOUT_MS, tooLate)
      .then(
        (credentials) => {
          current = { credentials, obtainedAt: now(), obtainedAtTick: tick() };
          notBefore = 0;
          return credentials;
        },
        (error) => {
          notBefore = now() + RETRY_AFTER_MS;
          throw error;
        },
      )
      .finally(() => {
        refreshing = undefined;
      });
    return refreshing;
  }

  function refreshInBackground(): void {
    if (refreshing !== undefined || now() < notBefore) return;
    refresh().catch((error: unknown) => {
      log.warn(
        { integration: name, reason: withoutIdentifiers(messageOf(error)) },
        'AWS credentials could not be refreshed; the old ones still hold',
      );
    });
  }

  return {
    async get() {
      if (current === undefined) return await refresh();
      const { credentials, obtainedAt } = current;
      if (credentials.expiration === undefined) return credentials;
      const expiresAt = credentials.expiration.getTime();
      if (now() >= expiresAt) return await refresh();
      if (now() >= expiresAt - Math.min(REFRESH_AHEAD_MS, (expiresAt - obtainedAt) / 5)) refreshInBackground();
      return credentials;
    },
    async renew(used) {
      if (current !== undefined && current.credentials !== used) return current.credentials;
      if (current !== undefined && tick() - current.obtainedAtTick < TOO_YOUNG_TO_RENEW_MS) return used;
      return await refresh();
    },
  };
}

function tooLate(): ServiceError {
  return new ServiceError('BEDROCK_UNAVAILABLE', `AWS gave no credentials within ${LOAD_TIMEOUT_MS / 1_000} s`);
}
