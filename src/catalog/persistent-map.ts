/** How many shards a map has, by how many entries it may hold before it gets more. */
const GROWTH = [
  { shards: 1, entriesAtMost: 64 },
  { shards: 64, entriesAtMost: 2_048 },
  { shards: 4_096, entriesAtMost: Number.POSITIVE_INFINITY },
] as const;

/** Undefined while it is empty. A shard that a map holds is never changed again. */
type Shard<V> = Map<string, V> | undefined;

/**
 * A map that never changes, and of which a changed copy costs as much as the change: its entries are in shards by the
 * hash of their keys, and copies share the shards that they have in common. Two steps lead to an entry, for each step to
 * a place far off in memory is waited for. Up to 64 entries stay in the order in which they were set; more have none.
 */
export class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly size: number;
  readonly #shards: readonly Shard<V>[];

  /** Empty; a map with entries is made by `edit`. */
  constructor();
  constructor(shards: readonly Shard<V>[], size: number);
  constructor(shards: readonly Shard<V>[] = [undefined], size = 0) {
    this.#shards = shards;
    this.size = size;
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key, this.#shards.length)]?.get(key);
  }

  has(key: string): boolean {
    return this.#shards[shardOf(key, this.#shards.length)]?.has(key) === true;
  }

  /** Changes to a copy of this map, which itself stays as it is. */
  edit(): MapEdit<V> {
    return createEdit(this, this.#shards);
  }

  *entries(): Generator<[string, V], undefined, undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard;
  }

  *keys(): Generator<string, undefined, undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.keys();
  }

  *values(): Generator<V, undefined, undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.values();
  }

  [Symbol.iterator](): Generator<[string, V], undefined, undefined> {
    return this.entries();
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this) visit(value, key, this);
  }
}

export interface MapEdit<V> {
  readonly size: number;
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
  /** The edited map; the one that was edited where no step has changed anything. The edit is over then. */
  done(): PersistentMap<V>;
}

function createEdit<V>(before: PersistentMap<V>, from: readonly Shard<V>[]): MapEdit<V> {
  /** The copy, once there is a change. */
  let shards: Shard<V>[] | undefined;
  let size = before.size;
  /** Shards that this edit has made itself, and may change. */
  const own = new Set<Shard<V>>();
  const now = (): readonly Shard<V>[] => shards ?? from;

  function ownShard(index: number): Map<string, V> {
    shards ??= [...from];
    const shard = shards[index];
    if (shard !== undefined && own.has(shard)) return shard;
    const copy = new Map(shard);
    own.add(copy);
    shards[index] = copy;
    return copy;
  }

  function grow(entries: readonly Shard<V>[], to: number): void {
    shards = new Array<Shard<V>>(to).fill(undefined);
    own.clear();
    for (const shard of entries) {
      for (const [key, value] of shard ?? []) ownShard(shardOf(key, to)).set(key, value);
    }
  }

  return {
    get size() {
      return size;
    },
    get(key) {
      return now()[shardOf(key, now().length)]?.get(key);
    },
    set(key, value) {
      const index = shardOf(key, now().length);
      const known = now()[index];
      const isNew = known?.has(key) !== true;
      if (!isNew && known.get(key) === value) return;
      ownShard(index).set(key, value);
      if (!isNew) return;
      size += 1;
      const wanted = GROWTH.find(({ entriesAtMost }) => size <= entriesAtMost)?.shards ?? 1;
      if (wanted > now().length) grow(now(), wanted);
    },
    delete(key) {
      const index = shardOf(key, now().length);
      if (now()[index]?.has(key) !== true) return;
      const shard = ownShard(index);
      shard.delete(key);
      size -= 1;
      if (shard.size === 0 && shards !== undefined) shards[index] = undefined;
    },
    done: () => (shards === undefined ? before : new PersistentMap(shards, size)),
  };
}

function shardOf(key: string, shards: number): number {
  return shards === 1 ? 0 : hashOf(key) & (shards - 1);
}

/** Two characters at a time by FNV-1a's step, and its bits mixed (the end of MurmurHash3), for any of them may be taken alone. */
export function hashOf(key: string): number {
  const { length } = key;
  let hash = 0x811c9dc5;
  let index = 1;
  for (; index < length; index += 2) {
    hash = Math.imul(hash ^ (key.charCodeAt(index - 1) | (key.charCodeAt(index) << 16)), 0x01000193);
  }
  if (index === length) hash = Math.imul(hash ^ key.charCodeAt(index - 1), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
