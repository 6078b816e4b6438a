import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AccessWorld, decide, type TaskTarget } from '../../src/rbac/decision.ts';
import { ACCESSES, type Access, type TargetId } from '../../src/rbac/grants.ts';
import { applicationRecord, groupRecord, userRecord } from '../../src/rbac/records.ts';
import { parseSubjectId } from '../../src/rbac/subject.ts';

/** Few names of everything, so that what is drawn meets. Some are chosen to be taken for something else. */
const USERS = ['alice', 'bob', 'g', 'claims'];
const APPLICATIONS = ['claims', 'alice'];
const GROUPS = ['g', 'ADMIN', 'alice'];
const ROLES = ['ADMIN', 'USER', 'g'];
const PROVIDERS = ['p', 'p.q'];
const MODELS = ['m', 'q', 'm:0'];
const PROMPTS = ['t', 'p'];
const TAGS = [
  { key: 'tier', value: 'gold' },
  { key: 'tier', value: 'a:b' },
  { key: 'm', value: '0' },
];
const SUBJECTS = [
  ...USERS.map((id) => `USER:${id}`),
  ...APPLICATIONS.map((id) => `USER:app:${id}`),
  ...GROUPS.map((id) => `GROUP:${id}`),
  ...ROLES.map((id) => `ROLE:${id}`),
];
const TARGETS = [
  ...PROVIDERS.map((provider) => `INTEGRATION_PROVIDER:${provider}`),
  ...PROVIDERS.flatMap((provider) => MODELS.map((model) => `INTEGRATION:${provider}:${model}`)),
  ...PROMPTS.map((prompt) => `PROMPT:${prompt}`),
  ...TAGS.map(({ key, value }) => `TAG:${key}:${value}`),
];

interface Drawn {
  readonly users: readonly { readonly id: string; readonly roles: readonly string[] }[];
  readonly applications: Drawn['users'];
  readonly groups: Drawn['users'];
  readonly members: readonly { readonly group: string; readonly member: string }[];
  readonly grants: readonly { readonly subject: string; readonly target: string; readonly access: readonly Access[] }[];
}

const records = (ids: string[]) =>
  fc.uniqueArray(fc.record({ id: fc.constantFrom(...ids), roles: fc.subarray(ROLES) }), {
    selector: ({ id }) => id,
    maxLength: ids.length,
  });
const drawnWorld: fc.Arbitrary<Drawn> = fc.record({
  users: records(USERS),
  applications: records(APPLICATIONS),
  groups: records(GROUPS),
  members: fc.array(
    fc.record({
      group: fc.constantFrom(...GROUPS),
      member: fc.constantFrom(...USERS, ...APPLICATIONS.map((id) => `app:${id}`)),
    }),
    { maxLength: 5 },
  ),
  grants: fc.uniqueArray(
    fc.record({
      subject: fc.constantFrom(...SUBJECTS),
      target: fc.constantFrom(...TARGETS),
      access: fc.subarray([...ACCESSES], { minLength: 1 }),
    }),
    { selector: ({ subject, target }) => `${subject} ${target}`, maxLength: 12 },
  ),
});
const drawnTarget: fc.Arbitrary<TaskTarget> = fc.oneof(
  fc.record({
    kind: fc.constant('integration' as const),
    integration: fc.constantFrom(...PROVIDERS),
    tags: fc.subarray(TAGS),
  }),
  fc.record({
    kind: fc.constant('model' as const),
    integration: fc.constantFrom(...PROVIDERS),
    model: fc.constantFrom(...MODELS),
    tags: fc.subarray(TAGS),
  }),
  fc.record({ kind: fc.constant('prompt' as const), prompt: fc.constantFrom(...PROMPTS) }),
);

function asWorld(drawn: Drawn): AccessWorld {
  const rolesOf = (list: Drawn['users'], id: string) => list.find((one) => one.id === id);
  return {
    user: (id) => (rolesOf(drawn.users, id) ? userRecord.parse({ roles: rolesOf(drawn.users, id)?.roles }) : undefined),
    group: (id) =>
      rolesOf(drawn.groups, id) ? groupRecord.parse({ roles: rolesOf(drawn.groups, id)?.roles }) : undefined,
    application: (id) =>
      rolesOf(drawn.applications, id)
        ? applicationRecord.parse({ roles: rolesOf(drawn.applications, id)?.roles })
        : undefined,
    role: () => undefined,
    groupsOf: (id) => drawn.members.filter(({ member }) => member === id).map(({ group }) => group),
    grantsOf: (subject) =>
      new Map(
        drawn.grants
          .filter((grant) => grant.subject === subject)
          .map(({ target, access }) => [target as TargetId, new Set(access)]),
      ),
  };
}

/** What follows directly from being `name`: the groups and roles it stands for, too. */
function alsoIs(drawn: Drawn, name: string): string[] {
  const [type, id] = [name.slice(0, name.indexOf(':')), name.slice(name.indexOf(':') + 1)];
  const rolesIn = (list: Drawn['users'], wanted: string) =>
    list.filter((one) => one.id === wanted).flatMap(({ roles }) => roles.map((role) => `ROLE:${role}`));
  if (type === 'ROLE') return [];
  if (type === 'GROUP') return rolesIn(drawn.groups, id);
  const living = drawn.members
    .filter(({ member, group }) => member === id && drawn.groups.some((one) => one.id === group))
    .map(({ group }) => `GROUP:${group}`);
  return [
    ...living,
    ...(id.startsWith('app:') ? rolesIn(drawn.applications, id.slice('app:'.length)) : rolesIn(drawn.users, id)),
  ];
}

/** The rule of design.md once more, as a search over plain lists. */
function mayUse(drawn: Drawn, subject: string, target: TaskTarget, mayBeAdmin: boolean): boolean {
  if (subject.startsWith('USER:app:') && !drawn.applications.some(({ id }) => subject === `USER:app:${id}`))
    return false;
  if (subject.startsWith('GROUP:') && !drawn.groups.some(({ id }) => subject === `GROUP:${id}`)) return false;
  const names = new Set([subject]);
  for (const name of names) for (const further of alsoIs(drawn, name)) names.add(further);
  if (mayBeAdmin && names.has('ROLE:ADMIN')) return true;
  // Who may not be ADMIN has nothing of what is granted to that role either.
  names.delete('ROLE:ADMIN');
  return drawn.grants.some((grant) => {
    if (!names.has(grant.subject)) return false;
    if (target.kind === 'prompt') {
      return grant.target === `PROMPT:${target.prompt}` && grant.access.some((word) => /^(EXECUTE|READ)$/.test(word));
    }
    const covered =
      grant.target === `INTEGRATION_PROVIDER:${target.integration}` ||
      (target.kind === 'model' && grant.target === `INTEGRATION:${target.integration}:${target.model}`) ||
      target.tags.some(({ key, value }) => grant.target === `TAG:${key}:${value}`);
    return covered && grant.access.includes('EXECUTE');
  });
}

const drawnCase = fc.tuple(drawnWorld, fc.constantFrom(...SUBJECTS), drawnTarget, fc.boolean());

function decided([drawn, subject, target, mayBeAdmin]: [Drawn, string, TaskTarget, boolean]) {
  const parsed = parseSubjectId(subject);
  if (parsed === undefined) throw new Error(subject);
  return decide(asWorld(drawn), parsed, target, { mayBeAdmin });
}

describe('a decision in any small world', () => {
  it('is the one that a search over the plain lists comes to', () => {
    const seen = { allow: 0, deny: 0 };
    fc.assert(
      fc.property(drawnCase, (drawn) => {
        const decision = decided(drawn);
        seen[decision.kind] += 1;
        expect(decision.kind).toBe(mayUse(...drawn) ? 'allow' : 'deny');
      }),
      { numRuns: 5_000 },
    );
    // Worlds in which nearly everything ends the same way would prove little.
    expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan(500);
  });

  it('is explained by a chain of which every step is true', () => {
    fc.assert(
      fc.property(drawnCase, (drawn) => {
        const decision = decided(drawn);
        if (decision.kind === 'deny') return;
        const [world, subject] = drawn;
        const chain = [...decision.via];
        const granted = chain.at(-1) === 'ROLE:ADMIN' ? undefined : chain.pop();
        expect(chain[0]).toBe(subject);
        for (const [index, name] of chain.slice(1).entries()) {
          expect(alsoIs(world, chain[index] ?? '')).toContain(name);
        }
        if (granted === undefined) return;
        const [, word = '', target = ''] = /^([A-Z]+) on (.+)$/.exec(granted) ?? [];
        const held = world.grants.find((grant) => grant.subject === chain.at(-1) && grant.target === target);
        expect(held?.access).toContain(word);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never turns to no because somebody is granted more', () => {
    fc.assert(
      fc.property(drawnCase, drawnWorld, ([drawn, ...rest], more) => {
        if (decided([drawn, ...rest]).kind === 'deny') return;
        const grants = [...drawn.grants, ...more.grants].filter(
          (grant, index, all) =>
            all.findIndex((other) => other.subject === grant.subject && other.target === grant.target) === index,
        );
        expect(decided([{ ...drawn, grants }, ...rest]).kind).toBe('allow');
      }),
      { numRuns: 1_000 },
    );
  });
});
