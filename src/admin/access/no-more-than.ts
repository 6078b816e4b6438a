import type { Snapshot } from '../../catalog/snapshot.ts';
import { accessHeld, isAdmin } from '../../rbac/decision.ts';
import { type Access, applicationTarget, integrationTarget, promptTarget, type TargetId } from '../../rbac/grants.ts';
import { findHolder } from '../../rbac/holders.ts';
import { permissionsOf } from '../../rbac/permissions.ts';
import { type Subject, type SubjectId, subjectId } from '../../rbac/subject.ts';
import { askedOf, withTags } from './targets.ts';

/** Everyone whose grants count for a subject: itself, its roles, its groups and theirs. */
export function holdersFor(snapshot: Snapshot, subject: Subject): SubjectId[] {
  const holders: SubjectId[] = [];
  findHolder(snapshot, subject, (type, id) => {
    holders.push(subjectId({ type, id }));
    return false;
  });
  return holders;
}

/**
 * The first thing that one subject may and the other may not, in words; undefined where there is none. Whoever could make
 * a key for a subject that may more would thereby get what nobody gave.
 */
export function firstBeyond(snapshot: Snapshot, one: Subject, other: Subject): string | undefined {
  if (isAdmin(snapshot, other) || one.id === other.id) return undefined;
  if (isAdmin(snapshot, one)) return 'the role ADMIN';
  const permitted = permissionsOf(snapshot, other);
  const permission = [...permissionsOf(snapshot, one)].find((each) => !permitted.has(each));
  if (permission !== undefined) return `the permission ${permission}`;
  const held = grantsOf(snapshot, other);
  for (const [target, access] of grantsOf(snapshot, one)) {
    const asked = askedOf(target);
    const mine = new Set(held.get(target));
    if (asked !== undefined) for (const word of accessHeld(snapshot, other, withTags(snapshot, asked))) mine.add(word);
    const more = [...access].find((word) => !mine.has(word));
    if (more !== undefined) return `${more} on ${target}`;
  }
  const created = firstCreated(snapshot, one);
  return created === undefined ? undefined : `the right to grant on ${created}`;
}

/** Whoever created something grants on it, whatever became of its own grants. */
function firstCreated(snapshot: Snapshot, { id }: Subject): string | undefined {
  for (const kind of ['integrations', 'models', 'prompts', 'applications'] as const) {
    for (const [name, { lookup }] of snapshot.parts.tables[kind]) {
      if (lookup.kind === 'found' && lookup.record.createdBy === id) return targetOf(kind, name);
    }
  }
  return undefined;
}

function targetOf(kind: 'integrations' | 'models' | 'prompts' | 'applications', name: string): TargetId {
  switch (kind) {
    case 'integrations':
      return integrationTarget(name);
    case 'models':
      return `INTEGRATION:${name}` as TargetId;
    case 'prompts':
      return promptTarget(name);
    case 'applications':
      return applicationTarget(name);
  }
}

function grantsOf(snapshot: Snapshot, subject: Subject): Map<TargetId, Set<Access>> {
  const all = new Map<TargetId, Set<Access>>();
  for (const holder of holdersFor(snapshot, subject)) {
    for (const [target, access] of snapshot.grantsOf(holder)) {
      all.set(target, new Set([...(all.get(target) ?? []), ...access]));
    }
  }
  return all;
}
