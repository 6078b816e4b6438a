import { describe, expect, it } from 'vitest';
import { keepLastAdmin } from '../../src/manifests/last-admin.ts';
import { planChanges } from '../../src/manifests/plan.ts';
import { snapshotOf, type World, wantedOf } from './worlds.ts';

const ADMIN = { roles: ['ADMIN'] };

/** What a pruning manifest would delete and what it leaves, as `kind name`. */
async function prune(world: World, manifest: string) {
  const snapshot = await snapshotOf(world);
  const { changes, kept } = keepLastAdmin(snapshot, planChanges(snapshot, wantedOf(manifest), { prune: true }));
  const deletions = changes.filter(({ action }) => action === 'delete');
  const titles = (list: typeof kept) => list.map(({ kind, name }) => `${kind} ${name}`);
  return { deleted: titles(deletions), kept: titles(kept) };
}

describe('the last ADMIN stays', () => {
  it.each(['users', 'applications'] as const)('among %s, and others are deleted', async (kind) => {
    const records = { [kind]: { root: ADMIN, other: {} } };
    expect(await prune({ records }, `${kind}: {}`)).toEqual({ deleted: [`${kind} other`], kept: [`${kind} root`] });
  });

  it('where the role is written as Orkes reads it, as an object', async () => {
    const records = { users: { root: { roles: [{ name: 'ADMIN' }] } } };
    expect((await prune({ records }, 'users: {}')).kept).toEqual(['users root']);
  });

  it('where a group gives the role: the group, and those of its members who have records', async () => {
    const world = {
      records: { groups: { admins: ADMIN, rest: {} }, users: { alice: {}, bob: {} } },
      members: { admins: ['alice'] },
    };
    expect(await prune(world, 'groups: {}\nusers: {}')).toEqual({
      deleted: ['groups rest', 'users bob'].sort(),
      kept: ['groups admins', 'users alice'],
    });
  });

  it('where its group stays but loses its only member with the member’s record', async () => {
    const world = { records: { groups: { admins: ADMIN }, users: { alice: {} } }, members: { admins: ['alice'] } };
    expect((await prune(world, 'groups: { admins: { roles: [ADMIN] } }\nusers: {}')).kept).toEqual(['users alice']);
  });

  it('where a group with the role has no member who could use it', async () => {
    const records = { groups: { admins: ADMIN }, users: { root: ADMIN } };
    expect((await prune({ records }, 'users: {}')).kept).toEqual(['users root']);
  });

  it('where the same manifest takes the role from the only other one', async () => {
    const records = { users: { root: ADMIN, alice: ADMIN } };
    expect((await prune({ records }, 'users: { alice: { roles: [USER] } }')).kept).toEqual(['users root']);
  });

  it('where the record of another one cannot be read', async () => {
    const records = { users: { root: ADMIN, broken: '{"roles":["ADMIN"' } };
    expect(await prune({ records }, 'users: {}')).toEqual({ deleted: ['users broken'], kept: ['users root'] });
  });
});

describe('the last application that gets in as ADMIN with an access key stays', () => {
  const key = (application: string, uid: string, enabled = true) => ({
    ...{ application, applicationUid: uid, enabled, createdAt: 1 },
  });
  const records = {
    applications: { boot: { ...ADMIN, uid: 'u1' }, other: { uid: 'u2' } },
    users: { root: ADMIN },
    'access-keys': { k1: key('boot', 'u1') },
  };

  it('beside a user who has the role, and others are deleted', async () => {
    expect(await prune({ records }, 'applications: {}')).toEqual({
      deleted: ['applications other'],
      kept: ['applications boot'],
    });
  });

  it('with the group that gives it the role, and not with another', async () => {
    const world = {
      records: { ...records, applications: { boot: { uid: 'u1' } }, groups: { admins: ADMIN, empty: ADMIN } },
      members: { admins: ['app:boot'] },
    };
    expect(await prune(world, 'applications: {}\ngroups: {}')).toEqual({
      deleted: ['groups empty'],
      kept: ['groups admins', 'applications boot'],
    });
  });

  it('and goes where another one has a key, or its own is switched off', async () => {
    const applications = { ...records.applications, other: { ...ADMIN, uid: 'u2' } };
    const both = { ...records, applications, 'access-keys': { k1: key('boot', 'u1'), k2: key('other', 'u2') } };
    expect((await prune({ records: both }, 'applications: { other: { roles: [ADMIN] } }')).kept).toEqual([]);
    const off = { ...records, 'access-keys': { k1: key('boot', 'u1', false) } };
    expect((await prune({ records: off }, 'applications: {}')).kept).toEqual([]);
  });
});

describe('an ADMIN is deleted', () => {
  it.each([
    [
      'another user has the role',
      { records: { users: { root: ADMIN, alice: ADMIN } } },
      'users: { alice: { roles: [ADMIN] } }',
    ],
    ['the manifest makes another one', { records: { users: { root: ADMIN } } }, 'users: { alice: { roles: [ADMIN] } }'],
    [
      'the manifest gives another one the role',
      { records: { users: { root: ADMIN, alice: {} } } },
      'users: { alice: { roles: [ADMIN] } }',
    ],
    ['an application has it', { records: { users: { root: ADMIN }, applications: { a: ADMIN } } }, 'users: {}'],
    [
      'a member of a group has it',
      { records: { users: { root: ADMIN }, groups: { g: ADMIN } }, members: { g: ['alice'] } },
      'users: {}',
    ],
    [
      'the manifest fills a group that has it',
      { records: { users: { root: ADMIN } } },
      'users: {}\ngroups: { g: { roles: [ADMIN], members: [alice] } }',
    ],
  ])('where %s', async (_, world: World, manifest) => {
    expect(await prune(world, manifest)).toEqual({ deleted: ['users root'], kept: [] });
  });

  it('nobody is kept where nobody had the role before', async () => {
    const records = { users: { alice: { roles: ['USER'] } }, groups: { empty: ADMIN } };
    expect(await prune({ records }, 'users: {}\ngroups: {}')).toEqual({
      deleted: ['groups empty', 'users alice'],
      kept: [],
    });
  });
});
