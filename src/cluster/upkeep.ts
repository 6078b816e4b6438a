import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import type { HeldTask } from '../workers/ledger/ledger.ts';
import type { Claims } from './claims.ts';
import type { Clock, Membership } from './membership.ts';

/** What a worker must know of, each called in turn; what a listener throws is logged. */
export interface LedgerListener {
  /** Polls of a worker that is gone are ours now: to be rescued (`src/workers/ledger/rescue.ts`). */
  takenOver?(tasks: readonly HeldTask[], from: string): void;
  /** We were taken for dead: nothing that was polled under that name is ours any more. */
  declaredDead?(formerIncarnation: string): void;
  /** Redis may have forgotten what was written. Claims are asserted here; what else is kept there must be, too. */
  forgotten?(): void;
}

export interface UpkeepParts {
  readonly redis: Redis | Cluster;
  readonly membership: Membership;
  readonly claims: Claims;
  /** Writes what waits for a script. */
  readonly flush: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps this worker a member, its claims on record, and takes over from those who are gone. */
export interface Upkeep {
  listen(listener: LedgerListener): void;
  /** One at a time. Rejects when Redis does not answer. */
  beat(): Promise<void>;
  /** A beat, and what follows of it. Never rejects. */
  tick(): Promise<void>;
  start(): void;
  /** No more beats; resolves when the last has ended. What memory holds is then on record, or it rejects. */
  stop(): Promise<void>;
  /** What memory holds may not be in Redis: it is written with the next tick. */
  assertSoon(): void;
  /** What is ours in Redis may not be in memory: it is looked for with the next tick. */
  reconcileSoon(): void;
}

const BEAT_MS = 2_000;
/** Claims expire after a day: what is held for longer is written again. */
const ASSERT_EVERY_MS = 3_600_000;

export function createUpkeep({ redis, membership, claims, flush, clock, log }: UpkeepParts): Upkeep {
  const listeners: LedgerListener[] = [];
  let beating: Promise<void> | undefined;
  let ticking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let state: 'new' | 'started' | 'stopped' = 'new';
  let redisIsAway = false;
  let mustAssert = false;
  let mustReconcile = false;
  let assertedAt = clock.monotonic();
  /** Whose claims are for the taking. Our own former names among them: Redis may have lost that they were members. */
  const dead = new Set<string>();

  function tell(told: (listener: LedgerListener) => void): void {
    for (const listener of listeners) {
      try {
        told(listener);
      } catch (error) {
        log.error({ err: error }, 'A listener of the ledger met a fault of this worker');
      }
    }
  }

  function beat(): Promise<void> {
    beating ??= beatOnce().finally(() => {
      beating = undefined;
    });
    return beating;
  }

  async function beatOnce(): Promise<void> {
    const news = await membership.beat();
    if (news.diedAs !== undefined) {
      const diedAs = news.diedAs;
      claims.forgetAll();
      dead.add(diedAs);
      tell((listener) => listener.declaredDead?.(diedAs));
      return await beatOnce();
    }
    for (const one of news.dead) dead.add(one);
    if (news.forgot) {
      mustAssert = true;
      log.warn('Redis may have forgotten what workers hold; it is written again');
      tell((listener) => listener.forgotten?.());
    }
  }

  function tick(): Promise<void> {
    ticking ??= tickOnce().finally(() => {
      ticking = undefined;
    });
    return ticking;
  }

  async function tickOnce(): Promise<void> {
    try {
      await beat();
      if (mustAssert || clock.monotonic() - assertedAt > ASSERT_EVERY_MS) await assertAll();
      for (const one of dead) await takeOver(one);
      if (mustReconcile) {
        const found = await claims.reconcile();
        mustReconcile = false;
        if (found.length > 0) tell((listener) => listener.takenOver?.(found, 'a lost answer'));
      }
      await flush();
      if (redisIsAway) log.info('The ledger in Redis answers again');
      redisIsAway = false;
    } catch (error) {
      if (!redisIsAway) log.warn({ reason: messageOf(error) }, 'The ledger in Redis does not answer; trying again');
      redisIsAway = true;
    }
  }

  async function assertAll(): Promise<void> {
    mustAssert = false;
    try {
      await claims.assertAll();
      assertedAt = clock.monotonic();
    } catch (error) {
      mustAssert = true;
      throw error;
    }
  }

  async function takeOver(one: string): Promise<void> {
    // The next beat names it again if anything is left.
    dead.delete(one);
    try {
      const taken = await claims.takeOver(one);
      if (taken.length > 0) {
        log.info({ from: one, tasks: taken.length }, 'Tasks of a worker that is gone are taken over');
        tell((listener) => listener.takenOver?.(taken, one));
      }
    } catch (error) {
      dead.add(one);
      mustReconcile = true;
      throw error;
    }
  }

  /** With jitter, so that not all replicas look for the dead at the same moment. */
  function tickAgain(): void {
    clearTimeout(timer);
    if (state === 'stopped') return;
    timer = setTimeout(tickNow, BEAT_MS * (0.9 + Math.random() / 5));
  }

  function tickNow(): void {
    clearTimeout(timer);
    if (state === 'started') void tick().then(tickAgain);
  }

  redis.on('ready', tickNow);

  return {
    listen: (listener) => void listeners.push(listener),
    beat,
    tick,
    start() {
      if (state !== 'new') return;
      state = 'started';
      tickNow();
    },
    async stop() {
      state = 'stopped';
      redis.off('ready', tickNow);
      clearTimeout(timer);
      await ticking;
      // What others are to take over must be on record.
      if (mustAssert && claims.held.size > 0) await assertAll();
    },
    assertSoon() {
      mustAssert = true;
    },
    reconcileSoon() {
      mustReconcile = true;
    },
  };
}
