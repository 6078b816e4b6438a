/** Bits of a key's hash that pick one of a branch's children. */
const BITS = 4;
const WIDTH = 1 << BITS;
/** A leaf that would grow beyond this becomes a branch; below the last bits of a hash it grows on. */
const LEAF_AT_MOST = 64;
const LAST_SHIFT = 28;

/** An edit under way: it may change the nodes that it made itself. */
type Owner = object;

interface Leaf<V> {
  readonly owner: Owner | undefined;
  readonly entries: Map<string, V>;
}

interface Branch<V> {
  readonly owner: Owner | undefined;
  readonly children: (Node<V> | undefined)[];
}

type Node<V> = Leaf<V> | Branch<V>;

/**
 * A map that never changes, and of which a changed copy costs as much as the change: a tree by the hash of its keys,
 * whose copies share all they have in common. Up to 64 entries stay in the order in which they were set; more have none.
 */
export class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly size: number;
  readonly #root: Node<V>;

  /** Empty; a map with entries is made by `edit`. */
  constructor();
  constructor(root: Node<V>, size: number);
  constructor(root: Node<V> = { owner: undefined, entries: new Map() }, size = 0) {
    this.#root = root;
    this.size = size;
  }

  get(key: string): V | undefined {
    return leafOf(this.#root, key)?.entries.get(key);
  }

  has(key: string): boolean {
    return leafOf(this.#root, key)?.entries.has(key) === true;
  }

  /** Changes to a copy of this map, which itself stays as it is. */
  edit(): MapEdit<V> {
    return createEdit(this, this.#root);
  }

  *entries(): Generator<[string, V], undefined, undefined> {
    for (const { entries } of leavesOf(this.#root)) yield* entries;
  }

  *keys(): Generator<string, undefined, undefined> {
    for (const { entries } of leavesOf(this.#root)) yield* entries.keys();
  }

  *values(): Generator<V, undefined, undefined> {
    for (const { entries } of leavesOf(this.#root)) yield* entries.values();
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
  /** The edited map; the one that was edited where nothing has changed in the end of each step. The edit is over then. */
  done(): PersistentMap<V>;
}

function createEdit<V>(before: PersistentMap<V>, from: Node<V>): MapEdit<V> {
  const owner: Owner = {};
  let root = from;
  let size = before.size;
  return {
    get size() {
      return size;
    },
    get: (key) => leafOf(root, key)?.entries.get(key),
    set(key, value) {
      const hash = hashOf(key);
      const known = leafAt(root, hash)?.entries;
      const isNew = known?.has(key) !== true;
      if (!isNew && known.get(key) === value) return;
      root = withEntry(root, owner, key, value, hash, 0);
      if (isNew) size += 1;
    },
    delete(key) {
      const hash = hashOf(key);
      if (leafAt(root, hash)?.entries.has(key) !== true) return;
      size -= 1;
      root = size === 0 ? { owner, entries: new Map() } : withoutEntry(root, owner, key, hash, 0);
    },
    done: () => (root === from ? before : new PersistentMap(root, size)),
  };
}

function isLeaf<V>(node: Node<V>): node is Leaf<V> {
  return 'entries' in node;
}

/** The leaf of a key, without a look at its hash where there is but one. */
function leafOf<V>(root: Node<V>, key: string): Leaf<V> | undefined {
  return isLeaf(root) ? root : leafAt(root, hashOf(key));
}

function leafAt<V>(root: Node<V>, hash: number): Leaf<V> | undefined {
  let node: Node<V> | undefined = root;
  for (let left = hash; node !== undefined && !isLeaf(node); left >>>= BITS) node = node.children[left & (WIDTH - 1)];
  return node;
}

function withEntry<V>(node: Node<V>, owner: Owner, key: string, value: V, hash: number, shift: number): Node<V> {
  if (!isLeaf(node)) {
    const own = ownBranch(node, owner);
    const index = (hash >>> shift) & (WIDTH - 1);
    const child = own.children[index] ?? { owner, entries: new Map<string, V>() };
    own.children[index] = withEntry(child, owner, key, value, hash, shift + BITS);
    return own;
  }
  const own = ownLeaf(node, owner);
  own.entries.set(key, value);
  return own.entries.size > LEAF_AT_MOST && shift <= LAST_SHIFT ? split(own, owner, shift) : own;
}

function withoutEntry<V>(node: Node<V>, owner: Owner, key: string, hash: number, shift: number): Node<V> {
  if (isLeaf(node)) {
    const own = ownLeaf(node, owner);
    own.entries.delete(key);
    return own;
  }
  const own = ownBranch(node, owner);
  const index = (hash >>> shift) & (WIDTH - 1);
  const child = own.children[index];
  if (child === undefined) return own;
  const left = withoutEntry(child, owner, key, hash, shift + BITS);
  own.children[index] = isLeaf(left) && left.entries.size === 0 ? undefined : left;
  return own;
}

function split<V>(leaf: Leaf<V>, owner: Owner, shift: number): Branch<V> {
  const children: (Leaf<V> | undefined)[] = new Array(WIDTH).fill(undefined);
  for (const [key, value] of leaf.entries) {
    const index = (hashOf(key) >>> shift) & (WIDTH - 1);
    let child = children[index];
    if (child === undefined) {
      child = { owner, entries: new Map() };
      children[index] = child;
    }
    child.entries.set(key, value);
  }
  return { owner, children };
}

function ownLeaf<V>(leaf: Leaf<V>, owner: Owner): Leaf<V> {
  return leaf.owner === owner ? leaf : { owner, entries: new Map(leaf.entries) };
}

function ownBranch<V>(branch: Branch<V>, owner: Owner): Branch<V> {
  return branch.owner === owner ? branch : { owner, children: [...branch.children] };
}

function* leavesOf<V>(root: Node<V>): Generator<Leaf<V>, undefined, undefined> {
  const open: Node<V>[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (isLeaf(node)) yield node;
    else for (const child of node.children) if (child !== undefined) open.push(child);
  }
}

/** FNV-1a, and its bits mixed (the end of MurmurHash3), since the low ones alone pick the first children. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
