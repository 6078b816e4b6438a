import type { Access, TargetId } from '../../rbac/grants.ts';
import { ADMIN } from '../../rbac/holders.ts';
import { isSubjectType, needsRecord, type Subject, subjectId } from '../../rbac/subject.ts';
import { PersistentMap } from '../persistent-map.ts';
import { AccessIndex, ADMIN_HOLDER, type OtherType, type TargetUse } from './access-index.ts';
import { accessBits, addGrant, emptyTable } from './grant-table.ts';
import { editPages, type HolderRow, packedName } from './holder-pages.ts';
import { FRESH_POOL, giveBack, takeNumber } from './number-pool.ts';
import { editUserNames, NO_USERS } from './user-names.ts';

type Grants = ReadonlyMap<TargetId, ReadonlySet<Access>>;

/** Changes to a copy of an index, which itself stays as it is. Each costs as much as what it says. */
export interface AccessIndexEdit {
  /** `subject` as in the name of a key; one that is no subject has no grants that count. In steps, as `Intake.close`. */
  setGrants(subject: string, before: Grants | undefined, fresh: Grants | undefined): Iterable<undefined>;
  /** The roles of a user's, an application's or a group's record. Undefined where it has none that can be read. */
  setRecord(subject: Subject, roles: readonly string[] | undefined): void;
  /** Makes a user a member of a group, at this place among its groups; it must not be one. */
  join(user: string, group: string, place: number): void;
  /** It must be a member. */
  leave(user: string, group: string): void;
  /** The edited index; the one that was edited where nothing has changed. The edit is over then. */
  done(): AccessIndex;
}

const NO_NUMBERS = new Int32Array(0);
const NO_GRANTS: Grants = new Map();
const GRANTS_A_STEP = 200;

export function editIndex(before: AccessIndex): AccessIndexEdit {
  const { users, others, targets } = before.parts;
  const owner = {};
  const names = editUserNames(users.names);
  const numbers = { GROUP: others.numbers.GROUP.edit(), ROLE: others.numbers.ROLE.edit() };
  const userPages = editPages(users.pages, 'users');
  const otherPages = editPages(others.pages, 'others');
  const uses = targets.uses.edit();
  const free = { users: users.free, others: others.free, targets: targets.free };

  function take(pool: keyof typeof free): number {
    const taken = takeNumber(free[pool]);
    free[pool] = taken.pool;
    return taken.number;
  }

  const pagesOf = ({ type }: Subject) => (type === 'USER' ? userPages : otherPages);
  const rowOf = (subject: Subject, holder: number): HolderRow => pagesOf(subject).get(holder) as HolderRow;
  const isUser = (id: string) => (user: number) => userPages.isNamed(user, id);

  /** A holder's number; a new one, and a row, for who has none. */
  function holderOf(subject: Subject): number {
    return subject.type === 'USER' ? userOf(subject) : otherOf(subject, subject.type);
  }

  function userOf(subject: Subject): number {
    const known = names.find(subject.id, isUser(subject.id));
    if (known !== 0) return known;
    const number = take('users');
    names.add(subject.id, number);
    userPages.set(number, { ...newRow(subject), name: packedName(subject.id) });
    return number;
  }

  function otherOf(subject: Subject, type: OtherType): number {
    const known = numbers[type].get(subject.id);
    if (known !== undefined) return known;
    const number = take('others');
    numbers[type].set(subject.id, number);
    otherPages.set(number, newRow(subject), subjectId(subject));
    return number;
  }

  /** Forgets a holder of which nothing is worth keeping. */
  function tidy(subject: Subject, holder: number): void {
    const row = rowOf(subject, holder);
    if (row.uses + row.roles.length + row.groups.length + row.grants.length > 0) return;
    if (row.counts === needsRecord(subject)) return;
    if (subject.type === 'USER') {
      names.delete(subject.id, isUser(subject.id));
      free.users = giveBack(free.users, holder);
    } else {
      numbers[subject.type].delete(subject.id);
      free.others = giveBack(free.others, holder);
    }
    pagesOf(subject).delete(holder);
  }

  /** A row less names this one. */
  function release(type: OtherType, holder: number): void {
    otherPages.addUses(holder, -1);
    tidy({ type, id: otherPages.id(holder)?.slice(type.length + 1) ?? '' }, holder);
  }

  /** The number of a target that one grant more names. */
  function useTarget(name: TargetId): number {
    const known = uses.get(name);
    if (known?.owner === owner) {
      known.uses += 1;
      return known.number;
    }
    const number = known?.number ?? take('targets');
    uses.set(name, { owner, number, uses: (known?.uses ?? 0) + 1 });
    return number;
  }

  function leaveTarget(name: TargetId): void {
    const known = uses.get(name) as TargetUse;
    if (known.uses > 1) return uses.set(name, { owner, number: known.number, uses: known.uses - 1 });
    uses.delete(name);
    free.targets = giveBack(free.targets, known.number);
  }

  return {
    *setGrants(text, old = NO_GRANTS, fresh = NO_GRANTS) {
      const subject = subjectNamed(text);
      if (subject === undefined) return;
      const grants = emptyTable(fresh.size);
      let done = 0;
      for (const [target, access] of fresh) {
        addGrant(grants, useTarget(target), accessBits(access));
        done += 1;
        if (done % GRANTS_A_STEP === 0) yield;
      }
      // Afterwards, so that those that stay keep their numbers.
      for (const target of old.keys()) {
        leaveTarget(target);
        done += 1;
        if (done % GRANTS_A_STEP === 0) yield;
      }
      const holder = holderOf(subject);
      pagesOf(subject).set(holder, { ...rowOf(subject, holder), grants });
      tidy(subject, holder);
    },

    setRecord(subject, roles) {
      const counts = roles !== undefined || !needsRecord(subject);
      const holder = holderOf(subject);
      const row = rowOf(subject, holder);
      const fresh = (roles ?? []).map((id) => holderOf({ type: 'ROLE', id }));
      if (counts !== row.counts || !isSame(row.roles, fresh)) {
        for (const role of fresh) otherPages.addUses(role, 1);
        // Read again: one of its roles may have moved its page.
        const { roles: old, ...rest } = rowOf(subject, holder);
        pagesOf(subject).set(holder, { ...rest, counts, roles: fresh });
        for (const role of old) release('ROLE', role);
      }
      tidy(subject, holder);
    },

    join(id, groupId, place) {
      const group = holderOf({ type: 'GROUP', id: groupId });
      const user = holderOf({ type: 'USER', id });
      const row = rowOf({ type: 'USER', id }, user);
      userPages.set(user, { ...row, groups: [...row.groups.slice(0, place), group, ...row.groups.slice(place)] });
      otherPages.addUses(group, 1);
    },

    leave(id, groupId) {
      const member: Subject = { type: 'USER', id };
      const group = holderOf({ type: 'GROUP', id: groupId });
      const user = holderOf(member);
      const row = rowOf(member, user);
      userPages.set(user, { ...row, groups: row.groups.filter((one) => one !== group) });
      tidy(member, user);
      release('GROUP', group);
    },

    done() {
      const [ofUsers, ofOthers] = [userPages.done(), otherPages.done()];
      if (ofUsers === users.pages && ofOthers === others.pages) return before;
      return new AccessIndex({
        users: { names: names.done(), pages: ofUsers, free: free.users },
        others: {
          numbers: { GROUP: numbers.GROUP.done(), ROLE: numbers.ROLE.done() },
          pages: ofOthers,
          free: free.others,
        },
        targets: { uses: uses.done(), free: free.targets },
      });
    },
  };
}

function newRow(subject: Subject): HolderRow {
  const nothing = NO_NUMBERS;
  return { counts: !needsRecord(subject), uses: 0, name: nothing, roles: nothing, groups: nothing, grants: nothing };
}

/** As `subjectId` writes it, an empty id included. */
function subjectNamed(text: string): Subject | undefined {
  const colon = text.indexOf(':');
  const type = text.slice(0, Math.max(colon, 0));
  return isSubjectType(type) ? { type, id: text.slice(colon + 1) } : undefined;
}

function isSame(one: Int32Array, other: readonly number[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index += 1) if (one[index] !== other[index]) return false;
  return true;
}

/** Of a world without any record. The role ADMIN is there, and stays. */
export const EMPTY_INDEX = emptyIndex();

function emptyIndex(): AccessIndex {
  const role: Subject = { type: 'ROLE', id: ADMIN };
  const pages = editPages([], 'others');
  pages.set(ADMIN_HOLDER, { ...newRow(role), uses: 1 }, subjectId(role));
  const roles = new PersistentMap<number>().edit();
  roles.set(ADMIN, ADMIN_HOLDER);
  return new AccessIndex({
    users: { names: NO_USERS, pages: [], free: FRESH_POOL },
    others: { numbers: { GROUP: new PersistentMap(), ROLE: roles.done() }, pages: pages.done(), free: FRESH_POOL },
    targets: { uses: new PersistentMap(), free: FRESH_POOL },
  });
}
