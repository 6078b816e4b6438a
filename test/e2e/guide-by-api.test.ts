/**
 * Orkes' guide to AWS Bedrock Cohere, step by step, over the admin API instead of its pages: an integration, its models,
 * who may use them; then workflows that may, and some that may not.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { HOSTED, INTEGRATION_CREDENTIALS, ROLE } from '../../simulator/known.ts';
import { type RunningAdmin, startAdminServer } from '../support/admin.ts';
import { createWorld, type World } from './support/world.ts';

const EMBED = 'cohere.embed-english-v3';
const COMMAND = 'cohere.command-text-v14';
const COMMAND_R = 'cohere.command-r-v1:0';

let world: World;
let server: RunningAdmin;

beforeAll(async () => {
  world = await createWorld('guide');
  server = await startAdminServer(inject('redisUrl'), { REDIS_PREFIX: world.prefix });
});

afterAll(async () => {
  await server?.stop();
  await world?.close();
});

/** Every call is to succeed. */
async function call(method: string, path: string, body?: unknown): Promise<{ id: string }> {
  const answer = await server.admin.call(method, `/api${path}`, { body });
  expect(answer, `${method} ${path}: ${answer.text}`).toMatchObject({ status: 200 });
  return answer.body;
}

const embed = (workflow: string, llmProvider: string) => ({
  workflow,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider, model: EMBED, text: 'The roof leaked.' },
});
const complete = (workflow: string, llmProvider: string, model: string) => ({
  workflow,
  type: 'LLM_TEXT_COMPLETE' as const,
  input: { llmProvider, model, prompt: 'The roof leaked.' },
});

async function outcome(task: Parameters<World['runTask']>[0]): Promise<string> {
  const { task: ended } = await world.runTask(task);
  const { code } = (ended.outputData['error'] ?? {}) as { code?: string };
  return [ended.status, ...(code === undefined ? [] : [code])].join(' ');
}
const DENIED = 'FAILED_WITH_TERMINAL_ERROR PERMISSION_DENIED';

/** "Grant the group": under Add Permission, an integration's model with its accesses. */
const permission = (subject: { type: string; id: string }, target: { type: string; id: string }, access: string[]) => ({
  subject,
  target,
  access,
});
const ANALYSTS = { type: 'GROUP', id: 'analysts' };

const INTEGRATIONS = [
  ['by-conductor', { connectionType: 'CONDUCTOR_ROLE' }],
  [
    'by-role',
    { connectionType: 'EXTERNAL_ROLE', roleArn: ROLE.arn, externalId: ROLE.externalId, awsAccountId: '111122223333' },
  ],
  [
    'by-key',
    {
      connectionType: 'ACCESS_KEY',
      user: INTEGRATION_CREDENTIALS.accessKeyId,
      api_key: INTEGRATION_CREDENTIALS.secretAccessKey,
    },
  ],
] as const;

it('integrates AWS Bedrock Cohere as a model provider, by each connection type', async () => {
  for (const [name, configuration] of INTEGRATIONS) {
    await call('POST', `/integrations/provider/${name}`, {
      type: 'aws_bedrock_cohere',
      category: 'AI_MODEL',
      description: 'As the guide says',
      enabled: true,
      configuration: { region: 'us-east-1', ...configuration },
    });
  }
  const stored = JSON.stringify(await world.redis.hgetall(world.key('integrations')));
  for (const secret of [INTEGRATION_CREDENTIALS.secretAccessKey, ROLE.externalId]) expect(stored).not.toContain(secret);
});

it('adds models to the integrations', async () => {
  const models = [
    [EMBED, {}],
    // Bedrock ended the life of these: they go on where somebody hosts them.
    [COMMAND, { modelId: HOSTED.command }],
    [COMMAND_R, { modelId: HOSTED.commandR }],
  ] as const;
  for (const [name] of INTEGRATIONS) {
    for (const [model, configuration] of models) {
      const path = `/integrations/provider/${name}/integration/${encodeURIComponent(model)}`;
      await call('POST', path, { description: 'As the guide says', enabled: true, configuration });
    }
  }
  const read = await call('GET', '/integrations/all?type=aws_bedrock_cohere&activeOnly=true');
  expect(read).toHaveLength(9);
});

it('grants nobody anything by that alone', async () => {
  await world.startWorker({ ENCRYPTION_KEYS: server.env['ENCRYPTION_KEYS'] });
  expect(await outcome(embed('claims_embed', 'by-key'))).toBe('FAILED_WITH_TERMINAL_ERROR SUBJECT_UNKNOWN');
});

describe('RBAC', () => {
  let claims: string;
  let billing: string;

  it('makes a group, and applications that are told by their workflows, one a member of it', async () => {
    await call('PUT', '/groups/analysts', { description: 'Risk analysts', roles: [] });
    claims = (await call('POST', '/applications', { name: 'Claims' })).id;
    await call('PUT', `/applications/${claims}`, { name: 'Claims', workflows: ['claims_*'] });
    billing = (await call('POST', '/applications', { name: 'Billing', workflows: ['billing_*'] })).id;
    await call('POST', `/groups/analysts/users/${encodeURIComponent(`app:${claims}`)}`);
    expect(await outcome(embed('claims_embed', 'by-key'))).toBe(DENIED);
    expect(await outcome(embed('billing_embed', 'by-key'))).toBe(DENIED);
  });

  it('gives the group permissions on models, so that its members’ workflows run, and no others', async () => {
    for (const [name] of INTEGRATIONS) {
      for (const model of [EMBED, COMMAND_R]) {
        const target = { type: 'INTEGRATION', id: `${name}:${model}` };
        await call('POST', '/auth/authorization', permission(ANALYSTS, target, ['READ', 'EXECUTE']));
      }
    }
    for (const [name] of INTEGRATIONS) {
      expect(await outcome(embed('claims_embed', name)), name).toBe('COMPLETED');
      expect(await outcome(complete('claims_text', name, COMMAND_R)), name).toBe('COMPLETED');
      expect(await outcome(complete('claims_text', name, COMMAND)), name).toBe(DENIED);
      expect(await outcome(embed('billing_embed', name)), name).toBe(DENIED);
    }
  });

  it('calls Bedrock with the credentials of each integration, and not at all for a denied workflow', async () => {
    await world.control('calls', undefined, 'DELETE');
    await outcome(embed('claims_embed', 'by-key'));
    await outcome(embed('claims_embed', 'by-conductor'));
    await outcome(embed('billing_embed', 'by-key'));
    const { calls } = await world.calls();
    expect(calls.map(({ accessKeyId }) => accessKeyId)).toEqual([
      INTEGRATION_CREDENTIALS.accessKeyId,
      world.env['AWS_ACCESS_KEY_ID'],
    ]);
  });

  it('gives an application a permission of its own', async () => {
    const target = { type: 'INTEGRATION_PROVIDER', id: 'by-conductor' };
    await call('POST', '/auth/authorization', permission({ type: 'USER', id: `app:${billing}` }, target, ['EXECUTE']));
    expect(await outcome(embed('billing_embed', 'by-conductor'))).toBe('COMPLETED');
    expect(await outcome(embed('billing_embed', 'by-key'))).toBe(DENIED);
  });

  it('revokes the group’s permission: the same workflow is denied, another model still runs', async () => {
    const target = { type: 'INTEGRATION', id: `by-key:${EMBED}` };
    await call('DELETE', '/auth/authorization', permission(ANALYSTS, target, ['READ', 'EXECUTE']));
    expect(await outcome(embed('claims_embed', 'by-key'))).toBe(DENIED);
    expect(await outcome(complete('claims_text', 'by-key', COMMAND_R))).toBe('COMPLETED');
    await call('POST', '/auth/authorization', permission(ANALYSTS, target, ['EXECUTE']));
    expect(await outcome(embed('claims_embed', 'by-key'))).toBe('COMPLETED');
  });

  it('takes the application out of the group, and with it all that the group gave', async () => {
    await call('DELETE', `/groups/analysts/users/${encodeURIComponent(`app:${claims}`)}`);
    expect(await outcome(embed('claims_embed', 'by-key'))).toBe(DENIED);
    await call('POST', `/groups/analysts/users/${encodeURIComponent(`app:${claims}`)}`);
    expect(await outcome(embed('claims_embed', 'by-key'))).toBe('COMPLETED');
  });
});

it('toggles Active off: an integration that is not active runs nothing', async () => {
  const { configuration } = (await call('GET', '/integrations/provider/by-key')) as unknown as {
    configuration: object;
  };
  await call('POST', '/integrations/provider/by-key', { enabled: false, configuration });
  expect(await outcome(embed('claims_embed', 'by-key'))).toBe('FAILED_WITH_TERMINAL_ERROR INTEGRATION_DISABLED');
  await call('POST', '/integrations/provider/by-key', { enabled: true, configuration });
  expect(await outcome(embed('claims_embed', 'by-key'))).toBe('COMPLETED');
});

it('deletes the integration: its workflows are denied, and a new one of its name inherits no grant', async () => {
  await call('DELETE', '/integrations/provider/by-conductor');
  expect(await outcome(embed('claims_embed', 'by-conductor'))).toBe(DENIED);
  const configuration = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
  await call('POST', '/integrations/provider/by-conductor', { configuration });
  await call('POST', `/integrations/provider/by-conductor/integration/${EMBED}`, {});
  expect(await outcome(embed('claims_embed', 'by-conductor'))).toBe(DENIED);
  expect(await outcome(embed('billing_embed', 'by-conductor'))).toBe(DENIED);
});
