import type { Cluster, Redis } from 'ioredis';
import type { KeyNames } from '../redis/keys.ts';
import { listKeys, readKeys } from './read-keys.ts';
import { rebuild } from './rebuild.ts';
import { NOTHING, Snapshot } from './snapshot.ts';

/** The catalog as it is now, read once: for commands. */
export async function loadSnapshot(redis: Redis | Cluster, names: KeyNames): Promise<Snapshot> {
  return new Snapshot(await rebuild(NOTHING, names, await readKeys(redis, names, await listKeys(redis, names))));
}
