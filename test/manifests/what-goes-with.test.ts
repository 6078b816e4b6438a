import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/manifests/changes.ts';
import { whatGoesWith } from '../../src/manifests/what-goes-with.ts';
import { snapshotOf, type World } from './worlds.ts';

const gone = (kind: Change['kind'], name: string): Change => ({
  action: 'delete',
  kind,
  name,
  before: {},
  after: null,
});
const along = async (world: World, ...changes: Change[]) =>
  whatGoesWith(await snapshotOf(world), changes)
    .map(
      ({ action, kind, name, after }) =>
        `${action} ${kind} ${name}${after === null ? '' : ` ${JSON.stringify(after)}`}`,
    )
    .sort();

describe('with a deleted', () => {
  it.each<[Change['kind'], string, string]>([
    ['users', 'alice', 'USER:alice'],
    ['groups', 'analysts', 'GROUP:analysts'],
    ['applications', 'claims', 'USER:app:claims'],
    ['roles', 'reader', 'ROLE:reader'],
  ])('%s record %s go the grants of %s, and of nobody else', async (kind, name, subject) => {
    const grants = {
      [subject]: { 'PROMPT:p': 'READ' },
      'USER:other': { 'PROMPT:p': 'READ' },
      [`${subject}x`]: { 'PROMPT:p': 'READ' },
    };
    expect(await along({ grants }, gone(kind, name))).toEqual([`delete grants ${subject} → PROMPT:p`]);
  });

  it.each<[Change['kind'], string, string, string]>([
    ['integrations', 'p', 'INTEGRATION_PROVIDER:p', 'INTEGRATION:p:m'],
    ['models', 'p:m', 'INTEGRATION:p:m', 'INTEGRATION_PROVIDER:p'],
    ['prompts', 'p', 'PROMPT:p', 'INTEGRATION_PROVIDER:p'],
    ['applications', 'p', 'APPLICATION:p', 'PROMPT:p'],
  ])('%s record %s go the grants on %s, and not those on %s', async (kind, name, target, other) => {
    const grants = { 'USER:a': { [target]: 'READ', [other]: 'READ' }, 'GROUP:g': { [target]: 'EXECUTE' } };
    expect(await along({ grants }, gone(kind, name))).toEqual([
      `delete grants GROUP:g → ${target}`,
      `delete grants USER:a → ${target}`,
    ]);
  });

  it('group go its members', async () => {
    expect(await along({ members: { g: ['alice'], h: ['alice'] } }, gone('groups', 'g'))).toEqual(['delete members g']);
  });

  it('user or application go its memberships; a group that it leaves empty has none', async () => {
    const members = { g: ['alice', 'bob'], h: ['alice'], i: ['app:claims', 'claims'], j: ['bob'] };
    expect(await along({ members }, gone('users', 'alice'), gone('applications', 'claims'))).toEqual([
      'delete members h',
      'update members g ["bob"]',
      'update members i ["claims"]',
    ]);
  });
});

describe('nothing goes along', () => {
  const world = { members: { g: ['alice'] }, grants: { 'USER:alice': { 'PROMPT:p': 'READ' } } };

  it('with what is made or changed', async () => {
    const change = { kind: 'users', name: 'alice', before: null, after: {} } as const;
    expect(await along(world, { action: 'create', ...change }, { action: 'update', ...change })).toEqual([]);
  });

  it('where the changes say already what becomes of it', async () => {
    const grant: Change = {
      action: 'update',
      kind: 'grants',
      name: 'USER:alice → PROMPT:p',
      before: 'READ',
      after: 'EXECUTE',
    };
    const members: Change = {
      action: 'update',
      kind: 'members',
      name: 'g',
      before: ['alice'],
      after: ['alice', 'bob'],
    };
    expect(await along(world, gone('users', 'alice'), grant, members)).toEqual([]);
  });
});
