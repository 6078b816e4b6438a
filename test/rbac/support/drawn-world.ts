import fc from 'fast-check';
import type { AccessWorld, Target } from '../../../src/rbac/decision.ts';
import { ACCESSES, type Access, type TargetId } from '../../../src/rbac/grants.ts';
import { applicationRecord, groupRecord, roleRecord, userRecord } from '../../../src/rbac/records.ts';
import type { Tag } from '../../../src/record-fields.ts';

/** Few names of everything, so that what is drawn meets. Some are chosen to be taken for something else. */
const USERS = ['alice', 'bob', 'g', 'claims'];
const APPLICATIONS = ['claims', 'alice'];
const GROUPS = ['g', 'ADMIN', 'alice', 'h'];
const ROLES = ['ADMIN', 'USER', 'WORKER', 'g', 'curator'];
const PROVIDERS = ['p', 'p.q'];
const MODELS = ['m', 'q', 'm:0'];
const PROMPTS = ['t', 'p'];
const TAGS: readonly Tag[] = [
  { key: 'tier', value: 'gold' },
  { key: 'tier', value: 'a:b' },
  { key: 'm', value: '0' },
];
const PERMISSION_NAMES = ['INTEGRATION_CREATE', 'PROMPT_CREATE', 'WORKFLOW_CREATE'];

export const SUBJECTS = [
  ...USERS.map((id) => `USER:${id}`),
  ...APPLICATIONS.map((id) => `USER:app:${id}`),
  ...GROUPS.map((id) => `GROUP:${id}`),
  ...ROLES.map((id) => `ROLE:${id}`),
];

/** What can be asked about, under its name in grants. */
const THINGS: Readonly<Record<string, (tagsOf: (name: string) => Tag[]) => Target>> = Object.fromEntries([
  ...PROVIDERS.map((integration) => {
    const name = `INTEGRATION_PROVIDER:${integration}`;
    return thing(name, (tagsOf) => ({ kind: 'integration', integration, tags: tagsOf(name) }));
  }),
  ...PROVIDERS.flatMap((integration) =>
    MODELS.map((model) => {
      const name = `INTEGRATION:${integration}:${model}`;
      return thing(name, (tagsOf) => ({
        kind: 'model',
        integration,
        model,
        tags: [...tagsOf(name), ...tagsOf(`INTEGRATION_PROVIDER:${integration}`)],
      }));
    }),
  ),
  ...PROMPTS.map((prompt) => {
    const name = `PROMPT:${prompt}`;
    return thing(name, (tagsOf) => ({ kind: 'prompt', prompt, tags: tagsOf(name) }));
  }),
  ...APPLICATIONS.map((application) => {
    const name = `APPLICATION:${application}`;
    return thing(name, (tagsOf) => ({ kind: 'application', application, tags: tagsOf(name) }));
  }),
]);
const NAMES = Object.keys(THINGS);

function thing(name: string, make: (tagsOf: (name: string) => Tag[]) => Target) {
  return [name, make] as const;
}

interface WithRoles {
  readonly id: string;
  readonly roles: readonly string[];
}

/** A world as plain lists. */
export interface Drawn {
  readonly users: readonly WithRoles[];
  readonly applications: readonly WithRoles[];
  readonly groups: readonly WithRoles[];
  readonly roles: readonly { readonly id: string; readonly permissions: readonly string[] }[];
  readonly members: readonly { readonly group: string; readonly member: string }[];
  readonly tags: readonly { readonly name: string; readonly tag: Tag }[];
  readonly grants: readonly { readonly subject: string; readonly target: string; readonly access: readonly Access[] }[];
}

export interface Question {
  readonly subject: string;
  /** Of the thing, as grants name it. */
  readonly name: string;
  /** RUN: what a task needs. */
  readonly act: Access | 'RUN';
  readonly mayBeAdmin: boolean;
}

/** ADMIN is rare, or it would settle nearly everything. */
const role = fc.oneof(
  { weight: 1, arbitrary: fc.constant('ADMIN') },
  { weight: 9, arbitrary: fc.constantFrom(...ROLES.filter((name) => name !== 'ADMIN')) },
);
const records = (ids: readonly string[]) =>
  fc.uniqueArray(fc.record({ id: fc.constantFrom(...ids), roles: fc.uniqueArray(role, { maxLength: 2 }) }), {
    selector: ({ id }) => id,
    minLength: ids.length / 2,
    maxLength: ids.length,
  });

export const drawnWorld: fc.Arbitrary<Drawn> = fc.record({
  users: records(USERS),
  applications: records(APPLICATIONS),
  groups: records(GROUPS),
  roles: fc.uniqueArray(
    fc.record({ id: fc.constantFrom(...ROLES), permissions: fc.subarray(PERMISSION_NAMES, { minLength: 1 }) }),
    { selector: ({ id }) => id, maxLength: 3 },
  ),
  members: fc.array(
    fc.record({
      group: fc.constantFrom(...GROUPS),
      member: fc.constantFrom(...USERS, ...APPLICATIONS.map((id) => `app:${id}`)),
    }),
    { maxLength: 10 },
  ),
  tags: fc.array(fc.record({ name: fc.constantFrom(...NAMES), tag: fc.constantFrom(...TAGS) }), { maxLength: 10 }),
  grants: fc.uniqueArray(
    fc.record({
      subject: fc.constantFrom(...SUBJECTS),
      target: fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...NAMES) },
        { weight: 2, arbitrary: fc.constantFrom(...TAGS.map(({ key, value }) => `TAG:${key}:${value}`)) },
      ),
      access: fc.subarray([...ACCESSES], { minLength: 1 }),
    }),
    { selector: ({ subject, target }) => `${subject} ${target}`, maxLength: 18 },
  ),
});

export const drawnQuestion: fc.Arbitrary<Question> = fc.record({
  subject: fc.constantFrom(...SUBJECTS),
  name: fc.constantFrom(...NAMES),
  act: fc.oneof(fc.constant('RUN' as const), fc.constantFrom(...ACCESSES)),
  mayBeAdmin: fc.boolean(),
});

export function targetNamed(drawn: Drawn, name: string): Target {
  const tagsOf = (of: string) => drawn.tags.filter((one) => one.name === of).map(({ tag }) => tag);
  const make = THINGS[name];
  if (make === undefined) throw new Error(`nothing is named ${name}`);
  return make(tagsOf);
}

export function asWorld(drawn: Drawn): AccessWorld {
  const read = <R extends { readonly id: string }, T>(list: readonly R[], id: string, parse: (record: R) => T) => {
    const found = list.find((one) => one.id === id);
    return found === undefined ? undefined : parse(found);
  };
  return {
    user: (id) => read(drawn.users, id, ({ roles }) => userRecord.parse({ roles })),
    group: (id) => read(drawn.groups, id, ({ roles }) => groupRecord.parse({ roles })),
    application: (id) => read(drawn.applications, id, ({ roles }) => applicationRecord.parse({ roles })),
    role: (id) => read(drawn.roles, id, ({ permissions }) => roleRecord.parse({ permissions })),
    groupsOf: (id) => drawn.members.filter(({ member }) => member === id).map(({ group }) => group),
    grantsOf: (subject) =>
      new Map(
        drawn.grants
          .filter((grant) => grant.subject === subject)
          .map(({ target, access }) => [target as TargetId, new Set(access)]),
      ),
  };
}
