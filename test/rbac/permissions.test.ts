import { describe, expect, it } from 'vitest';
import { isAdmin } from '../../src/rbac/decision.ts';
import { isSystemRole, type Permission, permissionsOf } from '../../src/rbac/permissions.ts';
import { parseSubject } from '../../src/rbac/subject.ts';
import { type Written, worldOf } from './support/written-world.ts';

function subject(text: string) {
  const parsed = parseSubject(text);
  if (parsed === undefined) throw new Error(`no subject: ${text}`);
  return parsed;
}

const permitted = (world: Written, who: string): string[] => [...permissionsOf(worldOf(world), subject(who))].sort();
const admin = (world: Written, who: string): boolean => isAdmin(worldOf(world), subject(who));

const BOTH: readonly Permission[] = ['INTEGRATION_CREATE', 'PROMPT_CREATE'];

/** security.md rule 3, and Orkes' roles of an application. */
const EXPECTED: readonly [role: string, permissions: readonly Permission[], admin: boolean][] = [
  ['ADMIN', BOTH, true],
  ['USER', BOTH, false],
  ['METADATA_MANAGER', BOTH, false],
  ['WORKFLOW_MANAGER', [], false],
  ['USER_READ_ONLY', [], false],
  ['WORKER', [], false],
  ['METADATA_API', BOTH, false],
];

/** Every way to come by a role. */
const WAYS: Record<string, (role: string) => [world: Written, who: string]> = {
  'a user of it': (role) => [{ users: { alice: [role] } }, 'alice'],
  'an application of it': (role) => [{ applications: { claims: [role] } }, 'app:claims'],
  'a group of it': (role) => [{ groups: { g: [role] } }, 'GROUP:g'],
  'a member of a group of it': (role) => [{ groups: { g: [role] }, members: { g: ['alice'] } }, 'alice'],
  'an application in a group of it': (role) => [
    { applications: { claims: [] }, groups: { g: [role] }, members: { g: ['app:claims'] } },
    'app:claims',
  ],
  'the role itself': (role) => [{}, `ROLE:${role}`],
};

describe.each(EXPECTED)('the system role %s', (role, permissions, isAdministrator) => {
  it.each(Object.entries(WAYS))('permits %s just what it should', (_, way) => {
    const [world, who] = way(role);
    expect(permitted(world, who)).toEqual(permissions);
    expect(admin(world, who)).toBe(isAdministrator);
  });

  it('is not changed by a custom role of its name', () => {
    const roles = { [role]: ['INTEGRATION_CREATE', 'PROMPT_CREATE'] };
    expect(permitted({ users: { alice: [role] }, roles }, 'alice')).toEqual(permissions);
    expect(permitted({ users: { alice: [role] }, roles: { [role]: [] } }, 'alice')).toEqual(permissions);
    expect(isSystemRole(role)).toBe(true);
  });
});

describe('a custom role', () => {
  it.each(Object.entries(WAYS))('permits %s what its record says, and nothing that has no meaning', (_, way) => {
    const [world, who] = way('curator');
    const roles = { curator: ['PROMPT_CREATE', 'WORKFLOW_CREATE', 'ADMIN', 'toString', '__proto__'] };
    expect(permitted({ ...world, roles }, who)).toEqual(['PROMPT_CREATE']);
    expect(admin({ ...world, roles }, who)).toBe(false);
  });

  it.each(Object.entries(WAYS))('without a record permits %s nothing', (_, way) => {
    for (const name of ['curator', 'toString', '__proto__', 'admin']) {
      const [world, who] = way(name);
      expect(permitted(world, who)).toEqual([]);
      expect(admin(world, who)).toBe(false);
    }
  });
});

describe('the roles of a subject', () => {
  it('count together, from wherever they come', () => {
    const roles = { prompts: ['PROMPT_CREATE'], integrations: ['INTEGRATION_CREATE'] };
    const world: Written = {
      users: { alice: ['prompts'] },
      groups: { g: ['integrations'] },
      members: { g: ['alice'] },
      roles,
    };
    expect(permitted(world, 'alice')).toEqual(BOTH);
    expect(permitted({ ...world, groups: { g: ['prompts'] } }, 'alice')).toEqual(['PROMPT_CREATE']);
  });

  it('count neither from a deleted group nor for a deleted application', () => {
    for (const role of ['ADMIN', 'USER']) {
      expect(permitted({ members: { g: ['alice'] } }, 'alice')).toEqual([]);
      expect(permitted({ users: { 'app:claims': [role] } }, 'app:claims')).toEqual([]);
      expect(admin({ users: { 'app:claims': [role] } }, 'app:claims')).toBe(false);
      const group = { groups: { g: [role] }, members: { g: ['app:claims'] } };
      expect(permitted(group, 'app:claims')).toEqual([]);
      expect(admin(group, 'app:claims')).toBe(false);
    }
  });

  it('are nothing that is granted: a grant permits to create nothing', () => {
    const grants = { 'USER:alice': { 'INTEGRATION_PROVIDER:prod': 'CREATE', 'TAG:a:b': 'CREATE' } };
    expect(permitted({ grants }, 'alice')).toEqual([]);
  });
});
