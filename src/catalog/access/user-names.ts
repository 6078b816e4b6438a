import { hashOf } from '../persistent-map.ts';

/**
 * Users by name: of each name its hash and a number, open-addressed, in shards by the hash. The names themselves stand in
 * the users' rows, which are looked at in any case: `isIt` compares. Never changed once an index holds it.
 */
export interface UserNames {
  readonly size: number;
  readonly shards: readonly Int32Array[];
  /** Of each shard, how many slots are taken, by users or by what was deleted. */
  readonly taken: readonly number[];
}

const SHARD_BITS = 6;
const SHARDS = 1 << SHARD_BITS;
/** Words a slot: the hash, and the number of the user: 0 where there is none, `GONE` where there was one. */
const SLOT = 2;
const GONE = -1;
const FEWEST_SLOTS = 4;

export const NO_USERS: UserNames = {
  size: 0,
  shards: new Array(SHARDS).fill(new Int32Array(FEWEST_SLOTS * SLOT)),
  taken: new Array(SHARDS).fill(0),
};

/** The number of the user of whom `isIt` says yes; 0 where there is none. */
export function findUser({ shards }: UserNames, name: string, isIt: (user: number) => boolean): number {
  const hash = hashOf(name);
  const shard = shards[hash & (SHARDS - 1)] as Int32Array;
  const slot = slotOf(shard, hash, isIt);
  return slot < 0 ? 0 : (shard[slot + 1] as number);
}

/** Where a name stands in its shard; -1 where it does not. */
function slotOf(shard: Int32Array, hash: number, isIt: (user: number) => boolean): number {
  const last = shard.length / SLOT - 1;
  for (let at = firstAt(hash) & last; ; at = (at + 1) & last) {
    const user = shard[at * SLOT + 1] as number;
    if (user === 0) return -1;
    if (shard[at * SLOT] === hash && user !== GONE && isIt(user)) return at * SLOT;
  }
}

function firstAt(hash: number): number {
  return hash >>> SHARD_BITS;
}

export interface UserNamesEdit {
  find(name: string, isIt: (user: number) => boolean): number;
  /** A name that is not there yet; `user` at least 1. */
  add(name: string, user: number): void;
  /** One that is there. */
  delete(name: string, isIt: (user: number) => boolean): void;
  done(): UserNames;
}

/** Changes to a copy: it costs as much as the shards that are changed. */
export function editUserNames(before: UserNames): UserNamesEdit {
  const shards = [...before.shards];
  const taken = [...before.taken];
  const own = new Set<number>();
  let { size } = before;

  function put(shard: Int32Array, hash: number, user: number): void {
    const last = shard.length / SLOT - 1;
    let at = firstAt(hash) & last;
    while (shard[at * SLOT + 1] !== 0) at = (at + 1) & last;
    shard[at * SLOT] = hash;
    shard[at * SLOT + 1] = user;
  }

  /** With so many free slots more; a fifth stay free, so that every search ends soon. */
  function ownShard(index: number, more: number): Int32Array {
    const shard = shards[index] as Int32Array;
    const slots = shard.length / SLOT;
    const isFull = ((taken[index] as number) + more) * 5 > slots * 4;
    if (own.has(index) && !isFull) return shard;
    const made = isFull ? regrown(index, shard, more) : shard.slice();
    shards[index] = made;
    own.add(index);
    return made;
  }

  function regrown(index: number, shard: Int32Array, more: number): Int32Array {
    let live = 0;
    for (let at = 1; at < shard.length; at += SLOT) if ((shard[at] as number) > 0) live += 1;
    let slots = FEWEST_SLOTS;
    while ((live + more) * 2 > slots) slots *= 2;
    const made = new Int32Array(slots * SLOT);
    for (let at = 0; at < shard.length; at += SLOT) {
      const user = shard[at + 1] as number;
      if (user > 0) put(made, shard[at] as number, user);
    }
    taken[index] = live;
    return made;
  }

  return {
    find: (name, isIt) => findUser({ size, shards, taken }, name, isIt),
    add(name, user) {
      const hash = hashOf(name);
      const index = hash & (SHARDS - 1);
      put(ownShard(index, 1), hash, user);
      taken[index] = (taken[index] as number) + 1;
      size += 1;
    },
    delete(name, isIt) {
      const hash = hashOf(name);
      const shard = ownShard(hash & (SHARDS - 1), 0);
      const slot = slotOf(shard, hash, isIt);
      if (slot < 0) return;
      shard[slot + 1] = GONE;
      size -= 1;
    },
    done: () => (own.size === 0 ? before : { size, shards, taken }),
  };
}
