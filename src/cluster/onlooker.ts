import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { LedgerKeys } from '../redis/keys.ts';
import { LOOK } from './ledger-scripts.ts';

export interface OnlookerParts {
  /** Whose commands reject at once where Redis is away. */
  readonly redis: Redis | Cluster;
  readonly keys: LedgerKeys;
  readonly log: Logger;
  /** Redis may have forgotten what was written, or the connection came back: what is held is to be told again. */
  readonly forgotten: () => void;
}

/**
 * One that takes no tasks and yet has places in lanes: it is no member, so that nobody waits for its beats and no worker's
 * part grows smaller for it, but it keeps what leases are judged by as workers do, also where there is no worker.
 */
export interface Onlooker {
  /** Whether Redis has told, on the connection of now, since when it knows of us: before that no lease is worth asking for. */
  readonly hasLooked: boolean;
  /** Workers that live, as of the last look. */
  readonly workers: number;
  /** One look. Rejects when Redis does not answer. */
  look(): Promise<void>;
  /** Looks every 2 s, and as soon as the connection is up. */
  start(): void;
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;

const lookReply = z.tuple([z.string(), z.string(), z.number()]);

export function createOnlooker({ redis, keys, log, forgotten }: OnlookerParts): Onlooker {
  let known: { readonly epoch: string; readonly run: string } | undefined;
  let hasLooked = false;
  let workers = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let said = false;

  const lost = (): void => {
    hasLooked = false;
  };

  async function look(): Promise<void> {
    const isFirstOfConnection = !hasLooked;
    const [epoch, run, living] = lookReply.parse(await LOOK.run(redis, [keys.workers, keys.epoch, keys.primary], []));
    const forgot = known !== undefined && (isFirstOfConnection || known.epoch !== epoch || known.run !== run);
    known = { epoch, run };
    workers = living;
    hasLooked = true;
    if (forgot) forgotten();
  }

  function tick(): void {
    if (redis.status !== 'ready') return;
    looking ??= look()
      .then(
        () => {
          said = false;
        },
        (error: unknown) => {
          if (!said) log.warn({ reason: messageOf(error) }, 'Redis does not say who works; trying again');
          said = true;
        },
      )
      .finally(() => {
        looking = undefined;
      });
  }

  return {
    get hasLooked() {
      return hasLooked;
    },
    get workers() {
      return workers;
    },
    look,
    start() {
      if (timer !== undefined) return;
      timer = setInterval(tick, LOOK_EVERY_MS).unref();
      for (const event of ['close', '-node']) redis.on(event, lost);
      redis.on('ready', tick);
      tick();
    },
    async stop() {
      clearInterval(timer);
      for (const event of ['close', '-node']) redis.off(event, lost);
      redis.off('ready', tick);
      await looking;
    },
  };
}
