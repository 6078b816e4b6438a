import type { Cluster, Redis } from 'ioredis';
import { scanPages } from '../redis/connect.ts';
import { HASH_KINDS, type KeyNames } from '../redis/keys.ts';
import { createPacer } from './pacer.ts';
import { createKeyReader, type Together } from './read-keys.ts';
import { createRebuilding } from './rebuild.ts';
import type { SnapshotParts } from './snapshot.ts';

/** Brings the parts of a snapshot up to Redis. Both reject when Redis cannot be reached; the parts given stay as they are. */
export interface CatalogReader {
  /** These keys, and whatever else there is. */
  everything(parts: SnapshotParts, keys: Iterable<string>): Promise<SnapshotParts>;
  /** These keys alone. */
  some(parts: SnapshotParts, keys: Iterable<string>): Promise<SnapshotParts>;
}

export interface CatalogReaderParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly together: () => Together;
}

export function createCatalogReader({ redis, names, together }: CatalogReaderParts): CatalogReader {
  const reader = createKeyReader(redis, names, together);

  return {
    async everything(parts, keys) {
      const pacer = createPacer();
      const rebuilding = createRebuilding(parts, names, pacer);
      const met = new Set<string>();
      let waiting: string[] = [];
      const meet = (key: string): void => {
        if (met.has(key)) return;
        met.add(key);
        waiting.push(key);
      };
      const read = async (atLeast: number): Promise<void> => {
        while (waiting.length >= Math.max(1, atLeast)) {
          const page = waiting.slice(0, reader.keysAtOnce);
          waiting = waiting.slice(page.length);
          for await (const pieces of reader.read(page)) await rebuilding.take(pieces);
        }
      };

      for (const kind of HASH_KINDS) meet(names.hash(kind));
      for (const key of keys) meet(key);
      for (const pattern of names.familyPatterns) {
        for await (const page of scanPages(redis, pattern)) {
          for (const key of page) meet(key);
          await read(reader.keysAtOnce);
        }
      }
      // Keys that were there and are gone must be read, too, as the nothing they now are.
      for (const key of keysOf(parts, names)) {
        meet(key);
        if (!pacer.due()) continue;
        await pacer.giveWay();
        await read(reader.keysAtOnce);
      }
      await read(1);
      return rebuilding.done();
    },

    async some(parts, keys) {
      const rebuilding = createRebuilding(parts, names);
      for await (const pieces of reader.read([...keys])) await rebuilding.take(pieces);
      return rebuilding.done();
    },
  };
}

/** The keys that only exist while they hold something, as far as the parts know them. */
function* keysOf({ members, grants, badGrants, keyFaults }: SnapshotParts, names: KeyNames): Iterable<string> {
  for (const group of members.keys()) yield names.members(group);
  for (const subject of grants.keys()) yield names.grants(subject);
  for (const subject of badGrants.keys()) yield names.grants(subject);
  yield* keyFaults.keys();
}
