/**
 * The rules of access once more, as relations and policies for node-casbin, which then decides: nothing here searches or
 * compares. Written from design.md and docs/access.md, and knows nothing of src/rbac.
 */
import { newEnforcer, newModelFromString } from 'casbin';
import type { Drawn, Question } from './drawn-world.ts';

/**
 * g: who stands for whom, from users to groups to roles. g2: what a thing is covered by, from models to integrations to
 * tags. g3: which access is enough for which act. Where a subject may not be ADMIN, nothing of that role is its.
 */
const MODEL = `
[request_definition]
r = sub, obj, act, admin

[policy_definition]
p = sub, obj, act

[role_definition]
g = _, _
g2 = _, _
g3 = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g3(r.act, p.act) && g2(r.obj, p.obj) && g(r.sub, p.sub) && p.sub != "ROLE:ADMIN" || r.admin && g(r.sub, "ROLE:ADMIN")
`;

const MAY_CREATE = ['ADMIN', 'USER', 'METADATA_MANAGER', 'METADATA_API'];
const SYSTEM_ROLES = [...MAY_CREATE, 'WORKFLOW_MANAGER', 'USER_READ_ONLY', 'WORKER'];
/** What it takes to run a task: EXECUTE; with a prompt, READ on that is enough. */
const ENOUGH_TO_RUN = [
  ['RUN', 'EXECUTE'],
  ['RUN PROMPT', 'EXECUTE'],
  ['RUN PROMPT', 'READ'],
];

export interface Oracle {
  allows(question: Question): boolean;
  permits(subject: string, permission: string): boolean;
}

export async function casbinOracle(drawn: Drawn): Promise<Oracle> {
  const enforcer = await newEnforcer(newModelFromString(MODEL));
  await enforcer.addNamedGroupingPolicies('g', standsFor(drawn));
  await enforcer.addNamedGroupingPolicies('g2', coveredBy(drawn));
  await enforcer.addNamedGroupingPolicies('g3', ENOUGH_TO_RUN);
  await enforcer.addPolicies(policies(drawn));
  return {
    allows({ subject, name, act, mayBeAdmin }) {
      const isPrompt = name.startsWith('PROMPT:');
      if (act === 'RUN') return enforcer.enforceSync(subject, name, isPrompt ? 'RUN PROMPT' : 'RUN', mayBeAdmin);
      return enforcer.enforceSync(subject, isPrompt && act !== 'EXECUTE' ? `SEEN ${name}` : name, act, mayBeAdmin);
    },
    permits: (subject, permission) => enforcer.enforceSync(subject, 'PERMISSION', permission, true),
  };
}

const has = (list: readonly { readonly id: string }[], id: string): boolean => list.some((one) => one.id === id);

/** A group and an application have to exist; a user does not. */
function exists(drawn: Drawn, subject: string): boolean {
  if (subject.startsWith('GROUP:')) return has(drawn.groups, subject.slice('GROUP:'.length));
  if (subject.startsWith('USER:app:')) return has(drawn.applications, subject.slice('USER:app:'.length));
  return true;
}

function standsFor(drawn: Drawn): string[][] {
  const roles = (subject: (id: string) => string, list: Drawn['users']) =>
    list.flatMap((one) => one.roles.map((role) => [subject(one.id), `ROLE:${role}`]));
  const links = [
    ...roles((id) => `USER:${id}`, drawn.users),
    ...roles((id) => `USER:app:${id}`, drawn.applications),
    ...roles((id) => `GROUP:${id}`, drawn.groups),
    ...drawn.members
      .map(({ group, member }) => [`USER:${member}`, `GROUP:${group}`])
      .filter((link) => link.every((name) => exists(drawn, name))),
  ];
  return distinct(links);
}

function coveredBy(drawn: Drawn): string[][] {
  const links = drawn.tags.map(({ name, tag }) => [
    // A prompt's tags count for who sees and changes it, not for who runs it.
    name.startsWith('PROMPT:') ? `SEEN ${name}` : name,
    `TAG:${tag.key}:${tag.value}`,
  ]);
  for (const name of [...drawn.grants.map(({ target }) => target), ...drawn.tags.map((one) => one.name)]) {
    if (name.startsWith('PROMPT:')) links.push([`SEEN ${name}`, name]);
  }
  for (const provider of ['p', 'p.q']) {
    for (const name of ['m', 'q', 'm:0']) {
      links.push([`INTEGRATION:${provider}:${name}`, `INTEGRATION_PROVIDER:${provider}`]);
    }
  }
  return distinct(links);
}

function policies(drawn: Drawn): string[][] {
  const granted = drawn.grants
    .filter(({ subject }) => exists(drawn, subject))
    .flatMap(({ subject, target, access }) => access.map((word) => [subject, target, word]));
  const system = MAY_CREATE.flatMap((role) => [
    [`ROLE:${role}`, 'PERMISSION', 'INTEGRATION_CREATE'],
    [`ROLE:${role}`, 'PERMISSION', 'PROMPT_CREATE'],
  ]);
  const custom = drawn.roles
    .filter(({ id }) => !SYSTEM_ROLES.includes(id))
    .flatMap(({ id, permissions }) => permissions.map((name) => [`ROLE:${id}`, 'PERMISSION', name]));
  return distinct([...granted, ...system, ...custom]);
}

function distinct(rules: readonly string[][]): string[][] {
  return [...new Map(rules.map((rule) => [rule.join('\n'), rule])).values()];
}
