import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { LedgerKeys } from '../redis/keys.ts';
import type { HeldTask, Suspect } from '../workers/ledger/ledger.ts';
import { ACQUIT, ELECT, SUSPECT, SUSPECTS } from './ledger-scripts.ts';

/** How long one replica is the one that looks, unless it says so again. */
const ELECTED_FOR_MS = 30_000;

const suspectsReply = z.tuple([z.string()]).rest(z.tuple([z.string(), z.string(), z.number()]));
const moments = /^(\d{1,15})(?: (\d{1,15}))?$/;
const claimText = /^(\d+) ./;

export interface SuspectListParts {
  readonly redis: Redis | Cluster;
  readonly keys: LedgerKeys;
  readonly log: Logger;
}

/** The part of the port `Suspects` that is kept in Redis alone. */
export interface SuspectList {
  suspect(incarnation: string): Promise<void>;
  suspects(): Promise<{ readonly now: number; readonly found: readonly Suspect[] }>;
  acquit(suspect: Suspect): Promise<void>;
  elect(incarnation: string): Promise<boolean>;
  unclaimed(tasks: readonly HeldTask[]): Promise<readonly HeldTask[]>;
}

export function createSuspectList({ redis, keys, log }: SuspectListParts): SuspectList {
  const said = new Set<string>();
  return {
    async suspect(incarnation) {
      await SUSPECT.run(redis, [keys.suspects], [incarnation]);
    },
    async suspects() {
      const [now, ...entries] = suspectsReply.parse(await SUSPECTS.run(redis, [keys.suspects, keys.workers], []));
      const found = entries.flatMap(([incarnation, text, living]): Suspect[] => {
        const [, since, latest = since] = moments.exec(text) ?? [];
        if (since !== undefined) {
          return [{ incarnation, since: Number(since), latest: Number(latest), living: living === 1 }];
        }
        if (!said.has(incarnation)) log.warn({ key: keys.suspects, field: incarnation }, 'No moment; skipped');
        said.add(incarnation);
        return [];
      });
      return { now: Number(now), found };
    },
    async acquit({ incarnation, latest }) {
      await ACQUIT.run(redis, [keys.suspects], [incarnation, String(latest)]);
    },
    async elect(incarnation) {
      return (await ELECT.run(redis, [keys.sweep, keys.workers], [incarnation, ELECTED_FOR_MS])) === 1;
    },
    async unclaimed(tasks) {
      if (tasks.length === 0) return [];
      const claims = await redis.mget(tasks.map(({ taskId }) => keys.claim(taskId)));
      return tasks.filter(({ pollCount }, index) => {
        const claimed = claimText.exec(claims[index] ?? '')?.[1];
        return claimed === undefined || Number(claimed) < pollCount;
      });
    },
  };
}
