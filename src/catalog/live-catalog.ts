import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf, ServiceError } from '../errors.ts';
import type { KeyNames } from '../redis/keys.ts';
import { createCatalogReader } from './read-catalog.ts';
import { createRefreshes } from './refreshes.ts';
import { NOTHING, Snapshot } from './snapshot.ts';
import { followChanges } from './tracking.ts';

/** Where tracking is not to be had (Cluster, a proxy, Redis before 6) everything is read again this often. */
const POLL_INTERVAL_MS = 1_000;
/** What was polled counts as current for so long after its reading began: as long as silence is borne where Redis tells. */
const POLL_HOLDS_MS = 3_000;
/** A reading that fails after so long was refused by nobody: it was not answered. */
const MUTE_AFTER_MS = 1_000;
/**
 * Redis tells of one transaction by a message for each tracked prefix. What is told while a read is under way is read,
 * too, before anybody sees the new snapshot, so that a transaction is seen whole; under a storm of changes, this often.
 */
const GATHERED_AT_MOST = 5;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

export interface LiveCatalogParts {
  /** Reads; its tracking is redirected to `ears`. */
  readonly redis: Redis | Cluster;
  /** Hears what changed; see `tracking.ts` for how it must be opened. Absent: poll. */
  readonly ears: Redis | undefined;
  readonly names: KeyNames;
  readonly log: Logger;
}

export interface LiveCatalog {
  /** The records as they were when Redis last told of a change. Empty before the first load. */
  current(): Snapshot;
  /** Milliseconds since it is not known to be current; undefined while it is. */
  staleForMs(): number | undefined;
  /** True once everything has been read for the first time. */
  loaded(): boolean;
  onChange(listener: (snapshot: Snapshot) => void): void;
  /**
   * Resolves once `current()` holds what Redis held for these keys at some moment after the call: whatever Redis
   * acknowledged before it is seen. Keys that are not of the catalog are passed over.
   * @throws ServiceError UNREACHABLE when that takes more than 5 s, or the catalog is stopped
   */
  refresh(keys: readonly string[]): Promise<void>;
  /**
   * Resolves once `current()` holds everything that Redis had acknowledged before the call, whoever wrote it and
   * whatever it was. Where Redis is polled, all of it is read for that. Throws as `refresh` does.
   */
  settle(): Promise<void>;
  /** Begins to load and follow; returns at once, and goes on trying by itself when Redis is away. */
  start(): void;
  stop(): Promise<void>;
}

/** A snapshot of the catalog in memory that follows Redis: what changed, whoever changed it, is read again and nothing else. */
export function createLiveCatalog({ redis, ears, names, log }: LiveCatalogParts): LiveCatalog {
  let snapshot = new Snapshot(NOTHING);
  let loaded = false;
  let stopped = false;
  /** Redis is there and will tell of changes (or is polled): reading makes sense. */
  let listening = false;
  let everything = true;
  const dirty = new Set<string>();
  const refreshes = createRefreshes();
  const reader = createCatalogReader({ redis, names, together: () => (polling ? 'watch' : 'told') });
  /** Counts how often changes may have gone unheard: a read that began before the last time proves nothing. */
  let deafness = 0;
  let staleSince: number | undefined = performance.now();
  /** When the last reading of everything began that came to its end. */
  let currentAsOf = Number.NEGATIVE_INFINITY;
  let working: Promise<void> | undefined;
  const retry = interruptibleWait();
  const listeners: ((snapshot: Snapshot) => void)[] = [];
  const sayFaults = faultSayer(log);
  let polling = false;
  let pollTimer: NodeJS.Timeout | undefined;
  /** When everything was last read, or tried to be. */
  let polledAt = Number.NEGATIVE_INFINITY;

  const tracking =
    ears === undefined || !isSingle(redis)
      ? undefined
      : followChanges({
          redis,
          ears,
          names,
          log,
          onListening() {
            listening = true;
            readEverything();
          },
          onDeaf() {
            listening = false;
            goneDeaf();
          },
          onChange(keys) {
            if (keys === 'everything') return readEverything();
            for (const key of keys) if (names.parse(key) !== undefined) dirty.add(key);
            work();
          },
          onRefused: poll,
        });

  function readEverything(): void {
    everything = true;
    retry.interrupt();
    work();
  }

  function poll(): void {
    polling = true;
    redis.on('close', () => {
      listening = false;
      goneDeaf();
    });
    redis.on('ready', onReady);
    if (redis.status === 'ready') onReady();

    // A Cluster has no nodes before, and would show none of the keys that are searched for.
    function onReady(): void {
      listening = true;
      readEverything();
    }
  }

  function goneDeaf(): void {
    deafness += 1;
    staleSince ??= performance.now();
  }

  /** One reader at a time; what changes while it reads is read in its next round. */
  function work(): void {
    if (working !== undefined || stopped) return;
    clearTimeout(pollTimer);
    if (polling && pollsInMs() === 0) everything = true;
    working = readUntilCurrent().finally(() => {
      working = undefined;
      // Asked for by someone whose turn came between the last look and this one.
      if (hasWork()) return work();
      if (!polling || !listening || stopped) return;
      pollTimer = setTimeout(readEverything, pollsInMs());
    });
  }

  /** From the end of a read of everything, which may take longer than the interval; reads of a few keys do not put it off. */
  function pollsInMs(): number {
    return Math.max(0, polledAt + POLL_INTERVAL_MS - performance.now());
  }

  function hasWork(): boolean {
    return !stopped && listening && (everything || dirty.size > 0);
  }

  async function readUntilCurrent(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (hasWork()) {
      const beganAt = performance.now();
      try {
        await readOnce();
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        everything = true;
        for (const key of refreshes.lost()) dirty.add(key);
        goneDeaf();
        log.warn({ reason: messageOf(error) }, 'The catalog cannot be read from Redis; trying again');
        // Nothing else notices a connection that is open and carries nothing, where no canary is heard.
        const isMute = polling && redis.status === 'ready' && performance.now() - beganAt > MUTE_AFTER_MS;
        if (isMute) redis.disconnect(true);
        await retry.wait(retryMs * (0.5 + Math.random() / 2));
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
  }

  async function readOnce(): Promise<void> {
    const all = everything;
    everything = false;
    const deafAtFirst = deafness;
    const beganAt = performance.now();
    // Before anything is awaited: what is told from now on is read afterwards.
    let keys = takeDirty();
    let parts = snapshot.parts;
    if (all) {
      parts = await reader.everything(parts, keys);
      keys = takeDirty();
    }
    for (let gathered = 1; keys.size > 0; gathered += 1) {
      parts = await reader.some(parts, keys);
      if (gathered === GATHERED_AT_MOST) break;
      keys = takeDirty();
    }
    const changed = parts !== snapshot.parts;
    if (changed) snapshot = new Snapshot(parts);
    if (all) polledAt = performance.now();
    if (all && listening && deafness === deafAtFirst) {
      staleSince = undefined;
      currentAsOf = beganAt;
      if (!loaded) log.info({ integrations: snapshot.parts.tables.integrations.size }, 'The catalog is loaded');
      loaded = true;
    }
    if (changed) {
      sayFaults(snapshot);
      for (const listener of listeners) listener(snapshot);
    }
    refreshes.seen();
  }

  function takeDirty(): Set<string> {
    const keys = new Set(dirty);
    dirty.clear();
    refreshes.begin();
    return keys;
  }

  async function refresh(keys: readonly string[]): Promise<void> {
    const ours = keys.filter((key) => names.parse(key) !== undefined);
    if (ours.length === 0) return;
    if (stopped) throw new ServiceError('UNREACHABLE', 'The catalog is stopped: it follows Redis no longer');
    for (const key of ours) dirty.add(key);
    const seen = refreshes.wait(ours);
    retry.interrupt();
    work();
    await seen;
  }

  return {
    current: () => snapshot,
    staleForMs() {
      const now = performance.now();
      if (staleSince !== undefined) return now - staleSince;
      const overdueMs = polling ? now - currentAsOf - POLL_HOLDS_MS : 0;
      return overdueMs > 0 ? overdueMs : undefined;
    },
    loaded: () => loaded,
    onChange: (listener) => void listeners.push(listener),
    refresh,
    async settle() {
      const isTold = !polling && (await tracking?.caughtUp()) === true;
      if (!isTold) everything = true;
      // A small one: whoever waits for it waits for all that is dirty by now.
      await refresh([names.hash('token-keys')]);
    },
    start() {
      if (tracking === undefined) poll();
      else tracking.start();
    },
    async stop() {
      stopped = true;
      refreshes.end();
      tracking?.stop();
      clearTimeout(pollTimer);
      retry.interrupt();
      await working;
    },
  };
}

function isSingle(redis: Redis | Cluster): redis is Redis {
  return !redis.isCluster;
}

/** Each fault is said once for as long as it stands: a record mended and broken again is said again. */
function faultSayer(log: Logger): (snapshot: Snapshot) => void {
  let said: ReadonlySet<string> = new Set();
  let last: Snapshot | undefined;
  return (snapshot) => {
    const isKnown = last !== undefined && snapshot.hasFaultsOf(last);
    last = snapshot;
    if (isKnown) return;
    const standing = new Set<string>();
    for (const { key, field, message } of snapshot.faults()) {
      const id = JSON.stringify([key, field, message]);
      standing.add(id);
      if (!said.has(id)) {
        log.warn({ key, field, reason: message }, 'A record cannot be read; tasks that need it are refused');
      }
    }
    said = standing;
  };
}

function interruptibleWait(): { wait(ms: number): Promise<void>; interrupt(): void } {
  let interrupt = (): void => {};
  return {
    wait: (ms) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        interrupt = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    interrupt: () => interrupt(),
  };
}
