import type { Access, TargetId } from '../../rbac/grants.ts';
import type { FoundGrant, Sought } from '../../rbac/holders.ts';
import { type Subject, type SubjectType, subjectId } from '../../rbac/subject.ts';
import type { PersistentMap } from '../persistent-map.ts';
import { accessBits, briefBit, firstWord, heldIn } from './grant-table.ts';
import {
  counts,
  endOf,
  grantsAt,
  groupsAt,
  type HolderPage,
  hasRoles,
  idOf,
  isNamed,
  otherPlace,
  pageOf,
  rolesAt,
  rowAt,
  userPlace,
  word,
} from './holder-pages.ts';
import type { Pool } from './number-pool.ts';
import { findUser, type UserNames } from './user-names.ts';

/** A target that grants name: its number, and how many of them do. */
export interface TargetUse {
  /** The edit that made it, and may change it. */
  readonly owner: object;
  readonly number: number;
  uses: number;
}

export type OtherType = Exclude<SubjectType, 'USER'>;

/** What an index is made of: shared with the index before as far as nothing has changed. Groups and roles share their numbers. */
export interface IndexParts {
  readonly users: { readonly names: UserNames; readonly pages: readonly HolderPage[]; readonly free: Pool };
  readonly others: {
    readonly numbers: Readonly<Record<OtherType, PersistentMap<number>>>;
    readonly pages: readonly HolderPage[];
    readonly free: Pool;
  };
  readonly targets: { readonly uses: PersistentMap<TargetUse>; readonly free: Pool };
}

/** The number of the role ADMIN, in every index. */
export const ADMIN_HOLDER = 0;

/** Names come from questions, and must not gather for ever. */
const MOST_KNOWN = 10_000;

const NOTHING = -1;
const IS_ADMIN = -2;

/**
 * Who holds what, once more, for decisions. With a million grants nearly every look at a record or a grant waits for a
 * place far off in memory, and a walk over a user's groups takes a dozen such looks at each. Here users, groups, roles
 * and targets are numbers, and what counts of one holder is a row of them: its roles, its groups, and a table of its grants.
 * A decision finds the user and the targets by name; a group or a role that holds nothing of what is sought is mostly
 * ruled out by the brief of its grants, and all briefs together are small enough to stay near.
 *
 * Like the snapshot that it belongs to it never changes: rows stand in pages, and a changed copy (`edit.ts`) shares all
 * pages but those of the holders that are changed. The numbers of what is gone are given again.
 *
 * It says the same as `walkToGrant`, which is the rule: a property test holds them together.
 */
export class AccessIndex {
  readonly parts: IndexParts;
  /** The numbers of targets that were asked about, 0 of those without one. It only saves time. */
  readonly #known = new Map<TargetId, number>();
  readonly #isAsked = (user: number): boolean => {
    const { data } = pageOf(this.parts.users.pages, user);
    return isNamed(data, rowAt(word(data, userPlace(user))), this.#asked);
  };
  #asked = '';

  constructor(parts: IndexParts) {
    this.parts = parts;
  }

  findGrant(subject: Subject, sought: Sought): FoundGrant | undefined {
    return subject.type === 'USER'
      ? this.#ofUser(subject, sought)
      : this.#ofOther({ type: subject.type, id: subject.id }, sought);
  }

  #ofUser(subject: Subject, sought: Sought): FoundGrant | undefined {
    this.#asked = subject.id;
    const user = findUser(this.parts.users.names, subject.id, this.#isAsked);
    if (user === 0) return undefined;
    const { data } = pageOf(this.parts.users.pages, user);
    const place = word(data, userPlace(user));
    if (!counts(place)) return undefined;

    const keys = this.#keysOf(sought);
    const { pages } = this.parts.others;
    const row = rowAt(place);
    const own = askTable(data, row, keys);
    if (own !== NOTHING) return found(sought, own, [subjectId(subject)]);
    const groups = groupsAt(data, row);
    for (let at = rolesAt(data, row); at < groups; at += 1) {
      const role = word(data, at);
      const held = ask(pages, role, keys);
      if (held !== NOTHING) return found(sought, held, [subjectId(subject), idOf(pages, role)]);
    }
    const end = grantsAt(data, row);
    for (let at = groups; at < end; at += 1) {
      const group = word(data, at);
      const held = ask(pages, group, keys);
      if (held !== NOTHING) return found(sought, held, [subjectId(subject), idOf(pages, group)]);
      const role = askRoles(pages, group, keys);
      if (role !== undefined) {
        return found(sought, role.held, [subjectId(subject), idOf(pages, group), idOf(pages, role.number)]);
      }
    }
    return undefined;
  }

  #ofOther(subject: Subject & { readonly type: OtherType }, sought: Sought): FoundGrant | undefined {
    const { numbers, pages } = this.parts.others;
    const number = numbers[subject.type].get(subject.id);
    if (number === undefined) return undefined;
    const keys = this.#keysOf(sought);
    const own = ask(pages, number, keys);
    if (own !== NOTHING) return found(sought, own, [subjectId(subject)]);
    const role = askRoles(pages, number, keys);
    return role && found(sought, role.held, [subjectId(subject), idOf(pages, role.number)]);
  }

  #keysOf({ targets, access, tags, tagAccess, mayBeAdmin }: Sought): Keys {
    if (targets.length + tags.length > KEYS.targets.length) {
      KEYS.targets = new Int32Array(2 * (targets.length + tags.length));
      KEYS.enough = new Int32Array(KEYS.targets.length);
    }
    KEYS.count = 0;
    KEYS.mayBeAdmin = mayBeAdmin;
    this.#addKeys(targets, accessBits(access), 0);
    this.#addKeys(tags, accessBits(tagAccess), targets.length);
    return KEYS;
  }

  /** Those that anybody holds anything on. */
  #addKeys(names: readonly TargetId[], enough: number, first: number): void {
    if (enough === 0) return;
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index] as TargetId;
      const number = this.#known.get(name) ?? this.#numberOf(name);
      if (number === 0) continue;
      KEYS.targets[KEYS.count] = number;
      KEYS.enough[KEYS.count] = ((first + index) << ENOUGH_BITS) | enough;
      KEYS.count += 1;
    }
  }

  #numberOf(name: TargetId): number {
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const number = this.parts.targets.uses.get(name)?.number ?? 0;
    this.#known.set(name, number);
    return number;
  }
}

/** What is sought, by numbers. */
interface Keys {
  targets: Int32Array;
  /** Of each the bits of which one is enough, and which of the targets and then the tags it is. */
  enough: Int32Array;
  count: number;
  mayBeAdmin: boolean;
}

const ENOUGH_BITS = 5;
const ENOUGH = (1 << ENOUGH_BITS) - 1;

/** Those of the search that is going on: it ends before another begins, and has no time to make them anew. */
const KEYS: Keys = { targets: new Int32Array(16), enough: new Int32Array(16), count: 0, mayBeAdmin: true };

/** Which of the keys a holder has itself, and the bits that it holds there; `NOTHING`, or `IS_ADMIN`. */
function askTable(data: Int32Array, row: number, { targets, enough, count }: Keys): number {
  const from = grantsAt(data, row);
  const to = endOf(data, row);
  if (from === to) return NOTHING;
  for (let key = 0; key < count; key += 1) {
    const held = heldIn(data, from, to, word(targets, key));
    const wanted = word(enough, key);
    if ((held & wanted) !== 0) return (wanted & ~ENOUGH) | held;
  }
  return NOTHING;
}

/** The same of a group or a role. A deleted group grants nothing, though its members may still be listed. */
function ask(pages: readonly HolderPage[], holder: number, keys: Keys): number {
  if (holder === ADMIN_HOLDER) return keys.mayBeAdmin ? IS_ADMIN : NOTHING;
  const { data } = pageOf(pages, holder);
  const at = otherPlace(holder);
  const place = word(data, at);
  if (!counts(place)) return NOTHING;
  const { targets, count } = keys;
  for (let key = 0; key < count; key += 1) {
    const bit = briefBit(word(targets, key));
    if (((word(data, at + 1 + (bit >>> 5)) >>> (bit & 31)) & 1) !== 0) return askTable(data, rowAt(place), keys);
  }
  return NOTHING;
}

function askRoles(
  pages: readonly HolderPage[],
  holder: number,
  keys: Keys,
): { readonly number: number; readonly held: number } | undefined {
  const { data } = pageOf(pages, holder);
  const place = word(data, otherPlace(holder));
  if (!counts(place) || !hasRoles(place)) return undefined;
  const row = rowAt(place);
  const end = groupsAt(data, row);
  for (let at = rolesAt(data, row); at < end; at += 1) {
    const number = word(data, at);
    const held = ask(pages, number, keys);
    if (held !== NOTHING) return { number, held };
  }
  return undefined;
}

function found(sought: Sought, held: number, way: FoundGrant['way']): FoundGrant {
  if (held === IS_ADMIN) return { way, grant: undefined };
  const { targets, access, tags, tagAccess } = sought;
  const key = held >>> ENOUGH_BITS;
  const isTag = key >= targets.length;
  const target = (isTag ? tags[key - targets.length] : targets[key]) as TargetId;
  return { way, grant: { target, access: firstWord(isTag ? tagAccess : access, held & ENOUGH) as Access } };
}
