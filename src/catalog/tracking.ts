import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { inTime } from '../in-time.ts';
import type { KeyNames } from '../redis/keys.ts';
import { createCanary } from './canary.ts';

const RETRY_MS = 1_000;
/** A connection that leaves one step of the set-up unanswered for so long is opened anew: it may be cut without a sign. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Tracking that was set up so often in succession and told of nothing is not tracking: some proxies only say OK. */
const FRUITLESS_AT_MOST = 3;
const INVALIDATIONS = '__redis__:invalidate';

export interface TrackingParts {
  /** The connection that reads. Tracking is a state of it, lost when it is. */
  readonly redis: Redis;
  /** The subscriber that hears of changes: opened with `protocol: 2` (ioredis drops RESP3 invalidations) and `autoResubscribe: false`. */
  readonly ears: Redis;
  readonly names: KeyNames;
  readonly log: Logger;
  /** Both connections are up and Redis tells of every change from now on; what happened before is unknown. */
  readonly onListening: () => void;
  /** Changes may go unheard from now on, until `onListening`. */
  readonly onDeaf: () => void;
  /** Keys that changed; `everything` after FLUSHALL. */
  readonly onChange: (keys: readonly string[] | 'everything') => void;
  /** Redis does not do this (NOPERM, a proxy, an old version): poll instead. */
  readonly onRefused: () => void;
}

export interface Tracking {
  start(): void;
  stop(): void;
  /**
   * True once `onChange` was told of everything that Redis acknowledged before the call: an answer to the subscriber comes
   * after what it was told before. False where it did not answer.
   */
  caughtUp(): Promise<boolean>;
}

/**
 * Redis' client-side caching in its broadcasting form (redis.io, "Client-side caching in Redis"): the reading
 * connection issues CLIENT TRACKING … BCAST REDIRECT towards a subscriber. RESP2 gives the reader no sign when its
 * subscriber is cut, so whenever either connection comes back, or the canary was not heard, the whole is set up again.
 */
export function followChanges(parts: TrackingParts): Tracking {
  const { redis, ears, names, log } = parts;
  let stopped = false;
  /** Counts attempts, so that one that was overtaken by a reconnection says nothing. */
  let attempt = 0;
  let retryTimer: NodeJS.Timeout | undefined;
  /** Set-ups in succession after which nothing was heard. */
  let fruitless = 0;
  let silent = false;
  const canary = createCanary({ redis, ears, key: names.canary, log, onSilence, onDemoted });

  async function setUp(): Promise<void> {
    attempt += 1;
    const mine = attempt;
    const overtaken = (): boolean => stopped || mine !== attempt;
    if (stopped || redis.status !== 'ready' || ears.status !== 'ready') return;
    /** What a connection answers; one that does not is opened anew, and its next 'ready' begins again. */
    const answer = async <T>(connection: Redis, command: Promise<T>): Promise<T> => {
      const late = new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1_000} s`);
      try {
        return await inTime(command, ANSWER_TIMEOUT_MS, () => late);
      } catch (error) {
        if (error === late && !overtaken()) connection.disconnect(true);
        throw error;
      }
    };
    try {
      // A subscriber may not ask for its own id, so it leaves its channel first; a reconnected one has a new id.
      // One that was overtaken must not go on: its TRACKING ON would clash with the other's.
      await answer(ears, ears.unsubscribe(INVALIDATIONS));
      if (overtaken()) return;
      const id = await answer(ears, ears.client('ID'));
      if (overtaken()) return;
      await answer(ears, ears.subscribe(INVALIDATIONS));
      if (overtaken()) return;
      await answer(redis, redis.call('CLIENT', 'TRACKING', 'OFF'));
      if (overtaken()) return;
      const prefixes = names.trackedPrefixes.flatMap((prefix) => ['PREFIX', prefix]);
      await answer(redis, redis.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', ...prefixes));
      if (overtaken()) return;
      if (silent) log.info('Redis tells of changes again');
      silent = false;
      canary.start();
      parts.onListening();
    } catch (error) {
      if (overtaken()) return;
      if (isRefusal(error)) {
        giveUp(messageOf(error), 'Redis refuses client tracking: the catalog is polled instead');
      } else {
        // A connection was lost meanwhile and its next 'ready' begins again, or Redis was busy and is asked again.
        clearTimeout(retryTimer);
        retryTimer = setTimeout(() => void setUp(), RETRY_MS);
        log.debug({ reason: messageOf(error) }, 'Client tracking was interrupted while it was set up');
      }
    }
  }

  function onSilence(never: boolean): void {
    fruitless = never ? fruitless + 1 : 0;
    parts.onDeaf();
    if (fruitless >= FRUITLESS_AT_MOST) {
      giveUp('no change was told of', 'Redis takes client tracking for nothing: the catalog is polled instead');
      return;
    }
    if (!silent) log.warn('Redis is silent: what it changes may go unheard');
    silent = true;
    void setUp();
  }

  /** Somewhere there is another primary; a Sentinel or a name leads there. */
  function onDemoted(): void {
    log.warn('Redis has become a replica: connecting again');
    for (const connection of [redis, ears]) connection.disconnect(true);
  }

  function giveUp(reason: string, said: string): void {
    log.warn({ reason }, said);
    stop();
    parts.onRefused();
  }

  const onReady = (): void => void setUp();
  const onClose = (): void => {
    attempt += 1;
    canary.sleep();
    parts.onDeaf();
  };
  // ioredis hands the list of keys over as it is only in the event for buffers; in `message` it is one joined string.
  const onMessage = (channel: Buffer, message: unknown): void => {
    if (channel.toString() !== INVALIDATIONS) return;
    canary.heard();
    fruitless = 0;
    if (!Array.isArray(message)) return parts.onChange('everything');
    const changed = message.map(String).filter((key) => key !== names.canary);
    if (changed.length > 0) parts.onChange(changed);
  };

  function stop(): void {
    stopped = true;
    clearTimeout(retryTimer);
    canary.sleep();
    for (const connection of [redis, ears]) connection.off('ready', onReady).off('close', onClose);
    ears.off('messageBuffer', onMessage);
  }

  return {
    start() {
      for (const connection of [redis, ears]) connection.on('ready', onReady).on('close', onClose);
      ears.on('messageBuffer', onMessage);
      void setUp();
    },
    stop,
    caughtUp: () =>
      inTime(ears.ping(), ANSWER_TIMEOUT_MS).then(
        () => true,
        () => false,
      ),
  };
}

/** An answer of Redis itself, such as NOPERM or an unknown subcommand; not a lost connection, nor a state that passes. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'ReplyError' &&
    /^NOPERM|unknown|not (supported|allowed)|disabled|syntax/i.test(error.message)
  );
}
