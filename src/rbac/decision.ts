import type { Tag } from '../record-fields.ts';
import { type Access, integrationTarget, modelTarget, promptTarget, type TargetId, tagTarget } from './grants.ts';
import type { Application, Group, User } from './records.ts';
import { applicationIdOf, type Subject, type SubjectId, subjectId } from './subject.ts';

/** What a decision looks at. The catalog's snapshot is one; a record that cannot be read counts as absent. */
export interface AccessWorld {
  user(id: string): User | undefined;
  group(id: string): Group | undefined;
  application(id: string): Application | undefined;
  /** Ids of the groups that name this user as a member, with or without a record of their own. */
  groupsOf(userId: string): readonly string[];
  grantsOf(subject: SubjectId): ReadonlyMap<TargetId, ReadonlySet<Access>>;
}

/** What somebody wants to use. A model's tags are its own and its integration's. */
export type Target =
  | { readonly kind: 'integration'; readonly integration: string; readonly tags: readonly Tag[] }
  | { readonly kind: 'model'; readonly integration: string; readonly model: string; readonly tags: readonly Tag[] }
  | { readonly kind: 'prompt'; readonly prompt: string };

export type Decision =
  /** The chain that allowed it, from the subject to the grant: `['USER:alice', 'GROUP:analysts', 'EXECUTE on INTEGRATION:…']`. */
  | { readonly kind: 'allow'; readonly via: readonly string[] }
  /** The grant that would have allowed it, in words. */
  | { readonly kind: 'deny'; readonly missing: string };

export interface DecisionOptions {
  /** False where the subject is only inferred from a name: it then never counts as ADMIN. Default true. */
  readonly mayBeAdmin?: boolean;
}

const ADMIN = 'ADMIN';

/**
 * Whether a subject may run tasks on a target: it is ADMIN, or it, a role or a group of it holds EXECUTE on
 * `INTEGRATION:provider:model`, on `INTEGRATION_PROVIDER:provider`, or on a tag that the model or its integration
 * carries. A prompt needs EXECUTE or READ on `PROMPT:name`. No grant means no. Pure: the worker, the API and `can` share it.
 */
export function decide(world: AccessWorld, subject: Subject, target: Target, options: DecisionOptions = {}): Decision {
  const isAdmin = ({ holder }: Holder): boolean => holder === `ROLE:${ADMIN}`;
  const all = holdersOf(world, subject);
  const admin = all.find(isAdmin);
  if (admin !== undefined && options.mayBeAdmin !== false) return { kind: 'allow', via: admin.path };
  // Where it may not be ADMIN, what is granted to that role is not its either.
  const holders = all.filter((holder) => !isAdmin(holder) || options.mayBeAdmin !== false);

  const { targets, access } = whatAllows(target);
  for (const { holder, path } of holders) {
    const grants = world.grantsOf(holder);
    if (grants.size === 0) continue;
    for (const id of targets) {
      const held = access.find((word) => grants.get(id)?.has(word));
      if (held !== undefined) return { kind: 'allow', via: [...path, `${held} on ${id}`] };
    }
  }
  return { kind: 'deny', missing: missingGrant(world, subject, access, targets) };
}

interface Holder {
  readonly holder: SubjectId;
  /** How the subject comes to it, itself first. */
  readonly path: readonly SubjectId[];
}

/** The subject, its groups and its and their roles: everyone whose grants count for it. */
function holdersOf(world: AccessWorld, subject: Subject): Holder[] {
  const own: Holder = { holder: subjectId(subject), path: [subjectId(subject)] };
  if (subject.type === 'ROLE') return [own];
  if (subject.type === 'GROUP') {
    const group = world.group(subject.id);
    return group === undefined ? [] : [own, ...rolesHeld(own, group.roles)];
  }
  const application = applicationIdOf(subject);
  const record = application === undefined ? world.user(subject.id) : world.application(application);
  // An application exists only by its record: without one, grants and memberships left behind give nothing.
  if (application !== undefined && record === undefined) return [];
  const holders = [own, ...rolesHeld(own, record?.roles ?? [])];
  for (const id of world.groupsOf(subject.id)) {
    const group = world.group(id);
    // A deleted group grants nothing, though its members may still be listed.
    if (group === undefined) continue;
    const holder = subjectId({ type: 'GROUP', id });
    const asMember: Holder = { holder, path: [...own.path, holder] };
    holders.push(asMember, ...rolesHeld(asMember, group.roles));
  }
  return holders;
}

function rolesHeld(by: Holder, roles: readonly string[]): Holder[] {
  return roles.map((id) => {
    const holder = subjectId({ type: 'ROLE', id });
    return { holder, path: [...by.path, holder] };
  });
}

function whatAllows(target: Target): { targets: TargetId[]; access: readonly Access[] } {
  switch (target.kind) {
    case 'prompt':
      return { targets: [promptTarget(target.prompt)], access: ['EXECUTE', 'READ'] };
    case 'integration':
      return { targets: [integrationTarget(target.integration), ...tagTargets(target.tags)], access: ['EXECUTE'] };
    case 'model':
      return {
        targets: [
          modelTarget(target.integration, target.model),
          integrationTarget(target.integration),
          ...tagTargets(target.tags),
        ],
        access: ['EXECUTE'],
      };
  }
}

function tagTargets(tags: readonly Tag[]): TargetId[] {
  return tags.map(({ key, value }) => tagTarget(key, value));
}

function missingGrant(
  world: AccessWorld,
  subject: Subject,
  access: readonly Access[],
  targets: readonly TargetId[],
): string {
  const grant = `${access.join(' or ')} on ${targets.filter((id) => !id.startsWith('TAG:')).join(' or ')}`;
  const application = applicationIdOf(subject);
  if (application !== undefined && world.application(application) === undefined) {
    return `the record of application ${application}, then ${grant}`;
  }
  if (subject.type === 'GROUP' && world.group(subject.id) === undefined) {
    return `the record of group ${subject.id}, then ${grant}`;
  }
  return grant;
}
