import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';

/** How often it is looked whether there were signs of life. */
const LOOK_MS = 250;
/** Silence after which a side is asked for one; the canary is put off by up to half a second, so that not all workers write it. */
const ASK_AFTER_MS = 1_000;
const JITTER_MS = 500;
/** Silence after which a side counts as gone. */
const GONE_AFTER_MS = 3_000;
/** A refused canary is tried again then: what refuses it may pass (a full Redis, a failover). */
const REFUSED_FOR_MS = 60_000;
/** Once no worker runs any more, the key goes by itself. */
const KEY_SECONDS = 60;

export interface CanaryParts {
  /** The connection that reads. */
  readonly redis: Redis;
  /** The subscriber that hears of changes. */
  readonly ears: Redis;
  /** The key of the canary; it must be among those that Redis tells of. */
  readonly key: string;
  readonly log: Logger;
  /** Changes may go unheard. `never`: Redis has told of nothing since `start()`, not even of the canary that it took. */
  readonly onSilence: (never: boolean) => void;
  /** The Redis that took the canary before has become a replica. */
  readonly onDemoted: () => void;
}

export interface Canary {
  /** Tracking has just been set up: silence counts from now. */
  start(): void;
  /** Redis told of some change. */
  heard(): void;
  /** A connection was lost, or the worker stops: nothing is asked or said until `start()`. Silence leads here by itself. */
  sleep(): void;
}

/** The time since the last sign of life of a connection, and what was done about it. */
interface Silence {
  readonly since: number;
  readonly askAfterMs: number;
  asked: boolean;
  /** Redis has acknowledged the canary. */
  taken: boolean;
}

/**
 * Notices that Redis no longer tells of changes, however that came about: RESP2 tracking gives neither side a sign of
 * it. The reader is asked by PING. For the subscriber a key is written that all workers share and hear of, by whichever
 * of them has heard nothing for a second: it proves the whole way, tracking itself included, which a PING would not.
 */
export function createCanary({ redis, ears, key, log, onSilence, onDemoted }: CanaryParts): Canary {
  let timer: NodeJS.Timeout | undefined;
  let ofReader = silence();
  let ofEars = silence(JITTER_MS);
  let heardSinceStart = false;
  /** This Redis takes writes, as far as is known. */
  let writable = false;
  let refusedAt = Number.NEGATIVE_INFINITY;
  let saidRefused = false;

  function look(): void {
    const now = performance.now();
    const readerGone = now - ofReader.since >= GONE_AFTER_MS;
    if (readerGone || now - ofEars.since >= GONE_AFTER_MS) {
      const never = !readerGone && !heardSinceStart && ofEars.taken;
      sleep();
      onSilence(never);
      return;
    }
    if (isDue(ofReader, now)) void askReader(ofReader);
    if (isDue(ofEars, now)) void (now - refusedAt < REFUSED_FOR_MS ? askEars(ofEars) : writeCanary(ofEars));
  }

  async function askReader(asked: Silence): Promise<void> {
    asked.asked = true;
    try {
      await redis.ping();
      if (asked === ofReader) ofReader = silence();
    } catch {
      // Asked again, until it counts as gone.
      asked.asked = false;
    }
  }

  async function askEars(asked: Silence): Promise<void> {
    asked.asked = true;
    try {
      await ears.ping();
      if (asked === ofEars) ofEars = silence(JITTER_MS);
    } catch {
      asked.asked = false;
    }
  }

  async function writeCanary(asked: Silence): Promise<void> {
    asked.asked = true;
    try {
      await redis.set(key, '1', 'EX', KEY_SECONDS);
      asked.taken = true;
      writable = true;
    } catch (error) {
      asked.asked = false;
      // Only Redis' own words are a refusal, and not those that it is busy with something else for a moment.
      if (!(error instanceof Error) || error.name !== 'ReplyError' || /^(BUSY|LOADING)/.test(error.message)) return;
      if (writable && error.message.startsWith('READONLY')) {
        writable = false;
        onDemoted();
        return;
      }
      refusedAt = performance.now();
      if (saidRefused) return;
      saidRefused = true;
      log.warn(
        { key, reason: messageOf(error) },
        'Redis refuses the canary key: tracking that is lost may go unnoticed',
      );
    }
  }

  function sleep(): void {
    clearInterval(timer);
    // What is still answered is of no silence that counts.
    ofReader = silence();
    ofEars = silence(JITTER_MS);
  }

  return {
    start() {
      sleep();
      heardSinceStart = false;
      timer = setInterval(look, LOOK_MS);
    },
    heard() {
      heardSinceStart = true;
      ofEars = silence(JITTER_MS);
    },
    sleep,
  };
}

function silence(jitterMs = 0): Silence {
  const askAfterMs = ASK_AFTER_MS + Math.random() * jitterMs;
  return { since: performance.now(), askAfterMs, asked: false, taken: false };
}

function isDue({ asked, since, askAfterMs }: Silence, now: number): boolean {
  return !asked && now - since >= askAfterMs;
}
