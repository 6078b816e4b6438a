import type { Cluster, Redis } from 'ioredis';
import { createCatalogReader } from '../catalog/read-catalog.ts';
import { listKeys } from '../catalog/read-keys.ts';
import { NOTHING, Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { commitWatched } from '../redis/commit.ts';
import { ANY, type Edit } from '../redis/edits.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { Change } from './changes.ts';
import { danglingReferences } from './dangling.ts';
import { keepLastAdmin } from './last-admin.ts';
import type { ManifestFault, Wanted } from './manifest.ts';
import { planChanges } from './plan.ts';
import { roleWarnings } from './role-warnings.ts';
import { sealWanted } from './seal.ts';
import { whatGoesWith, whatIsSwept } from './what-goes-with.ts';

export interface ApplyParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly wanted: Wanted;
  readonly prune: boolean;
  /** Seals bare secrets; empty: they are written as they are. */
  readonly keyring: Keyring;
  readonly trail: Trail;
  /** Asked with the plan before anything is written; false writes nothing. */
  readonly agree: (plan: Plan) => boolean | Promise<boolean>;
}

export interface Plan {
  readonly changes: readonly Change[];
  /** Deletions left out because they would have removed the last ADMIN. */
  readonly kept: readonly Change[];
  /** Of the changes those that take away what an earlier record of a new one's name left behind. */
  readonly swept: readonly Change[];
  /** What the manifests name and there would not be, and masks for which nothing is stored. With any of these nothing is asked and nothing written. */
  readonly dangling: readonly ManifestFault[];
  /** What is written all the same, and is hardly meant. */
  readonly warnings: readonly ManifestFault[];
}

/** How often a plan is made anew because somebody else was writing. */
const ATTEMPTS = 3;

/**
 * Brings Redis to what is wanted: reads, plans, asks, writes, in one script under WATCH, so that every worker sees the
 * old state or the new and never half of it, and nobody's change is overwritten unseen. Throws CATALOG_CHANGED when
 * Redis keeps changing meanwhile, RECORD_INVALID when a key it would write holds another Redis type.
 */
export async function apply({ redis, names, wanted, prune, keyring, trail, agree }: ApplyParts): Promise<Plan> {
  const reader = createCatalogReader({ redis, names, together: () => 'watched' });
  for (let attempt = 1; ; attempt += 1) {
    const keys = [...new Set([...(await listKeys(redis, names)), ...keysOf(names, wanted)])];
    await redis.watch(keys);
    try {
      const snapshot = new Snapshot(await reader.some(NOTHING, keys));
      const sealed = sealWanted(snapshot, wanted, keyring);
      const made = makePlan(snapshot, sealed.wanted, prune);
      const plan = { ...made, dangling: [...sealed.faults, ...made.dangling] };
      refuseWrongTypes(snapshot, names, plan.changes);
      if (plan.dangling.length > 0 || plan.changes.length === 0 || !(await agree(plan))) return plan;
      if (await commitWatched(redis, editsOf(snapshot, names, plan.changes), trail)) return plan;
    } finally {
      // Where the connection is gone, so is the watch; what went wrong before is what counts.
      await redis.unwatch().catch(() => undefined);
    }
    if (attempt === ATTEMPTS) {
      throw new ServiceError(
        'CATALOG_CHANGED',
        'Somebody keeps changing Redis meanwhile; nothing was written. Run the command again',
      );
    }
  }
}

export function makePlan(snapshot: Snapshot, wanted: Wanted, prune: boolean): Plan {
  const { changes, kept } = keepLastAdmin(snapshot, planChanges(snapshot, wanted, { prune }));
  const along = [...changes, ...whatGoesWith(snapshot, changes, wanted)];
  const swept = whatIsSwept(snapshot, along, wanted);
  const all = [...along, ...swept];
  return {
    changes: all,
    kept,
    swept,
    dangling: danglingReferences(snapshot, wanted, all),
    warnings: roleWarnings(snapshot, wanted),
  };
}

function editsOf(snapshot: Snapshot, names: KeyNames, changes: readonly Change[]): Edit[] {
  return changes.flatMap((change): Edit[] => {
    const { before, after } = change;
    const key = keyOf(names, change);
    switch (change.kind) {
      case 'members':
        return memberEdits(key, (before ?? []) as readonly string[], (after ?? []) as readonly string[]);
      case 'grants':
        return [{ key, field: change.target, before: ANY, after: after === null ? undefined : String(after) }];
      default: {
        const raw = snapshot.parts.tables[change.kind].get(change.name)?.raw;
        return [{ key, field: change.name, before: raw, after: after === null ? undefined : JSON.stringify(after) }];
      }
    }
  });
}

function memberEdits(key: string, before: readonly string[], after: readonly string[]): Edit[] {
  const [had, has] = [new Set(before), new Set(after)];
  return [
    ...before.filter((member) => !has.has(member)).map((member) => ({ key, member, isMember: false })),
    ...after.filter((member) => !had.has(member)).map((member) => ({ key, member, isMember: true })),
  ];
}

/** In words of its own, before anybody is asked. */
function refuseWrongTypes(snapshot: Snapshot, names: KeyNames, changes: readonly Change[]): void {
  for (const change of changes) {
    const fault = snapshot.parts.keyFaults.get(keyOf(names, change));
    if (fault === undefined) continue;
    throw new ServiceError(
      'RECORD_INVALID',
      `${fault.key}: ${fault.message}; nothing was written. Look at it with redis-cli TYPE`,
      {
        field: fault.key,
      },
    );
  }
}

function keyOf(names: KeyNames, change: Change): string {
  if (change.kind === 'members') return names.members(change.name);
  if (change.kind === 'grants') return names.grants(change.subject);
  return names.hash(change.kind);
}

function keysOf(names: KeyNames, wanted: Wanted): string[] {
  return [
    ...[...wanted.members.keys()].map((group) => names.members(group)),
    ...[...wanted.grants.keys()].map((subject) => names.grants(subject)),
  ];
}
