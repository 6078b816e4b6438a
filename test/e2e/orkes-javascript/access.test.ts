/** What the clients of Orkes' JavaScript SDK for applications, users, groups and grants do, against a running `admin`. */
import type { AuthorizationRequest } from '@io-orkes/conductor-javascript';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import { connectOrkesSdk, type OrkesSdk } from '../support/orkes-sdk.ts';

const EMBED = 'cohere.embed-v4:0';
/** The SDK's types have one role where the API takes several. */
const ROLES = ['USER'] as unknown as 'USER';

let server: RunningAdmin;
let sdk: OrkesSdk;

beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  sdk = await connectOrkesSdk(server);
  const { integrations, prompts } = sdk;
  const configuration = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
  await integrations.saveIntegrationProvider('main', { type: 'aws_bedrock_cohere', configuration });
  await integrations.saveIntegrationApi('main', EMBED, { enabled: true, configuration: {} });
  await prompts.savePrompt('summarize', 'Sums up', 'Summarize: ${text}', [`main:${EMBED}`]);
});

afterAll(async () => {
  sdk?.close();
  await server?.stop();
});

describe('ApplicationClient', () => {
  let id: string;

  it('makes an application and changes it', async () => {
    const { applications } = sdk;
    const made = await applications.createApplication('Claims');
    id = made.id ?? '';
    expect(made).toMatchObject({ name: 'Claims', tags: [], createdBy: expect.stringMatching(/^app:/) });
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await applications.updateApplication(id, 'Claims of today')).toMatchObject({ id, name: 'Claims of today' });
    expect(await applications.getApplication(id)).toMatchObject({ id, name: 'Claims of today' });
    expect((await applications.getAllApplications()).map(({ name }) => name).sort()).toEqual([
      'Bootstrap administrator',
      'Claims of today',
    ]);
  });

  it('gives it roles and takes them', async () => {
    const { applications, authorization } = sdk;
    await applications.addApplicationRole(id, 'WORKER');
    await applications.addApplicationRole(id, 'METADATA_API');
    const roles = async () => (await authorization.getUser(`app:${id}`)).roles?.map(({ name }) => name);
    expect(await roles()).toEqual(['WORKER', 'METADATA_API']);
    await applications.removeRoleFromApplicationUser(id, 'WORKER');
    expect(await roles()).toEqual(['METADATA_API']);
  });

  it('makes access keys, switches them off and on, and deletes them', async () => {
    const { applications } = sdk;
    const key = await applications.createAccessKey(id);
    expect(key).toEqual({ id: expect.any(String), secret: expect.any(String) });
    expect(await applications.getAccessKeys(id)).toEqual([
      { id: key.id, status: 'ACTIVE', createdAt: expect.any(Number) },
    ]);
    expect(await applications.getAppByAccessKeyId(key.id)).toMatchObject({ id });
    expect(await applications.toggleAccessKeyStatus(id, key.id)).toMatchObject({ id: key.id, status: 'INACTIVE' });
    expect(await applications.getAccessKeys(id)).toMatchObject([{ status: 'INACTIVE' }]);
    expect(await applications.toggleAccessKeyStatus(id, key.id)).toMatchObject({ status: 'ACTIVE' });
    await applications.deleteAccessKey(id, key.id);
    expect(await applications.getAccessKeys(id)).toEqual([]);
  });

  it('adds tags, one or several, and takes them off', async () => {
    const { applications } = sdk;
    const [one, two, three] = ['1', '2', '3'].map((value) => ({ key: 'n', value })) as [Tag, Tag, Tag];
    await applications.addApplicationTags(id, [one, two]);
    await applications.addApplicationTag(id, three);
    expect(await applications.getApplicationTags(id)).toEqual([one, two, three]);
    await applications.deleteApplicationTag(id, two);
    await applications.deleteApplicationTags(id, [one]);
    expect(await applications.getApplicationTags(id)).toEqual([three]);
  });

  it('deletes it', async () => {
    const { applications } = sdk;
    await applications.deleteApplication(id);
    await expect(applications.getApplication(id)).rejects.toThrow(/There is no application/);
  });
});

interface Tag {
  readonly key: string;
  readonly value: string;
}

describe('AuthorizationClient', () => {
  let app: string;

  it('makes users and groups, and members of them, applications too', async () => {
    const { authorization, applications } = sdk;
    app = `app:${(await applications.createApplication('Robot')).id}`;
    expect(await authorization.upsertUser('alice@example.com', { name: 'Alice', roles: ROLES })).toMatchObject({
      id: 'alice@example.com',
      name: 'Alice',
      roles: [{ name: 'USER', permissions: expect.any(Array) }],
      groups: [],
      applicationUser: false,
    });
    expect(await authorization.upsertGroup('analysts', { description: 'Risk analysts', roles: ROLES })).toMatchObject({
      id: 'analysts',
      description: 'Risk analysts',
      roles: [{ name: 'USER' }],
    });
    await authorization.addUserToGroup('analysts', 'alice@example.com');
    await authorization.addUsersToGroup('analysts', ['bob@example.com', app]);
    expect((await authorization.getUsersInGroup('analysts')).map(({ id, name }) => [id, name])).toEqual([
      ['alice@example.com', 'Alice'],
      [app, 'Robot'],
      ['bob@example.com', 'bob@example.com'],
    ]);
    await authorization.removeUserFromGroup('analysts', 'alice@example.com');
    await authorization.removeUsersFromGroup('analysts', ['bob@example.com']);
    expect((await authorization.getUsersInGroup('analysts')).map(({ id }) => id)).toEqual([app]);
    await authorization.addUserToGroup('analysts', 'alice@example.com');
    expect(await authorization.getUser('alice@example.com')).toMatchObject({ groups: [{ id: 'analysts' }] });
    expect(await authorization.getGroup('analysts')).toMatchObject({ id: 'analysts', description: 'Risk analysts' });
    expect((await authorization.listGroups()).map(({ id }) => id)).toEqual(['analysts']);
    expect((await authorization.listUsers()).map(({ id }) => id)).toEqual(['alice@example.com']);
    const withApplications = await authorization.listUsers(true);
    expect(withApplications.map(({ id }) => id)).toEqual(expect.arrayContaining(['alice@example.com', app]));
  });

  it('grants on every kind of target, and says who holds what', async () => {
    const { authorization } = sdk;
    const grant = async (type: string, id: string, access: string[], subject = { type: 'GROUP', id: 'analysts' }) =>
      await authorization.grantPermissions({ subject, target: { type, id }, access } as AuthorizationRequest);
    await grant('INTEGRATION_PROVIDER', 'main', ['READ', 'EXECUTE']);
    await grant('INTEGRATION', `main:${EMBED}`, ['EXECUTE']);
    await grant('PROMPT', 'summarize', ['READ']);
    await grant('TAG', 'tier:silver', ['EXECUTE']);
    await grant('PROMPT', 'summarize', ['EXECUTE'], { type: 'USER', id: app });
    await grant('PROMPT', 'summarize', ['EXECUTE'], { type: 'ROLE', id: 'USER' });
    expect(await authorization.getPermissions('PROMPT', 'summarize')).toEqual({
      READ: [{ type: 'GROUP', id: 'analysts' }],
      EXECUTE: expect.arrayContaining([
        { type: 'USER', id: app },
        { type: 'ROLE', id: 'USER' },
      ]),
    });
    expect(await authorization.getPermissions('INTEGRATION', `main:${EMBED}`)).toEqual({
      EXECUTE: [{ type: 'GROUP', id: 'analysts' }],
    });
    expect(await authorization.getGrantedPermissionsForGroup('analysts')).toEqual({
      grantedAccess: [
        { target: { type: 'INTEGRATION', id: `main:${EMBED}` }, access: ['EXECUTE'] },
        { target: { type: 'INTEGRATION_PROVIDER', id: 'main' }, access: ['READ', 'EXECUTE'] },
        { target: { type: 'PROMPT', id: 'summarize' }, access: ['READ'] },
        { target: { type: 'TAG', id: 'tier:silver' }, access: ['EXECUTE'] },
      ],
    });
    const alice = await authorization.getGrantedPermissionsForUser('alice@example.com');
    expect(alice.grantedAccess).toContainEqual({
      target: { type: 'PROMPT', id: 'summarize' },
      access: ['READ', 'EXECUTE'],
    });
    const may = async (user: string, id: string) => await authorization.checkPermissions(user, 'INTEGRATION', id);
    const nothing = { CREATE: false, READ: false, EXECUTE: false, UPDATE: false, DELETE: false };
    expect(await may('alice@example.com', `main:${EMBED}`)).toEqual({ ...nothing, READ: true, EXECUTE: true });
    expect(await may('bob@example.com', `main:${EMBED}`)).toEqual(nothing);
  });

  it('takes grants away, an access at a time', async () => {
    const { authorization } = sdk;
    const [subject, target] = [
      { type: 'GROUP', id: 'analysts' },
      { type: 'INTEGRATION_PROVIDER', id: 'main' as string },
    ];
    const remove = async (access: string) =>
      await authorization.removePermissions({ subject, target, access: [access] } as AuthorizationRequest);
    await remove('EXECUTE');
    expect(await authorization.getPermissions('INTEGRATION_PROVIDER', 'main')).toEqual({
      READ: [{ type: 'GROUP', id: 'analysts' }],
    });
    await remove('READ');
    expect(await authorization.getPermissions('INTEGRATION_PROVIDER', 'main')).toEqual({});
  });

  it('deletes users and groups with all that they held', async () => {
    const { authorization } = sdk;
    await authorization.deleteUser('alice@example.com');
    await expect(authorization.getUser('alice@example.com')).rejects.toThrow(/There is no user alice@example.com/);
    await authorization.deleteGroup('analysts');
    await expect(authorization.getGroup('analysts')).rejects.toThrow(/There is no group analysts/);
    expect(await authorization.getPermissions('INTEGRATION', `main:${EMBED}`)).toEqual({});
  });
});

it('calls every method of these clients', () => {
  expect(sdk.notCalled(sdk.authorization, sdk.applications)).toEqual([]);
});
