import type { Access, TargetId } from './grants.ts';
import type { Application, Group, Role, User } from './records.ts';
import { applicationIdOf, holderId, type Subject, type SubjectId, type SubjectType, subjectId } from './subject.ts';

/** What a decision looks at. The catalog's snapshot is one; a record that cannot be read counts as absent. */
export interface AccessWorld {
  user(id: string): User | undefined;
  group(id: string): Group | undefined;
  application(id: string): Application | undefined;
  role(id: string): Role | undefined;
  /** Ids of the groups that name this user as a member, with or without a record of their own. */
  groupsOf(userId: string): readonly string[];
  grantsOf(subject: SubjectId): ReadonlyMap<TargetId, ReadonlySet<Access>>;
  /** The same as `walkToGrant`, by an index: where a world has one, a decision asks it and walks over nothing. */
  findGrant?(subject: Subject, sought: Sought): FoundGrant | undefined;
}

/** The grants that would be enough: one of the words on one of the targets. */
export interface Sought {
  readonly targets: readonly TargetId[];
  readonly access: readonly Access[];
  /** Targets, too, of which other words are enough. They are looked at after the others. */
  readonly tags: readonly TargetId[];
  readonly tagAccess: readonly Access[];
  /** False: the role ADMIN is passed over, with whatever was granted to it. */
  readonly mayBeAdmin: boolean;
}

/** A grant that is enough, or the role ADMIN, and the way to who has it. */
export interface FoundGrant {
  readonly way: readonly SubjectId[];
  /** Undefined where the way ends at ADMIN. */
  readonly grant: { readonly target: TargetId; readonly access: Access } | undefined;
}

export const ADMIN = 'ADMIN';

const NO_ROLES: readonly string[] = [];

/** The first who is ADMIN or holds what is sought, in the order of `findHolder`. */
export function walkToGrant(world: AccessWorld, subject: Subject, sought: Sought): FoundGrant | undefined {
  const { targets, access, tags, tagAccess, mayBeAdmin } = sought;
  let grant: FoundGrant['grant'];
  const way = findHolder(world, subject, (type, id) => {
    if (type === 'ROLE' && id === ADMIN) return mayBeAdmin;
    const grants = world.grantsOf(holderId(type, id));
    if (grants.size === 0) return false;
    grant = heldOn(grants, targets, access) ?? heldOn(grants, tags, tagAccess);
    return grant !== undefined;
  });
  return way && { way, grant };
}

function heldOn(
  grants: ReadonlyMap<TargetId, ReadonlySet<Access>>,
  targets: readonly TargetId[],
  access: readonly Access[],
): FoundGrant['grant'] {
  for (const target of targets) {
    const held = grants.get(target);
    if (held === undefined) continue;
    for (const word of access) if (held.has(word)) return { target, access: word };
  }
  return undefined;
}

/**
 * Asks everyone whose grants count for a subject, until one says yes: itself, its roles, its groups, their roles; nobody
 * twice. Returns the way from the subject to the one who said yes, or undefined. The way is put together only then: most
 * of those asked hold nothing, and a decision has microseconds.
 */
export function findHolder(
  world: AccessWorld,
  subject: Subject,
  isIt: (type: SubjectType, id: string) => boolean,
): readonly SubjectId[] | undefined {
  const { type, id } = subject;
  const roles = rolesOf(world, subject);
  if (roles === undefined) return undefined;
  const asked: string[] = [];
  const roleAmong = (held: readonly string[]): string | undefined => {
    for (const role of held) {
      if (asked.includes(role)) continue;
      if (isIt('ROLE', role)) return role;
      asked.push(role);
    }
    return undefined;
  };

  if (isIt(type, id)) return [subjectId(subject)];
  if (type === 'ROLE') return undefined;
  const own = roleAmong(roles);
  if (own !== undefined) return [subjectId(subject), holderId('ROLE', own)];
  if (type === 'GROUP') return undefined;
  for (const name of world.groupsOf(id)) {
    const group = world.group(name);
    // A deleted group grants nothing, though its members may still be listed.
    if (group === undefined) continue;
    if (isIt('GROUP', name)) return [subjectId(subject), holderId('GROUP', name)];
    const role = roleAmong(group.roles);
    if (role !== undefined) {
      return [subjectId(subject), holderId('GROUP', name), holderId('ROLE', role)];
    }
  }
  return undefined;
}

/** The roles of a subject's own record. Undefined where a record is needed and missing: nothing counts for it then. */
function rolesOf(world: AccessWorld, subject: Subject): readonly string[] | undefined {
  if (subject.type === 'ROLE') return NO_ROLES;
  if (subject.type === 'GROUP') return world.group(subject.id)?.roles;
  const application = applicationIdOf(subject);
  // An application exists only by its record: without one, grants and memberships left behind give nothing.
  if (application !== undefined) return world.application(application)?.roles;
  return world.user(subject.id)?.roles ?? NO_ROLES;
}
