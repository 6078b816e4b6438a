import { integrationRecord } from '../integrations/integration.ts';
import { MASK, maskSecrets } from '../integrations/secrets/masks.ts';
import type { Plan } from './apply.ts';
import type { Change } from './changes.ts';
import { type Leaves, leavesOf } from './leaves.ts';
import type { ManifestFault } from './manifest.ts';

/** A change as it may be shown: its secrets masked. */
export interface ShownChange extends Pick<Change, 'action' | 'kind' | 'name' | 'before' | 'after'> {
  /** Paths of secrets that change, where the mask stands on both sides. */
  readonly hidden: readonly string[];
  /** It takes away what an earlier record of a new one's name left behind. */
  readonly leftBehind: boolean;
}

export interface ShownPlan {
  readonly changes: readonly ShownChange[];
  /** Deletions left out because they would have removed the last ADMIN. */
  readonly kept: readonly Pick<Change, 'kind' | 'name'>[];
  /** What is written all the same, and is hardly meant. */
  readonly warnings: readonly ManifestFault[];
}

export function shownPlan({ changes, kept, swept, warnings }: Plan): ShownPlan {
  return {
    changes: changes.map((change) => shown(change, swept.includes(change))),
    kept: kept.map(({ kind, name }) => ({ kind, name })),
    warnings,
  };
}

/** A record of Redis that cannot be read may hold a secret anywhere. */
function shown(change: Change, leftBehind: boolean): ShownChange {
  const { action, kind, name, before, after } = change;
  if (kind !== 'integrations') return { action, kind, name, before, after, hidden: [], leftBehind };
  const isReadable = before === null || integrationRecord.safeParse(before).success;
  const masked = { before: isReadable ? maskSecrets(before) : MASK, after: maskSecrets(after) };
  const [old, fresh, oldValues, freshValues] = [masked.before, masked.after, before, after].map((value) =>
    leavesOf(value),
  ) as [Leaves, Leaves, Leaves, Leaves];
  const hidden = [...fresh.keys()].filter(
    (path) => old.get(path) === fresh.get(path) && oldValues.get(path) !== freshValues.get(path),
  );
  return { action, kind, name, ...masked, hidden, leftBehind };
}
