import type { ChainableCommander, Cluster, Redis } from 'ioredis';
import { scanKeys } from '../redis/connect.ts';
import { HASH_KINDS, type KeyNames } from '../redis/keys.ts';

/** What one key of the catalog holds, or a part of it: `field, value, field, value, …` of a hash, members of a set. */
export interface KeyPiece {
  readonly key: string;
  readonly content:
    | { readonly kind: 'items'; readonly items: readonly string[] }
    /** It holds something that it should not. */
    | { readonly kind: 'wrong'; readonly message: string };
  /** Nothing more of this key follows. The pieces of one key follow each other; an element may be in two of them. */
  readonly last: boolean;
}

/** What one key holds, whole: a hash (field → JSON or access), a set of members, or something it should not. */
export type KeyContent =
  | { readonly kind: 'hash'; readonly fields: Readonly<Record<string, string>> }
  | { readonly kind: 'set'; readonly members: readonly string[] }
  | { readonly kind: 'wrong'; readonly message: string };

/**
 * How what one change wrote together comes to be seen together, where it takes several replies to read it.
 * `told`: whoever reads is told what changes meanwhile, and reads that again. `watch`: by WATCH, and again where somebody
 * wrote. `watched`: the caller has the keys under WATCH, and no transaction here may end it.
 */
export type Together = 'told' | 'watch' | 'watched';

export interface KeyReader {
  /** As many keys as one call to `read` should be given: they are read at one moment of Redis. At most 200. */
  readonly keysAtOnce: number;
  /** Rejects when Redis cannot be reached. */
  read(keys: readonly string[]): AsyncIterable<readonly KeyPiece[]>;
}

/** Bounds of the keys that one transaction reads: Redis and our event loop stay free for others. */
const MOST_KEYS_AT_ONCE = 200;
const FEWEST_KEYS_AT_ONCE = 10;
/** Fields and values that one reply should bring; the keys of the next are counted by those of the last. */
const STRINGS_AT_ONCE = 2_000;
/** What one step of a scan brings of a key, about: a hash or set no larger comes whole. */
const ELEMENTS_AT_ONCE = 500;
/** How often keys are read that somebody writes all the time, before they are taken as they come. */
const WATCHED_AT_MOST = 5;

export function createKeyReader(redis: Redis | Cluster, names: KeyNames, together: () => Together): KeyReader {
  let keysAtOnce = MOST_KEYS_AT_ONCE;
  const isSet = (key: string): boolean => names.parse(key)?.kind === 'members';

  /** The beginning of each key, at one moment where it is a transaction. Most keys are small and have no more. */
  async function beginnings(reads: ChainableCommander, keys: readonly string[]): Promise<Scanned[]> {
    for (const key of keys) {
      if (isSet(key)) reads.sscan(key, 0, 'COUNT', ELEMENTS_AT_ONCE);
      else reads.hscan(key, 0, 'COUNT', ELEMENTS_AT_ONCE);
    }
    const replies = await reads.exec();
    if (replies === null) throw new Error('Redis discarded the transaction that reads the catalog');
    const scanned = replies.map(([error, reply], index) => scannedOf(keys[index] ?? '', error, reply));
    const strings = scanned.reduce((sum, { items }) => sum + items.length, 0);
    const fit = Math.round((keys.length * STRINGS_AT_ONCE) / Math.max(1, strings));
    keysAtOnce = Math.min(MOST_KEYS_AT_ONCE, Math.max(FEWEST_KEYS_AT_ONCE, fit));
    return scanned;
  }

  async function* rest({ key, cursor }: Scanned): AsyncGenerator<KeyPiece> {
    for (let at = cursor; at !== '0'; ) {
      const reply = isSet(key)
        ? redis.sscan(key, at, 'COUNT', ELEMENTS_AT_ONCE)
        : redis.hscan(key, at, 'COUNT', ELEMENTS_AT_ONCE);
      const scanned = await reply.then(
        (answer) => scannedOf(key, null, answer),
        (error: Error) => scannedOf(key, error, undefined),
      );
      yield pieceOf(scanned);
      at = scanned.cursor;
    }
  }

  async function* piecesOf(scanned: readonly Scanned[]): AsyncGenerator<readonly KeyPiece[]> {
    yield scanned.filter(isWhole).map(pieceOf);
    for (const large of scanned) {
      if (isWhole(large)) continue;
      yield [pieceOf(large)];
      for await (const piece of rest(large)) yield [piece];
    }
  }

  async function watchedPieces(keys: readonly string[]): Promise<KeyPiece[]> {
    for (let attempt = 1; ; attempt += 1) {
      await redis.watch([...keys]);
      const pieces: KeyPiece[] = [];
      for await (const some of piecesOf(await beginnings(redis.pipeline(), keys))) pieces.push(...some);
      const unchanged = await redis
        .multi()
        .exists(keys[0] ?? '')
        .exec();
      if (unchanged !== null || attempt === WATCHED_AT_MOST) return pieces;
    }
  }

  return {
    get keysAtOnce() {
      return keysAtOnce;
    },
    async *read(keys) {
      for (let start = 0; start < keys.length; ) {
        const page = keys.slice(start, start + keysAtOnce);
        start += page.length;
        const how = together();
        const scanned = await beginnings(how === 'watched' ? redis.pipeline() : redis.multi(), page);
        if (how === 'watch' && !scanned.every(isWhole)) yield await watchedPieces(page);
        else yield* piecesOf(scanned);
      }
    },
  };
}

/** Every key of the catalog that exists now, and every hash of records, whether it exists or not. */
export async function listKeys(redis: Redis | Cluster, names: KeyNames): Promise<string[]> {
  const families = await Promise.all(names.familyPatterns.map((pattern) => scanKeys(redis, pattern)));
  return [...HASH_KINDS.map((kind) => names.hash(kind)), ...families.flat()];
}

interface Scanned {
  readonly key: string;
  /** `0`: that was all. */
  readonly cursor: string;
  readonly items: readonly string[];
  readonly isWrong: boolean;
}

function scannedOf(key: string, error: Error | null, reply: unknown): Scanned {
  if (error !== null && !error.message.startsWith('WRONGTYPE')) throw error;
  if (error !== null) return { key, cursor: '0', items: [], isWrong: true };
  const [cursor, items] = reply as [string, string[]];
  return { key, cursor, items, isWrong: false };
}

function isWhole({ cursor }: Scanned): boolean {
  return cursor === '0';
}

function pieceOf({ key, cursor, items, isWrong }: Scanned): KeyPiece {
  if (isWrong)
    return { key, content: { kind: 'wrong', message: 'holds another Redis type than the contract says' }, last: true };
  return { key, content: { kind: 'items', items }, last: cursor === '0' };
}
