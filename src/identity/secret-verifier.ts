import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { ServiceError } from '../errors.ts';
import { verifySecret } from './access-keys.ts';

/** Somebody who says that an access key is theirs. */
export interface Attempt {
  readonly keyId: string;
  readonly secret: string;
  /** The address that the connection comes from. */
  readonly address: string;
}

export interface SecretVerifier {
  /**
   * Whether the secret is the key's. Throws TOO_MANY_REQUESTS, with `retryAfterSeconds`, where too many ask at once or
   * too many attempts failed lately; nothing is compared then.
   */
  verify(attempt: Attempt): Promise<boolean>;
}

export interface SecretVerifierParts {
  /** The hash of a key's secret; undefined for a key that is not there. */
  readonly hashOf: (keyId: string) => Promise<string | undefined>;
  /** Hashes that are computed at once. Default 2: of the four threads that Node has for such things, some stay for others. */
  readonly atOnce?: number;
  /** Attempts that may wait for that. Default 32. */
  readonly queue?: number;
  /** In milliseconds. Default: the time of day. */
  readonly now?: () => number;
}

/** Failures within a minute after which no more is compared until that minute is over. */
const FAILURES_OF_KEY = 10;
const FAILURES_OF_ADDRESS = 50;
const WINDOW_MS = 60_000;
/** More than can fail within a minute, since each takes its time: nobody makes a count forgotten by other failures. */
const COUNTED_AT_MOST = 10_000;
const KNOWN_PAIRS_AT_MOST = 10_000;
const KNOWN_FOR_MS = 24 * 3_600_000;

interface Count {
  failures: number;
  readonly endsAt: number;
}

/**
 * Compares secrets, few at once, and counts what fails, in this process alone: by key and by address. Key ids are no
 * secret, so somebody else can have a key counted out, a minute at a time. Its owner still gets in from an address
 * where the secret was right within the last day: such a pair is counted by itself.
 */
export function createSecretVerifier(parts: SecretVerifierParts): SecretVerifier {
  const { hashOf, atOnce = 2, queue = 32, now = Date.now } = parts;
  const limit = pLimit(atOnce);
  const counts = new LRUCache<string, Count>({ max: COUNTED_AT_MOST });
  const knownPairs = new LRUCache<string, number>({ max: KNOWN_PAIRS_AT_MOST });

  function countOf(name: string): Count | undefined {
    const count = counts.get(name);
    return count !== undefined && count.endsAt > now() ? count : undefined;
  }

  function refuseIfLocked(name: string, failuresAtMost: number, what: string): void {
    const count = countOf(name);
    if (count === undefined || count.failures < failuresAtMost) return;
    const seconds = Math.ceil((count.endsAt - now()) / 1_000);
    throw new ServiceError('TOO_MANY_REQUESTS', `Too many attempts ${what} failed: try again in ${seconds} s`, {
      retryAfterSeconds: seconds,
    });
  }

  function addFailure(name: string): void {
    const count = countOf(name);
    if (count === undefined) counts.set(name, { failures: 1, endsAt: now() + WINDOW_MS });
    else count.failures += 1;
  }

  return {
    async verify({ keyId, secret, address }) {
      const [key, from] = [`key ${keyId}`, `address ${address}`];
      const pair = JSON.stringify([keyId, address]);
      const isKnown = (knownPairs.get(pair) ?? 0) > now();
      if (isKnown) {
        refuseIfLocked(pair, FAILURES_OF_KEY, 'with this access key');
      } else {
        refuseIfLocked(key, FAILURES_OF_KEY, 'with this access key');
        refuseIfLocked(from, FAILURES_OF_ADDRESS, 'from this address');
      }
      if (limit.activeCount >= atOnce && limit.pendingCount >= queue) {
        throw new ServiceError('TOO_MANY_REQUESTS', 'Too many ask for a token at once: try again in 1 s', {
          retryAfterSeconds: 1,
        });
      }
      const isRight = await limit(async () => verifySecret(secret, await hashOf(keyId)));
      if (isRight) {
        for (const name of [key, pair]) counts.delete(name);
        knownPairs.set(pair, now() + KNOWN_FOR_MS);
      } else if (isKnown) {
        addFailure(pair);
      } else {
        for (const name of [key, from]) addFailure(name);
      }
      return isRight;
    },
  };
}
