import type { Cluster, Redis } from 'ioredis';
import type { KeyNames } from '../redis/keys.ts';
import { createCatalogReader } from './read-catalog.ts';
import { NOTHING, Snapshot } from './snapshot.ts';

/** The catalog as it is now, read once: for commands. No other transaction may use the connection meanwhile. */
export async function loadSnapshot(redis: Redis | Cluster, names: KeyNames): Promise<Snapshot> {
  const reader = createCatalogReader({ redis, names, together: () => 'watch' });
  return new Snapshot(await reader.everything(NOTHING, []));
}
