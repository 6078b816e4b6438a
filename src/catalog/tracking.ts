import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { inTime } from '../in-time.ts';
import type { KeyNames } from '../redis/keys.ts';

const RETRY_MS = 1_000;
const LIFE_INTERVAL_MS = 1_000;
const LIFE_TIMEOUT_MS = 2_000;
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
  /** Redis answered that it does not do this (NOPERM, a proxy, an old version): poll instead. */
  readonly onRefused: () => void;
}

/**
 * Redis' client-side caching in its broadcasting form (redis.io, "Client-side caching in Redis"): the reading
 * connection issues CLIENT TRACKING … BCAST REDIRECT towards a subscriber. RESP2 gives the reader no sign when its
 * subscriber is cut, so whenever either connection comes back the whole is set up again.
 */
export function followChanges(parts: TrackingParts): { start(): void; stop(): void } {
  const { redis, ears, names, log } = parts;
  let stopped = false;
  /** Counts attempts, so that one that was overtaken by a reconnection says nothing. */
  let attempt = 0;
  let retryTimer: NodeJS.Timeout | undefined;
  let lifeTimer: NodeJS.Timeout | undefined;
  let pinging = false;
  let silent = false;

  async function setUp(): Promise<void> {
    attempt += 1;
    const mine = attempt;
    const overtaken = (): boolean => stopped || mine !== attempt;
    if (stopped || redis.status !== 'ready' || ears.status !== 'ready') return;
    try {
      // A subscriber may not ask for its own id, so it leaves its channel first; a reconnected one has a new id.
      // One that was overtaken must not go on: its TRACKING ON would clash with the other's.
      await ears.unsubscribe(INVALIDATIONS);
      if (overtaken()) return;
      const id = await ears.client('ID');
      if (overtaken()) return;
      await ears.subscribe(INVALIDATIONS);
      if (overtaken()) return;
      await redis.call('CLIENT', 'TRACKING', 'OFF');
      if (overtaken()) return;
      const prefixes = names.trackedPrefixes.flatMap((prefix) => ['PREFIX', prefix]);
      await redis.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', ...prefixes);
      if (!overtaken()) parts.onListening();
    } catch (error) {
      if (overtaken()) return;
      if (isRefusal(error)) {
        log.warn({ reason: messageOf(error) }, 'Redis refuses client tracking: the catalog is polled instead');
        stop();
        parts.onRefused();
      } else {
        // A connection was lost meanwhile and its next 'ready' begins again, or Redis was busy and is asked again.
        retryTimer = setTimeout(() => void setUp(), RETRY_MS);
        log.debug({ reason: messageOf(error) }, 'Client tracking was interrupted while it was set up');
      }
    }
  }

  /** Neither side hears of a connection that is open and carries nothing, so both are asked for a sign of life. */
  async function listenForLife(): Promise<void> {
    if (redis.status !== 'ready' || ears.status !== 'ready' || pinging) return;
    pinging = true;
    const asked = attempt;
    try {
      await inTime(Promise.all([redis.ping(), ears.ping()]), LIFE_TIMEOUT_MS);
      if (silent && asked === attempt) void setUp();
      silent = false;
    } catch (error) {
      if (!silent && !stopped) {
        log.warn({ reason: messageOf(error) }, 'Redis is silent: what it changes may go unheard');
        parts.onDeaf();
      }
      silent = true;
    } finally {
      pinging = false;
    }
  }

  const onReady = (): void => void setUp();
  const onClose = (): void => {
    attempt += 1;
    parts.onDeaf();
  };
  // ioredis hands the list of keys over as it is only in the event for buffers; in `message` it is one joined string.
  const onMessage = (channel: Buffer, message: unknown): void => {
    if (channel.toString() !== INVALIDATIONS) return;
    parts.onChange(Array.isArray(message) ? message.map(String) : 'everything');
  };

  function stop(): void {
    stopped = true;
    clearTimeout(retryTimer);
    clearInterval(lifeTimer);
    for (const connection of [redis, ears]) connection.off('ready', onReady).off('close', onClose);
    ears.off('messageBuffer', onMessage);
  }

  return {
    start() {
      for (const connection of [redis, ears]) connection.on('ready', onReady).on('close', onClose);
      ears.on('messageBuffer', onMessage);
      lifeTimer = setInterval(() => void listenForLife(), LIFE_INTERVAL_MS);
      void setUp();
    },
    stop,
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
