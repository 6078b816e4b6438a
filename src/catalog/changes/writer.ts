import type { Cluster, Redis } from 'ioredis';
import pLimit from 'p-limit';
import { ServiceError } from '../../errors.ts';
import { commit } from '../../redis/commit.ts';
import { type Edit, isWrite } from '../../redis/edits.ts';
import type { Trail } from '../../redis/trail.ts';
import type { LiveCatalog } from '../live-catalog.ts';
import type { Snapshot } from '../snapshot.ts';

export interface PlannedChange<T> {
  readonly edits: readonly Edit[];
  /** What the caller is told once it is written. */
  readonly result: T;
}

export interface CatalogWriter {
  /**
   * Plans a change on what is known, and writes it whole where Redis still holds what was planned upon; else plans it
   * anew on what is there by now. Once it resolves, `catalog.current()` holds it. A refusal that `plan` throws counts only when it
   * is thrown on fresh records too: `keys` are those it looks at. Throws CATALOG_CHANGED after several vain attempts, UNREACHABLE.
   */
  change<T>(keys: readonly string[], plan: (snapshot: Snapshot) => PlannedChange<T>): Promise<T>;
}

/** Each attempt is a moment; as many as this in vain mean that somebody writes the same record all the time. */
const ATTEMPTS = 20;

export function createCatalogWriter({
  redis,
  catalog,
  trailNow,
}: {
  readonly redis: Redis | Cluster;
  readonly catalog: Pick<LiveCatalog, 'current' | 'refresh'>;
  /** How a change goes on record, asked when it is begun: whose doing it is depends on who asks for it. */
  readonly trailNow: () => Trail;
}): CatalogWriter {
  async function planOnFresh<T>(keys: readonly string[], plan: (snapshot: Snapshot) => PlannedChange<T>) {
    try {
      return plan(catalog.current());
    } catch {
      await catalog.refresh(keys);
      return plan(catalog.current());
    }
  }

  /** Undefined where something was not what was planned upon; what it is by now is known then. */
  async function attempt<T>(
    keys: readonly string[],
    plan: (snapshot: Snapshot) => PlannedChange<T>,
    trail: Trail,
  ): Promise<{ result: T } | undefined> {
    const { edits, result } = await planOnFresh(keys, plan);
    if (edits.length === 0) return { result };
    const isWritten = await commit(redis, edits, trail);
    await catalog.refresh(isWritten ? written(edits) : [...new Set([...keys, ...edits.map(({ key }) => key)])]);
    return isWritten ? { result } : undefined;
  }

  // Whoever came too late once waits for the others who did: else many who change one record at once spend their attempts on each other.
  const oneAtATime = pLimit(1);

  return {
    async change(keys, plan) {
      const trail = trailNow();
      let done = await attempt(keys, plan, trail);
      for (let more = 1; done === undefined && more < ATTEMPTS; more += 1) {
        done = await oneAtATime(() => attempt(keys, plan, trail));
      }
      if (done !== undefined) return done.result;
      throw new ServiceError(
        'CATALOG_CHANGED',
        'Somebody keeps changing the same records; nothing was written. Try again',
      );
    },
  };
}

function written(edits: readonly Edit[]): string[] {
  return [...new Set(edits.filter(isWrite).map(({ key }) => key))];
}
