import type { Cluster, Redis } from 'ioredis';
import { ServiceError } from '../../errors.ts';
import { commit } from '../../redis/commit.ts';
import { type Edit, isFieldEdit } from '../../redis/edits.ts';
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
const ATTEMPTS = 10;

export function createCatalogWriter({
  redis,
  catalog,
}: {
  readonly redis: Redis | Cluster;
  readonly catalog: Pick<LiveCatalog, 'current' | 'refresh'>;
}): CatalogWriter {
  async function planOnFresh<T>(keys: readonly string[], plan: (snapshot: Snapshot) => PlannedChange<T>) {
    try {
      return plan(catalog.current());
    } catch {
      await catalog.refresh(keys);
      return plan(catalog.current());
    }
  }

  return {
    async change(keys, plan) {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
        const { edits, result } = await planOnFresh(keys, plan);
        if (edits.length === 0) return result;
        const looked = [...new Set([...keys, ...edits.map(({ key }) => key)])];
        if (await commit(redis, edits)) {
          await catalog.refresh(written(edits));
          return result;
        }
        await catalog.refresh(looked);
      }
      throw new ServiceError(
        'CATALOG_CHANGED',
        'Somebody keeps changing the same records; nothing was written. Try again',
      );
    },
  };
}

function written(edits: readonly Edit[]): string[] {
  return [...new Set(edits.filter((edit) => !isFieldEdit(edit) || edit.before !== edit.after).map(({ key }) => key))];
}
