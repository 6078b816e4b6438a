import type { Cluster, Redis } from 'ioredis';
import { scanKeys } from '../redis/connect.ts';
import { HASH_KINDS, type KeyNames } from '../redis/keys.ts';
import { readOnlyScript } from '../redis/script.ts';

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
 * wrote. `watched`: the caller has the keys under WATCH, and no other WATCH may take its place.
 */
export type Together = 'told' | 'watch' | 'watched';

export interface KeyReader {
  /** As many keys as one call to `read` should be given: they are read at one moment of Redis. At most 200. */
  readonly keysAtOnce: number;
  /** Rejects when Redis cannot be reached. */
  read(keys: readonly string[]): AsyncIterable<readonly KeyPiece[]>;
}

/** Bounds of the keys that one script reads: Redis and our event loop stay free for others. */
const MOST_KEYS_AT_ONCE = 200;
const FEWEST_KEYS_AT_ONCE = 10;
/** Fields and values that one reply should bring; the keys of the next are counted by those of the last. */
const STRINGS_AT_ONCE = 2_000;
/** What one step of a scan brings of a key, about: a hash or set no larger comes whole. */
const ELEMENTS_AT_ONCE = 500;
/** How often keys are read that somebody writes all the time, before they are taken as they come. */
const WATCHED_AT_MOST = 5;

/**
 * One step of a scan of each key, at one moment, as one text: a client's reader of replies takes ten times as long for
 * as many strings as JSON.parse. ARGV: about how many elements of each; for each key `h` or `s` (a hash, a set) and the
 * cursor. For each key `[cursor, elements]`, or null where it holds another type.
 */
const SCAN_STEP = readOnlyScript(`
local steps = {}
for index, key in ipairs(KEYS) do
  local where = ARGV[index + 1]
  local command = string.sub(where, 1, 1) == 's' and 'SSCAN' or 'HSCAN'
  local reply = redis.pcall(command, key, string.sub(where, 2), 'COUNT', ARGV[1])
  if reply.err then
    if not string.find(reply.err, 'WRONGTYPE', 1, true) then return reply end
    steps[index] = 'null'
  else
    local elements = #reply[2] == 0 and '[]' or cjson.encode(reply[2])
    steps[index] = '["' .. reply[1] .. '",' .. elements .. ']'
  end
end
return '[' .. table.concat(steps, ',') .. ']'
`);

export function createKeyReader(redis: Redis | Cluster, names: KeyNames, together: () => Together): KeyReader {
  let keysAtOnce = MOST_KEYS_AT_ONCE;

  async function scanStep(keys: readonly string[], cursor = '0'): Promise<Scanned[]> {
    const where = keys.map((key) => `${names.parse(key)?.kind === 'members' ? 's' : 'h'}${cursor}`);
    const reply = await SCAN_STEP.run(redis, keys, [ELEMENTS_AT_ONCE, ...where]);
    const steps = JSON.parse(String(reply)) as (readonly [string, readonly string[]] | null)[];
    return steps.map((step, index) => {
      const [next, items] = step ?? ['0', []];
      return { key: keys[index] ?? '', cursor: next, items, isWrong: step === null };
    });
  }

  /** The beginning of each key. Most keys are small and have no more. */
  async function beginnings(keys: readonly string[]): Promise<Scanned[]> {
    const scanned = await scanStep(keys);
    // A few keys say nothing of the others.
    if (keys.length >= FEWEST_KEYS_AT_ONCE) {
      const strings = scanned.reduce((sum, { items }) => sum + items.length, 0);
      const fit = Math.round((keys.length * STRINGS_AT_ONCE) / Math.max(1, strings));
      keysAtOnce = Math.min(MOST_KEYS_AT_ONCE, Math.max(FEWEST_KEYS_AT_ONCE, fit));
    }
    return scanned;
  }

  async function* piecesOf(scanned: readonly Scanned[]): AsyncGenerator<readonly KeyPiece[]> {
    yield scanned.filter(isWhole).map(pieceOf);
    for (const large of scanned) {
      if (isWhole(large)) continue;
      yield [pieceOf(large)];
      for (let { cursor } = large; cursor !== '0'; ) {
        const steps = await scanStep([large.key], cursor);
        yield steps.map(pieceOf);
        cursor = steps[0]?.cursor ?? '0';
      }
    }
  }

  async function watchedPieces(keys: readonly string[]): Promise<KeyPiece[]> {
    for (let attempt = 1; ; attempt += 1) {
      await redis.watch([...keys]);
      const pieces: KeyPiece[] = [];
      for await (const some of piecesOf(await scanStep(keys))) pieces.push(...some);
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
        const scanned = await beginnings(page);
        if (together() === 'watch' && !scanned.every(isWhole)) yield await watchedPieces(page);
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

function isWhole({ cursor }: Scanned): boolean {
  return cursor === '0';
}

function pieceOf({ key, cursor, items, isWrong }: Scanned): KeyPiece {
  if (isWrong)
    return { key, content: { kind: 'wrong', message: 'holds another Redis type than the contract says' }, last: true };
  return { key, content: { kind: 'items', items }, last: cursor === '0' };
}
