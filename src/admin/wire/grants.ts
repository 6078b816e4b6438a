import type { Snapshot } from '../../catalog/snapshot.ts';
import { ACCESSES, type Access } from '../../rbac/grants.ts';
import type { SubjectId } from '../../rbac/subject.ts';
import type { WireGrants } from './access.ts';

/** What these subjects hold together, one entry a target, by its name. */
export function grantsOnWire(snapshot: Snapshot, subjects: readonly SubjectId[]): WireGrants {
  const held = new Map<string, Set<Access>>();
  for (const subject of subjects) {
    for (const [target, access] of snapshot.grantsOf(subject)) {
      const words = held.get(target) ?? new Set();
      for (const word of access) words.add(word);
      held.set(target, words);
    }
  }
  const targets = [...held].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    grantedAccess: targets.map(([target, access]) => {
      const colon = target.indexOf(':');
      return {
        target: { type: target.slice(0, colon), id: target.slice(colon + 1) },
        access: ACCESSES.filter((word) => access.has(word)),
      };
    }),
  };
}
