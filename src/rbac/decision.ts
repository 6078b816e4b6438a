import type { Tag } from '../record-fields.ts';
import {
  ACCESSES,
  type Access,
  applicationTarget,
  integrationTarget,
  modelTarget,
  promptTarget,
  tagTarget,
} from './grants.ts';
import { type AccessWorld, ADMIN, findHolder, type Sought, walkToGrant } from './holders.ts';
import { applicationIdOf, holderId, type Subject, type SubjectType } from './subject.ts';

export type { AccessWorld } from './holders.ts';

/** What a task can want to use. A model's tags are its own and its integration's. */
export type TaskTarget =
  | { readonly kind: 'integration'; readonly integration: string; readonly tags: readonly Tag[] }
  | { readonly kind: 'model'; readonly integration: string; readonly model: string; readonly tags: readonly Tag[] }
  /** Its tags never allow to run it: see `decide`. A task may leave them out. `input`: which one names it; default `promptName`. */
  | {
      readonly kind: 'prompt';
      readonly prompt: string;
      readonly tags?: readonly Tag[];
      readonly input?: 'promptName' | 'instructions';
    };

/** What somebody wants to use, see or change. */
export type Target =
  | TaskTarget
  | { readonly kind: 'application'; readonly application: string; readonly tags: readonly Tag[] };

export type Decision =
  /** The chain that allowed it, from the subject to the grant: `['USER:alice', 'GROUP:analysts', 'EXECUTE on INTEGRATION:…']`. */
  | { readonly kind: 'allow'; readonly via: readonly string[] }
  /** The grant that would have allowed it, in words. */
  | { readonly kind: 'deny'; readonly missing: string };

export interface SubjectOptions {
  /** False where the subject is only inferred from a name: it then never counts as ADMIN. Default true. */
  readonly mayBeAdmin?: boolean;
}

export interface DecisionOptions extends SubjectOptions {
  /** Any one of these is enough. Default what running a task needs: EXECUTE, for a prompt EXECUTE or READ on `PROMPT:name`. */
  readonly access?: readonly Access[];
}

const EVERY_ACCESS: ReadonlySet<Access> = new Set(ACCESSES);

/**
 * Whether a subject may do something with a target: it is ADMIN, or it, a role or a group of it holds the access on
 * `INTEGRATION:provider:model`, on `INTEGRATION_PROVIDER:provider` (which covers its models), on `PROMPT:name`, on
 * `APPLICATION:id`, or on a tag that the target, or a model's integration, carries. No grant means no. Pure: the worker,
 * the API, its listings and `can` share it.
 *
 * A prompt's tags let somebody see, change or delete it, but not run it, whatever the access on the tag: a prompt that a
 * task names needs EXECUTE or READ on `PROMPT:name` itself, so that tagging a prompt gives it to no workflow.
 */
export function decide(world: AccessWorld, subject: Subject, target: Target, options: DecisionOptions = {}): Decision {
  const sought = whatAllows(target, options.access, options.mayBeAdmin);
  const found = world.findGrant === undefined ? walkToGrant(world, subject, sought) : world.findGrant(subject, sought);
  if (found === undefined) return { kind: 'deny', missing: missingGrant(world, subject, sought) };
  const { way, grant } = found;
  return { kind: 'allow', via: grant === undefined ? way : [...way, `${grant.access} on ${grant.target}`] };
}

/** Everything that a subject may do with a target: `decide` says yes to each of these alone, and to no other. ADMIN: all. */
export function accessHeld(
  world: AccessWorld,
  subject: Subject,
  target: Target,
  options: SubjectOptions = {},
): ReadonlySet<Access> {
  const { targets, access, tags, tagAccess, mayBeAdmin } = whatAllows(target, ACCESSES, options.mayBeAdmin);
  const held = new Set<Access>();
  const collect = (type: SubjectType, id: string): boolean => {
    if (type === 'ROLE' && id === ADMIN) return mayBeAdmin;
    const grants = world.grantsOf(holderId(type, id));
    if (grants.size === 0) return false;
    for (const target of targets)
      for (const word of grants.get(target) ?? []) if (access.includes(word)) held.add(word);
    for (const tag of tags) for (const word of grants.get(tag) ?? []) if (tagAccess.includes(word)) held.add(word);
    return false;
  };
  return findHolder(world, subject, collect) === undefined ? held : EVERY_ACCESS;
}

/** Whether a subject is ADMIN, itself or by a group. */
export function isAdmin(world: AccessWorld, subject: Subject): boolean {
  return findHolder(world, subject, (type, id) => type === 'ROLE' && id === ADMIN) !== undefined;
}

const TO_RUN: readonly Access[] = ['EXECUTE'];
const TO_RUN_A_PROMPT: readonly Access[] = ['EXECUTE', 'READ'];
const NONE: readonly Access[] = [];

function whatAllows(target: Target, asked: readonly Access[] | undefined, mayBeAdmin = true): Sought {
  const tags = (target.tags ?? []).map(({ key, value }) => tagTarget(key, value));
  const access = asked ?? TO_RUN;
  switch (target.kind) {
    case 'prompt':
      return {
        targets: [promptTarget(target.prompt)],
        access: asked ?? TO_RUN_A_PROMPT,
        tags,
        tagAccess: asked?.filter((word) => word !== 'EXECUTE') ?? NONE,
        mayBeAdmin,
      };
    case 'integration':
      return { targets: [integrationTarget(target.integration)], access, tags, tagAccess: access, mayBeAdmin };
    case 'model': {
      const targets = [modelTarget(target.integration, target.model), integrationTarget(target.integration)];
      return { targets, access, tags, tagAccess: access, mayBeAdmin };
    }
    case 'application':
      return { targets: [applicationTarget(target.application)], access, tags, tagAccess: access, mayBeAdmin };
  }
}

function missingGrant(world: AccessWorld, subject: Subject, { access, targets }: Sought): string {
  const grant = `${anyOf(access)} on ${anyOf(targets)}`;
  const application = applicationIdOf(subject);
  if (application !== undefined && world.application(application) === undefined) {
    return `the record of application ${application}, then ${grant}`;
  }
  if (subject.type === 'GROUP' && world.group(subject.id) === undefined) {
    return `the record of group ${subject.id}, then ${grant}`;
  }
  return grant;
}

/** Nearly always one or two: `join` would take longer than all the rest of a denial. */
function anyOf(words: readonly string[]): string {
  let text = words[0] ?? '';
  for (let index = 1; index < words.length; index += 1) text += ` or ${words[index]}`;
  return text;
}
