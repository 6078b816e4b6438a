/** Orkes' own Python SDK, unmodified, against a running `admin`: test/e2e/python says what is called. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { bareEnvironment } from '../../devservers/cli-from-source.ts';
import { pythonPackages } from '../../devservers/python-packages.ts';
import type { Server } from '../../devservers/server.ts';
import { startSimulator } from '../../devservers/simulator.ts';
import { INTEGRATION_CREDENTIALS } from '../../simulator/known.ts';
import { type RunningAdmin, startAdminServer, tokenFor } from '../support/admin.ts';
import { started } from '../support/progress.ts';
import { runToEnd } from './support/run.ts';

const here = (name: string) => fileURLToPath(new URL(`python/${name}`, import.meta.url));

const EMBED = 'cohere.embed-v4:0';
const CHAT = 'amazon.nova-lite-v1:0';
const tag = (key: string, value: string) => ({ key, value, type: 'METADATA' });
const USER = { name: 'USER', permissions: [{ name: 'INTEGRATION_CREATE' }, { name: 'PROMPT_CREATE' }] };

let simulator: Server;
let server: RunningAdmin;
// biome-ignore lint/suspicious/noExplicitAny: what the script was answered, looked into below.
let answered: any;

beforeAll(async () => {
  const { python, folder } = await started("Orkes' Python SDK", (say) => pythonPackages(here('requirements.txt'), say));
  simulator = await startSimulator();
  server = await startAdminServer(inject('redisUrl'), { AWS_ENDPOINT_URL_BEDROCK_RUNTIME: simulator.url });
  const expired = await tokenFor(server.client(), server.adminKey, { expiresInSeconds: 1 });
  await sleep(2_100);
  const { code, stdout, stderr } = await runToEnd(
    python,
    ['-s', here('orkes_clients.py')],
    bareEnvironment({
      PYTHONPATH: folder,
      PYTHONDONTWRITEBYTECODE: '1',
      CONDUCTOR_SERVER_URL: `${server.url}/api`,
      CONDUCTOR_AUTH_KEY: server.adminKey.id,
      CONDUCTOR_AUTH_SECRET: server.adminKey.secret,
      EXPIRED_TOKEN: expired,
      ACCESS_KEY: INTEGRATION_CREDENTIALS.accessKeyId,
      ACCESS_SECRET: INTEGRATION_CREDENTIALS.secretAccessKey,
    }),
    60_000,
  );
  expect(code, stderr).toBe(0);
  answered = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}, 300_000);

afterAll(async () => {
  await server?.stop();
  await simulator?.stop();
});

describe('OrkesIntegrationClient', () => {
  it('creates an integration of each connection type and reads it back, secrets masked', () => {
    const { integrations, one, unknown } = answered.integrations;
    expect(
      integrations.map((each: { name: string; configuration: object }) => [each.name, each.configuration]),
    ).toEqual([
      ['by-conductor', { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' }],
      [
        'by-key',
        {
          connectionType: 'ACCESS_KEY',
          region: 'us-east-1',
          user: INTEGRATION_CREDENTIALS.accessKeyId,
          api_key: '********',
        },
      ],
      [
        'by-role',
        {
          connectionType: 'EXTERNAL_ROLE',
          region: 'us-east-1',
          roleArn: 'arn:aws:iam::123456789012:role/cohere',
          externalId: '********',
          awsAccountId: '********',
        },
      ],
    ]);
    expect(one).toMatchObject({
      name: 'by-key',
      type: 'aws_bedrock_cohere',
      category: 'AI_MODEL',
      description: 'By the SDK',
      enabled: true,
      modelsCount: 2,
      tags: [tag('tier', 'silver')],
    });
    expect(unknown).toBeNull();
  });

  it('adds models and reads them back', () => {
    const { models, model, unknownModel, modelNames, qualified } = answered.integrations;
    expect(model).toMatchObject({
      integrationName: 'by-key',
      api: EMBED,
      description: 'Embeddings',
      enabled: true,
      configuration: { maxConcurrency: 8 },
      tags: [tag('team', 'risk')],
    });
    expect(unknownModel).toBeNull();
    expect(models.map(({ api, enabled }: { api: string; enabled: boolean }) => [api, enabled])).toEqual([
      [CHAT, false],
      [EMBED, true],
    ]);
    expect(modelNames).toEqual([CHAT, EMBED]);
    expect(qualified).toEqual([`by-key:${CHAT}`, `by-key:${EMBED}`]);
  });

  it('reads tags and forms, and hears what was wrong', () => {
    const { tags, modelTags, forms, refused } = answered.integrations;
    expect([tags, modelTags]).toEqual([[tag('tier', 'silver')], [tag('team', 'risk')]]);
    expect(forms).toMatchObject([{ type: 'aws_bedrock_cohere', category: 'AI_MODEL' }]);
    expect(refused).toEqual({ status: 400, message: expect.stringContaining('connectionType') });
  });
});

describe('OrkesPromptClient', () => {
  it('saves a prompt’s text to the letter, and further versions of it', () => {
    const { first, latest } = answered.prompts;
    expect(first).toMatchObject({
      name: 'summarize',
      description: 'Sums up',
      template: answered.template,
      variables: ['text', 'language'],
      integrations: [`by-key:${EMBED}`],
      version: 1,
    });
    expect(latest).toMatchObject({ template: '${text}', description: 'Shortest', version: 3 });
  });

  it('lists prompts, links them to models, tags, tries and deletes them', () => {
    const { names, unknown, ofModel, tags, tried, left } = answered.prompts;
    expect([names, left]).toEqual([['plain', 'summarize'], ['summarize']]);
    expect(unknown).toBeNull();
    expect(ofModel).toEqual(['summarize']);
    expect(tried).toMatch(/^Simulated answer to: "Say Zwiebelfisch"/);
    expect(tags).toEqual([tag('team', 'risk')]);
  });
});

describe('OrkesAuthorizationClient', () => {
  it('makes applications, with roles, tags and access keys', () => {
    const { made, one, ...others } = answered.applications;
    expect(made).toMatchObject({ id: answered.robot, name: 'Claims' });
    expect(one).toMatchObject({ id: answered.robot, name: 'Robot' });
    expect(others).toEqual({
      names: ['Bootstrap administrator', 'Robot'],
      tags: [tag('team', 'risk')],
      roles: ['METADATA_API'],
      hasToken: true,
      keys: [[{ isIt: true, status: 'ACTIVE' }], [{ isIt: true, status: 'INACTIVE' }], []],
      off: 'INACTIVE',
      owner: true,
    });
  });

  it('makes users, groups and their members', () => {
    const { group, groupAgain, groups, auditors, members, user, users, withApplications, me } = answered.access;
    expect(group).toEqual({ id: 'analysts', description: 'Risk analysts', roles: [USER] });
    expect(groupAgain).toEqual(group);
    expect(auditors).toMatchObject({ id: 'auditors', roles: [] });
    expect(groups).toEqual(['analysts', 'auditors']);
    expect(members).toEqual(['alice@example.com', `app:${answered.robot}`]);
    expect(user).toMatchObject({ id: 'alice@example.com', name: 'Alice', roles: [USER], groups: [{ id: 'analysts' }] });
    expect([users, withApplications]).toEqual([['alice@example.com'], true]);
    expect(me).toMatchObject({ name: 'Bootstrap administrator', applicationUser: true, roles: [{ name: 'ADMIN' }] });
  });

  it('grants, says who holds what, and takes grants away', () => {
    const { holders, ofGroup, ofAuditors, ofUser, check, holdersLeft } = answered.access;
    const both = [
      { type: 'GROUP', id: 'auditors' },
      { type: 'USER', id: 'dora@example.com' },
    ];
    expect(holders).toEqual({ READ: both, EXECUTE: both });
    expect(ofGroup).toEqual({
      grantedAccess: [
        { target: { type: 'INTEGRATION', id: `by-key:${EMBED}` }, access: ['EXECUTE'] },
        { target: { type: 'INTEGRATION_PROVIDER', id: 'by-role' }, access: ['READ'] },
      ],
    });
    const gold = [{ type: 'TAG', id: 'tier:gold', access: ['READ', 'EXECUTE'] }];
    expect([ofAuditors, ofUser]).toEqual([gold, gold]);
    expect(check).toEqual({ CREATE: false, READ: false, EXECUTE: true, UPDATE: false, DELETE: false });
    expect(holdersLeft).toEqual({});
  });

  it('makes roles and lists all that there are', () => {
    const { roles, systemRoles, customRoles, permissions, role } = answered.access;
    expect(roles).toEqual([...systemRoles.slice().sort(byList(roles)), 'MAKER']);
    expect(systemRoles).toEqual(expect.arrayContaining(['ADMIN', 'USER', 'METADATA_MANAGER', 'WORKER']));
    expect(permissions).toEqual(['INTEGRATION_CREATE', 'PROMPT_CREATE']);
    expect(role).toEqual({ name: 'MAKER', permissions: [{ name: 'PROMPT_CREATE' }, { name: 'INTEGRATION_CREATE' }] });
    expect(customRoles).toEqual([role]);
  });
});

it('deletes everything again', () => {
  expect(answered.deleted).toEqual({
    modelsBefore: [CHAT],
    links: [],
    integrations: [],
    prompts: [],
    groups: [],
    users: [],
    applications: ['Bootstrap administrator'],
    customRoles: [],
    user: { status: 404, message: 'There is no user alice@example.com' },
  });
});

it('renews a token that has expired', () => {
  expect(answered.renewed).toEqual({ groups: [], isNew: true });
});

it('calls every method of these clients that has something to call', () => {
  expect(answered.notCalled).toEqual({
    // The first cannot read what it asks for in this SDK; usage is not counted yet.
    integrations: [
      'get_integration_provider_defs',
      'get_token_usage_for_integration',
      'get_token_usage_for_integration_provider',
    ],
    prompts: [],
    // Gateways are not ours.
    authorization: [
      'create_gateway_auth_config',
      'delete_gateway_auth_config',
      'get_gateway_auth_config',
      'list_gateway_auth_configs',
      'update_gateway_auth_config',
    ],
  });
});

const byList = (list: readonly string[]) => (one: string, other: string) => list.indexOf(one) - list.indexOf(other);
