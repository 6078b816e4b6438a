import { expect, it } from 'vitest';
import { roleWarnings } from '../../src/manifests/role-warnings.ts';
import { snapshotOf, type World, wantedOf } from './worlds.ts';

async function warningsOf(world: World, manifest: string): Promise<string[]> {
  return roleWarnings(await snapshotOf(world), wantedOf(manifest)).map(
    ({ line, column, message }) => `${line}:${column}: ${message}`,
  );
}
const grantTo = (role: string) => `grants: [{ subject: "ROLE:${role}", target: "PROMPT:p", access: [READ] }]`;

it('a role that gives nothing is told of, with its place and the nearest that would', async () => {
  const world = { records: { roles: { auditor: {} } }, grants: { 'ROLE:reader': { 'PROMPT:p': 'READ' } } };
  const manifest = [
    'users: { alice: { roles: [USR] }, bob: { roles: [auditr, { name: readr }] } }',
    'groups: { g: { roles: [frozen] } }',
    'applications: { a: { roles: [WORKR] } }',
    grantTo('MTADATA_MANAGER'),
  ].join('\n');
  const nothing = (role: string) =>
    `the role ${role} gives nothing: it is none of the system's, has no record, and nothing is granted to it.`;
  expect(await warningsOf(world, manifest)).toEqual([
    `1:27: users.alice: ${nothing('USR')} Did you mean "USER"?`,
    `1:50: users.bob: ${nothing('auditr')} Did you mean "auditor"?`,
    `1:58: users.bob: ${nothing('readr')} Did you mean "reader"?`,
    `2:24: groups.g: ${nothing('frozen')}`,
    `3:30: applications.a: ${nothing('WORKR')} Did you mean "WORKER"?`,
    `4:12: the grant of ROLE:MTADATA_MANAGER on PROMPT:p: the role MTADATA_MANAGER is none of the system's, has no record, and nobody has it. Did you mean "METADATA_MANAGER"?`,
  ]);
});

it('a role that means something is not: the system’s, one with a record, one with grants and holders, wherever they stand', async () => {
  expect(await warningsOf({}, 'users: { a: { roles: [USER, WORKFLOW_MANAGER] } }')).toEqual([]);
  expect(await warningsOf({}, 'users: { a: { roles: [own] } }\nroles: { own: {} }')).toEqual([]);
  expect(await warningsOf({ records: { roles: { own: '{' } } }, 'users: { a: { roles: [own] } }')).toEqual([]);
  expect(await warningsOf({}, `users: { a: { roles: [own] } }\n${grantTo('own')}`)).toEqual([]);
  expect(
    await warningsOf({ grants: { 'ROLE:own': { 'PROMPT:p': 'READ' } } }, 'users: { a: { roles: [own] } }'),
  ).toEqual([]);
  expect(
    await warningsOf({ grants: { 'ROLE:own': { 'PROMPT:p': 'none' } } }, 'users: { a: { roles: [own] } }'),
  ).toEqual([]);
  for (const kind of ['users', 'groups', 'applications'] as const)
    expect(await warningsOf({ records: { [kind]: { x: { roles: ['own'] } } } }, grantTo('own'))).toEqual([]);
  expect(await warningsOf({}, grantTo('USER_READ_ONLY'))).toEqual([]);
  expect(await warningsOf({}, `${grantTo('own')}\nroles: { own: {} }`)).toEqual([]);
});
