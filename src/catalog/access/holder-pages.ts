import type { SubjectId } from '../../rbac/subject.ts';
import { BRIEF_WORDS, writeBrief } from './grant-table.ts';

/** What the access index keeps of one holder: a user, a group or a role. Groups, roles and targets are numbers. */
export interface HolderRow<Numbers extends ArrayLike<number> = Int32Array> {
  /** Whether what it holds counts: see `needsRecord`. */
  readonly counts: boolean;
  /** How many other rows have it as their role or group. */
  readonly uses: number;
  /** A user's name, by `packedName`; of others, which are known by their page, nothing. */
  readonly name: Numbers;
  readonly roles: Numbers;
  readonly groups: Numbers;
  /** See `grant-table.ts`. */
  readonly grants: Numbers;
}

/** Holders whose numbers follow each other. One that an index holds is never changed again. */
export interface HolderPage {
  /** The edit that made it, and may change it. */
  readonly owner: object | undefined;
  /** A place for each holder in front, then the rows: `LENGTH` and so on, name, roles, groups, grants. */
  readonly data: Int32Array;
  /** How much of `data` is written. What rows that were replaced left behind is among it. */
  used: number;
  /** How much of it is left behind. */
  lost: number;
  /** Of groups and roles. */
  readonly ids: (SubjectId | undefined)[];
}

/**
 * How wide a holder's place in front is. Users have a word there, which says where the row begins and what is in it.
 * Groups and roles, of which a decision asks many, have the brief of their grants beside it.
 */
export type Pages = 'users' | 'others';
const USER_PLACE = 0;
const OTHER_PLACE = Math.log2(1 + BRIEF_WORDS);
const PLACE_BITS: Readonly<Record<Pages, number>> = { users: USER_PLACE, others: OTHER_PLACE };

/** Many, so that the pages themselves are few and near; not too many, for a change copies its page. */
const PAGE_BITS = 9;
const PAGE = 1 << PAGE_BITS;

/** In a place's first word, beside where the row begins. The word is 0 where there is no row. */
const FLAG_BITS = 2;
const COUNTS = 1;
const HAS_ROLES = 2;

/** The words at the beginning of a row. */
const LENGTH = 0;
const USES = 1;
const NAME = 2;
const ROLES = 3;
const GROUPS = 4;
const HEAD = 5;

/** The page of a holder that has a number. */
export function pageOf(pages: readonly HolderPage[], holder: number): HolderPage {
  return pages[holder >>> PAGE_BITS] as HolderPage;
}

/** Of a group or a role. */
export function idOf(pages: readonly HolderPage[], holder: number): SubjectId {
  return pageOf(pages, holder).ids[holder & (PAGE - 1)] as SubjectId;
}

export function userPlace(holder: number): number {
  return holder & (PAGE - 1);
}

export function otherPlace(holder: number): number {
  return (holder & (PAGE - 1)) << OTHER_PLACE;
}

export function word(data: Int32Array, at: number): number {
  return data[at] as number;
}

/** Of the first word of a place. */
export function counts(place: number): boolean {
  return (place & COUNTS) !== 0;
}

export function hasRoles(place: number): boolean {
  return (place & HAS_ROLES) !== 0;
}

/** Where the row begins. */
export function rowAt(place: number): number {
  return place >>> FLAG_BITS;
}

/** Where the roles of a row begin; its groups begin where they end, its grants where these end, up to `endOf`. */
export function rolesAt(data: Int32Array, row: number): number {
  return row + HEAD + word(data, row + NAME);
}

export function groupsAt(data: Int32Array, row: number): number {
  return rolesAt(data, row) + word(data, row + ROLES);
}

export function grantsAt(data: Int32Array, row: number): number {
  return groupsAt(data, row) + word(data, row + GROUPS);
}

export function endOf(data: Int32Array, row: number): number {
  return row + word(data, row + LENGTH);
}

/** In a name's first word beside its length: its characters are below 256, four a word. Otherwise two. */
const NARROW = 1 << 30;

/** A name as a row holds it: how long it is, then its characters. */
export function packedName(name: string): Int32Array {
  const { length } = name;
  // Every UTF-16 unit of it, also one of a pair.
  const isNarrow = /^[\0-\u00ff]*$/.test(name);
  const [perWord, bits] = isNarrow ? [4, 8] : [2, 16];
  const packed = new Int32Array(1 + Math.ceil(length / perWord));
  packed[0] = isNarrow ? length | NARROW : length;
  for (let index = 0; index < length; index += 1) {
    const at = 1 + Math.floor(index / perWord);
    packed[at] = word(packed, at) | (name.charCodeAt(index) << (bits * (index % perWord)));
  }
  return packed;
}

export function isNamed(data: Int32Array, row: number, name: string): boolean {
  const { length } = name;
  const at = row + HEAD;
  const first = word(data, at);
  if (first === length) return isWide(data, at + 1, name);
  if (first !== (length | NARROW)) return false;
  let all = 0;
  let index = 3;
  let from = at + 1;
  for (; index < length; index += 4, from += 1) {
    const [one, two] = [name.charCodeAt(index - 3), name.charCodeAt(index - 2)];
    const [three, four] = [name.charCodeAt(index - 1), name.charCodeAt(index)];
    if (word(data, from) !== (one | (two << 8) | (three << 16) | (four << 24))) return false;
    all |= one | two | three | four;
  }
  for (index -= 3; index < length; index += 1) {
    const code = name.charCodeAt(index);
    if (((word(data, from) >>> (8 * (index & 3))) & 0xff) !== code) return false;
  }
  // Wider characters run into each other, and might look like others.
  return all < 256;
}

function isWide(data: Int32Array, from: number, name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (((word(data, from + (index >>> 1)) >>> (16 * (index & 1))) & 0xffff) !== name.charCodeAt(index)) return false;
  }
  return true;
}

export interface PagesEdit {
  /** What is kept of a holder as it is now, until the next change. */
  get(holder: number): HolderRow | undefined;
  id(holder: number): SubjectId | undefined;
  isNamed(holder: number, name: string): boolean;
  set(holder: number, row: HolderRow<ArrayLike<number>>, id?: SubjectId): void;
  addUses(holder: number, more: number): void;
  delete(holder: number): void;
  done(): readonly HolderPage[];
}

/** Changes to a copy of pages: it costs as much as the pages that are changed, and shares the others. */
export function editPages(from: readonly HolderPage[], kind: Pages): PagesEdit {
  const owner = {};
  const placeBits = PLACE_BITS[kind];
  let pages: HolderPage[] | undefined;

  const placeOf = (holder: number): number => (holder & (PAGE - 1)) << placeBits;

  /** The holder's page with so much room at its end, as this edit's own. */
  function own(holder: number, room: number): HolderPage {
    pages ??= [...from];
    const index = holder >>> PAGE_BITS;
    const page = pages[index];
    if (page?.owner === owner && page.used + room <= page.data.length) return page;
    const made =
      page === undefined
        ? emptyPage(owner, PAGE << placeBits, room)
        : page.lost * 2 > page.used
          ? tidied(page, owner, placeBits, room)
          : copied(page, owner, room);
    pages[index] = made;
    return made;
  }

  function find(holder: number): { readonly data: Int32Array; readonly place: number } | undefined {
    const page = (pages ?? from)[holder >>> PAGE_BITS];
    const place = page === undefined ? 0 : word(page.data, placeOf(holder));
    return page === undefined || place === 0 ? undefined : { data: page.data, place };
  }

  /** What the row leaves behind. */
  function lose(page: HolderPage, holder: number): void {
    const place = word(page.data, placeOf(holder));
    if (place !== 0) page.lost += word(page.data, rowAt(place) + LENGTH);
  }

  return {
    get(holder) {
      const found = find(holder);
      return found && unpacked(found.data, found.place);
    },
    id: (holder) => (pages ?? from)[holder >>> PAGE_BITS]?.ids[holder & (PAGE - 1)],
    isNamed(holder, name) {
      const found = find(holder);
      return found !== undefined && isNamed(found.data, rowAt(found.place), name);
    },
    set(holder, { counts, uses, name, roles, groups, grants }, id) {
      const length = HEAD + name.length + roles.length + groups.length + grants.length;
      const page = own(holder, length);
      lose(page, holder);
      const { data, used } = page;
      data.set([length, uses, name.length, roles.length, groups.length], used);
      let at = used + HEAD;
      for (const part of [name, roles, groups, grants]) {
        data.set(part, at);
        at += part.length;
      }
      const place = placeOf(holder);
      data[place] = (used << FLAG_BITS) | (counts ? COUNTS : 0) | (roles.length > 0 ? HAS_ROLES : 0);
      if (kind === 'others') writeBrief(data, place + 1, grants);
      page.used += length;
      if (id !== undefined) page.ids[holder & (PAGE - 1)] = id;
    },
    addUses(holder, more) {
      const { data } = own(holder, 0);
      const at = rowAt(word(data, placeOf(holder))) + USES;
      data[at] = word(data, at) + more;
    },
    delete(holder) {
      const page = own(holder, 0);
      lose(page, holder);
      page.data[placeOf(holder)] = 0;
      page.ids[holder & (PAGE - 1)] = undefined;
    },
    done: () => pages ?? from,
  };
}

function unpacked(data: Int32Array, place: number): HolderRow {
  const row = rowAt(place);
  const roles = rolesAt(data, row);
  const groups = groupsAt(data, row);
  const grants = grantsAt(data, row);
  return {
    counts: counts(place),
    uses: word(data, row + USES),
    name: data.subarray(row + HEAD, roles),
    roles: data.subarray(roles, groups),
    groups: data.subarray(groups, grants),
    grants: data.subarray(grants, endOf(data, row)),
  };
}

function emptyPage(owner: object, places: number, room: number): HolderPage {
  return { owner, data: new Int32Array(places + room), used: places, lost: 0, ids: [] };
}

/** One that this edit has grown before will be grown again. */
function lengthFor(page: HolderPage, owner: object, needed: number): number {
  return page.owner === owner ? Math.ceil(needed * 1.5) : needed;
}

function copied(page: HolderPage, owner: object, room: number): HolderPage {
  const { used, lost, ids } = page;
  const data = new Int32Array(lengthFor(page, owner, used + room));
  data.set(page.data.subarray(0, used));
  return { owner, data, used, lost, ids: page.owner === owner ? ids : [...ids] };
}

/** A copy without what replaced rows left behind. */
function tidied(page: HolderPage, owner: object, placeBits: number, room: number): HolderPage {
  const { used, lost, ids } = page;
  const data = new Int32Array(lengthFor(page, owner, used - lost + room));
  const places = PAGE << placeBits;
  data.set(page.data.subarray(0, places));
  let to = places;
  for (let at = 0; at < places; at += 1 << placeBits) {
    const place = word(page.data, at);
    if (place === 0) continue;
    const row = rowAt(place);
    const end = endOf(page.data, row);
    data.set(page.data.subarray(row, end), to);
    data[at] = (to << FLAG_BITS) | (place & ((1 << FLAG_BITS) - 1));
    to += end - row;
  }
  return { owner, data, used: to, lost: 0, ids: page.owner === owner ? ids : [...ids] };
}
