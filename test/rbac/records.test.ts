import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { describeFaults, parseJson } from '../../src/parsing.ts';
import { applicationRecord, groupRecord, roleRecord, userRecord } from '../../src/rbac/records.ts';

type Kind = 'groups' | 'applications' | 'users' | 'roles';
const SCHEMAS: Record<Kind, z.ZodType> = {
  groups: groupRecord,
  applications: applicationRecord,
  users: userRecord,
  roles: roleRecord,
};

function faultsOf(kind: Kind, value: unknown): string {
  const read = parseJson(JSON.stringify(value), SCHEMAS[kind]);
  return read.ok ? '' : describeFaults(read.faults);
}

describe('the examples of the contract', () => {
  it.each<[Kind, unknown, unknown]>([
    ['groups', { description: 'Risk analysts', roles: ['USER'] }, { description: 'Risk analysts', roles: ['USER'] }],
    ['applications', { name: 'claims', workflows: ['claims_*'] }, { workflows: ['claims_*'], roles: [], tags: [] }],
    ['users', { name: 'Alice', roles: ['USER'] }, { name: 'Alice', roles: ['USER'] }],
    ['roles', { name: 'reader', permissions: ['READ'] }, { name: 'reader', permissions: ['READ'] }],
  ])('are read: %s', (kind, value, expected) => {
    const read = parseJson(JSON.stringify(value), SCHEMAS[kind]);
    expect(read).toMatchObject({ ok: true, value: expected });
  });
});

describe.each<[Kind, string]>([
  ['groups', 'roles'],
  ['applications', 'roles'],
  ['users', 'roles'],
  ['roles', 'permissions'],
])('a record of %s', (kind, names) => {
  it(`takes its ${names} as names and as Orkes’ objects`, () => {
    const value = { [names]: ['USER', { name: 'ADMIN', permissions: [{ name: 'x' }] }] };
    expect(parseJson(JSON.stringify(value), SCHEMAS[kind])).toMatchObject({
      ok: true,
      value: { [names]: ['USER', 'ADMIN'] },
    });
  });

  it.each([[null], [undefined], [[]]])(`has no ${names} where it says %j`, (value) => {
    expect(parseJson(JSON.stringify({ [names]: value }), SCHEMAS[kind])).toMatchObject({
      ok: true,
      value: { [names]: [] },
    });
  });

  it.each([['ADMIN'], [['']], [[1]], [[null]], [[{ name: '' }]], [[{ id: 'ADMIN' }]], [{ name: 'ADMIN' }]])(
    `refuses ${names} of the form %j`,
    (value) => {
      expect(faultsOf(kind, { [names]: value })).toMatch(new RegExp(`^${names}`));
    },
  );

  it('refuses a key that it does not know, and proposes the one that was meant', () => {
    const slip = `${names.slice(0, -2)}s`;
    expect(faultsOf(kind, { [slip]: [] })).toBe(`${slip}: unknown key. Did you mean "${names}"?`);
    expect(faultsOf(kind, { somethingElse: 1 })).toBe('somethingElse: unknown key.');
  });

  it('takes the audit fields that Orkes’ clients send back', () => {
    const value = { ownerApp: 'x', createdBy: 'alice', updatedBy: null, createTime: 1, updateTime: 2, createdOn: 3 };
    expect(faultsOf(kind, value)).toBe('');
  });

  it.each([[[]], [null], ['x'], [1]])('is an object, not %j', (value) => {
    expect(faultsOf(kind, value)).not.toBe('');
  });

  it('takes no prototype from what it reads', () => {
    const read = parseJson(`{"__proto__":{"${names}":["ADMIN"]}}`, SCHEMAS[kind]);
    expect(read.ok && Reflect.get(read.value as object, names)).not.toEqual(['ADMIN']);
  });
});

describe('an application', () => {
  it('has no workflows unless it names some', () => {
    expect(applicationRecord.parse({}).workflows).toEqual([]);
    expect(applicationRecord.parse({ workflows: null }).workflows).toEqual([]);
  });

  it('names the pattern that is at fault', () => {
    expect(faultsOf('applications', { workflows: ['ok_*', '', 'a'.repeat(257)] })).toBe(
      'workflows.1: a workflow pattern is not empty; workflows.2: a workflow pattern has at most 256 characters',
    );
    expect(faultsOf('applications', { workflows: 'claims_*' })).toMatch(/^workflows: /);
  });

  it('refuses a tag whose key holds a colon', () => {
    expect(faultsOf('applications', { tags: [{ key: 'a:b', value: 'c' }] })).toBe(
      'tags.0.key: a tag key holds no colon',
    );
  });
});

describe('a user', () => {
  it('may carry the groups that Orkes’ read shape has', () => {
    expect(faultsOf('users', { groups: [{ id: 'analysts' }], applicationUser: false, uuid: 'x' })).toBe('');
  });
});
