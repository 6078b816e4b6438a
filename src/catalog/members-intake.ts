import type { AccessIndexEdit } from './access/edit.ts';
import type { Intake } from './intake.ts';
import type { MapEdit } from './persistent-map.ts';

/** What groups one user or application is a member of. */
export interface Membership {
  /** The member's id: the one string that all sets of members hold. */
  readonly id: string;
  /** In the order of their ids. */
  readonly groups: readonly string[];
}

export interface MembersEdits {
  readonly members: MapEdit<ReadonlySet<string>>;
  readonly memberships: MapEdit<Membership>;
  readonly access: AccessIndexEdit;
}

const MEMBERS_A_STEP = 200;

/** The set of one group's members, and with it what is known of each of them: no more work than the set is large. */
export function membersIntake(group: string, { members, memberships, access }: MembersEdits): Intake {
  const before = members.get(group) ?? new Set<string>();
  const fresh = new Set<string>();
  const joined: string[] = [];

  return {
    add(items, from, to) {
      for (let index = from; index < to; index += 1) {
        const written = items[index] ?? '';
        const id = memberships.get(written)?.id ?? written;
        if (fresh.has(id)) continue;
        fresh.add(id);
        if (!before.has(id)) joined.push(id);
      }
    },
    *close() {
      const left = before.size + joined.length > fresh.size;
      if (joined.length === 0 && !left) return;
      if (fresh.size === 0) members.delete(group);
      else members.set(group, fresh);
      let done = 0;
      for (const id of joined) {
        const { groups = [] } = memberships.get(id) ?? {};
        const place = placeOf(groups, group);
        memberships.set(id, { id, groups: [...groups.slice(0, place), group, ...groups.slice(place)] });
        access.join(id, group, place);
        done += 1;
        if (done % MEMBERS_A_STEP === 0) yield;
      }
      for (const id of left ? before : []) {
        done += 1;
        if (done % MEMBERS_A_STEP === 0) yield;
        if (fresh.has(id)) continue;
        const groups = memberships.get(id)?.groups.filter((name) => name !== group) ?? [];
        if (groups.length === 0) memberships.delete(id);
        else memberships.set(id, { id, groups });
        access.leave(id, group);
      }
    },
  };
}

/** Where it belongs in the order. */
function placeOf(names: readonly string[], name: string): number {
  let low = 0;
  for (let high = names.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
