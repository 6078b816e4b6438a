import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const run = promisify(execFile);
const EMBED = 'cohere.embed-v4:0';
const CHAT = 'amazon.nova-lite-v1:0';

let world: World;
let worker: RunningWorker;

/** As an administrator would, with nothing but redis-cli. */
async function redisCli(...args: string[]): Promise<string> {
  const { stdout } = await run('redis-cli', ['-u', inject('redisUrl'), ...args]);
  return stdout.trim();
}

beforeAll(async () => {
  world = await createWorld('access');
  await redisCli(
    'HSET',
    world.key('integrations'),
    'bedrock-prod',
    '{"type":"aws_bedrock_cohere","enabled":true,"description":"…","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  await redisCli(
    'HSET',
    world.key('models'),
    `bedrock-prod:${EMBED}`,
    '{"enabled":true,"configuration":{"maxConcurrency":8},"tags":[{"key":"tier","value":"gold"}]}',
    `bedrock-prod:${CHAT}`,
    '{}',
  );
  await redisCli(
    'HSET',
    world.key('applications'),
    'by-group',
    '{"workflows":["bygroup_*"]}',
    'by-model',
    '{"workflows":["bymodel_*"]}',
    'by-integration',
    '{"workflows":["byintegration_*"]}',
    'by-tag',
    '{"workflows":["bytag_*"]}',
    'nothing',
    '{"workflows":["nothing_*"]}',
    'twice-a',
    '{"workflows":["twice_*"]}',
    'twice-b',
    '{"workflows":["*_twice","twice_?"]}',
    'admin-by-name',
    '{"workflows":["admin_*"],"roles":["ADMIN"]}',
  );
  await redisCli('HSET', world.key('groups'), 'analysts', '{"description":"Risk analysts"}');
  await redisCli('SADD', world.key('members:analysts'), 'alice@example.com', 'app:by-group');
  await redisCli('SADD', world.key('members:deleted'), 'app:nothing');
  await redisCli('HSET', world.key('grants:GROUP:analysts'), `INTEGRATION:bedrock-prod:${EMBED}`, 'EXECUTE');
  await redisCli('HSET', world.key('grants:GROUP:deleted'), 'INTEGRATION_PROVIDER:bedrock-prod', 'EXECUTE');
  await redisCli('HSET', world.key('grants:USER:app:by-model'), `INTEGRATION:bedrock-prod:${EMBED}`, 'READ,EXECUTE');
  await redisCli(
    'HSET',
    world.key('grants:USER:app:by-integration'),
    'INTEGRATION_PROVIDER:bedrock-prod',
    'READ,EXECUTE',
  );
  await redisCli('HSET', world.key('grants:USER:app:by-tag'), 'TAG:tier:gold', 'EXECUTE');
  await redisCli('HSET', world.key('grants:USER:app:nothing'), 'INTEGRATION_PROVIDER:bedrock-prod', 'READ,UPDATE');
  worker = await world.startWorker();
});

afterAll(() => world?.close());

const embed = (workflow: string) => ({
  workflow: `${workflow}_embed`,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: 'bedrock-prod', model: EMBED, text: 'who may' },
});
const complete = (workflow: string) => ({
  workflow: `${workflow}_text`,
  type: 'LLM_TEXT_COMPLETE' as const,
  input: { llmProvider: 'bedrock-prod', model: CHAT, prompt: 'who may' },
});

describe('a catalog seeded with redis-cli alone', () => {
  it.each([
    ['bygroup', 'COMPLETED', 'FAILED_WITH_TERMINAL_ERROR'],
    ['bymodel', 'COMPLETED', 'FAILED_WITH_TERMINAL_ERROR'],
    ['byintegration', 'COMPLETED', 'COMPLETED'],
    ['bytag', 'COMPLETED', 'FAILED_WITH_TERMINAL_ERROR'],
    ['nothing', 'FAILED_WITH_TERMINAL_ERROR', 'FAILED_WITH_TERMINAL_ERROR'],
    ['admin', 'FAILED_WITH_TERMINAL_ERROR', 'FAILED_WITH_TERMINAL_ERROR'],
    ['twice', 'FAILED_WITH_TERMINAL_ERROR', 'FAILED_WITH_TERMINAL_ERROR'],
    ['stranger', 'FAILED_WITH_TERMINAL_ERROR', 'FAILED_WITH_TERMINAL_ERROR'],
  ])('%s: embedding %s, text %s', async (workflow, embedding, text) => {
    const [embedded, completed] = await Promise.all([
      world.runTask(embed(workflow)),
      world.runTask(complete(workflow)),
    ]);
    expect([embedded.task.status, completed.task.status]).toEqual([embedding, text]);
  });

  it('says who lacked what, and how to look into it', async () => {
    const { task } = await world.runTask(complete('bymodel'));
    expect(task.reasonForIncompletion).toBe(
      `USER:app:by-model may not use bedrock-prod:${CHAT} (inputs llmProvider, model): unknown or not permitted. ` +
        `Missing: EXECUTE on INTEGRATION:bedrock-prod:${CHAT} or INTEGRATION_PROVIDER:bedrock-prod. ` +
        `An administrator sees why with: bedrock-cohere can USER:app:by-model bedrock-prod:${CHAT}`,
    );
    expect(task.outputData['error']).toMatchObject({ code: 'PERMISSION_DENIED', field: 'model', retryable: false });
  });

  it('names the applications when several claim a workflow', async () => {
    const { task } = await world.runTask(embed('twice'));
    expect(task.reasonForIncompletion).not.toContain('twice-b');
    expect(task.outputData['error']).toMatchObject({ code: 'PERMISSION_DENIED' });

    const { task: both } = await world.runTask({ ...embed('twice'), workflow: 'twice_and_twice' });
    expect(both.outputData['error']).toMatchObject({ code: 'SUBJECT_UNKNOWN' });
    expect(both.reasonForIncompletion).toContain('twice-a, twice-b');
  });

  it('judges the task of a sub-workflow by the sub-workflow’s own name', async () => {
    const { input } = embed('');
    for (const [outer, inner, status] of [
      ['bymodel', 'nothing', 'FAILED_WITH_TERMINAL_ERROR'],
      ['nothing', 'bymodel', 'COMPLETED'],
    ] as const) {
      // Registers it, and shows what it comes to by itself.
      expect((await world.runTask(embed(inner))).task.status).toBe(status);
      const name = `${outer}_outer`;
      await world.conductor.registerWorkflow({
        name,
        tasks: [
          {
            ...{ name: 'inner', taskReferenceName: 'inner', type: 'SUB_WORKFLOW', inputParameters: input },
            subWorkflowParam: { name: `${inner}_embed`, version: 1 },
          },
        ],
      });
      const taskToDomain = { '*': world.env['TASK_DOMAIN'] ?? '' };
      const workflow = await world.conductor.waitForWorkflow(
        await world.conductor.startWorkflow(name, {}, { taskToDomain }),
      );
      const innerId = String(workflow.tasks[0]?.outputData['subWorkflowId']);
      expect((await world.conductor.getWorkflow(innerId)).tasks[0]?.status, name).toBe(status);
    }
  });

  it('puts a denial on record, the first of its kind in a minute with its task', async () => {
    const asked = embed('nothing');
    const model = 'never.asked-for-before';
    const { workflow } = await world.runTask({ ...asked, input: { ...asked.input, model } });
    const entries = await world.redis.xrange(world.key('run:denials'), '-', '+');
    const mine = entries.map(([, fields]) => fields).find((fields) => fields.includes(workflow.workflowId));
    expect(mine).toEqual(
      expect.arrayContaining(['subject', 'USER:app:nothing', 'target', `bedrock-prod:${model}`, 'mode', 'enforce']),
    );
  });

  it('calls Bedrock for nobody who may not', async () => {
    await world.control('calls', undefined, 'DELETE');
    await Promise.all(['nothing', 'admin', 'stranger'].map((workflow) => world.runTask(complete(workflow))));
    expect((await world.calls()).totals.calls).toBe(0);
  });

  it('denies a task with an access token that proves nothing, though its application may', async () => {
    const task = embed('byintegration');
    const { task: ended } = await world.runTask({ ...task, input: { ...task.input, accessToken: 'not-for-the-log' } });
    expect(ended.outputData['error']).toMatchObject({ code: 'TOKEN_INVALID', field: 'accessToken' });
    expect(JSON.stringify([ended.reasonForIncompletion, ended.outputData])).not.toContain('not-for-the-log');
    expect(await worker.cli.stdout()).not.toContain('not-for-the-log');
  });
});

describe('while the worker runs', () => {
  it('a grant that is added and revoked counts for the very next task', async () => {
    const grants = world.key('grants:USER:app:nothing');
    expect((await world.runTask(embed('nothing'))).task.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    await redisCli('HSET', grants, `INTEGRATION:bedrock-prod:${EMBED}`, 'EXECUTE');
    expect((await world.runTask(embed('nothing'))).task.status).toBe('COMPLETED');
    await redisCli('HDEL', grants, `INTEGRATION:bedrock-prod:${EMBED}`);
    expect((await world.runTask(embed('nothing'))).task.status).toBe('FAILED_WITH_TERMINAL_ERROR');
  });

  it('a record that breaks refuses its own tasks only, and is named once', async () => {
    const models = world.key('models');
    const good = await redisCli('HGET', models, `bedrock-prod:${EMBED}`);
    await redisCli('HSET', models, `bedrock-prod:${EMBED}`, '{"enabeld":false}');
    const broken = await world.runTask(embed('byintegration'));
    expect(broken.task.outputData['error']).toMatchObject({ code: 'RECORD_INVALID', field: 'model' });
    expect(broken.task.reasonForIncompletion).toContain('Did you mean "enabled"?');
    expect((await world.runTask(embed('byintegration'))).task.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    expect((await world.runTask(complete('byintegration'))).task.status).toBe('COMPLETED');
    await redisCli('HSET', models, `bedrock-prod:${EMBED}`, good);
    expect((await world.runTask(embed('byintegration'))).task.status).toBe('COMPLETED');

    const named = (await worker.cli.lines()).filter((line) => line.includes('A record cannot be read'));
    expect(named).toHaveLength(1);
    expect(named[0]).toContain(`bedrock-prod:${EMBED}`);
  });

  it('a changed integration swaps its client without failing the call that runs', async () => {
    await world.control('latency', { model: EMBED, ms: 700 });
    const running = world.runTask(embed('byintegration'));
    await expect.poll(async () => (await world.calls()).models[EMBED]?.inFlight ?? 0).toBe(1);
    await redisCli(
      'HSET',
      world.key('integrations'),
      'bedrock-prod',
      '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"eu-west-1"}}',
    );
    const after = await world.runTask(embed('bymodel'));
    expect(after.task.status).toBe('COMPLETED');
    expect((await running).task.status).toBe('COMPLETED');
    const regions = (await world.calls()).calls.slice(-2).map(({ region }) => region);
    expect(regions.sort()).toEqual(['eu-west-1', 'us-east-1']);
  });
});

describe('RBAC_MODE', () => {
  it('audit lets everybody in and records who would have been kept out; off asks nobody', async () => {
    const { cli } = worker;
    await cli.stop(20_000);
    const auditing = await world.startWorker({ RBAC_MODE: 'audit' });
    const { task, workflow } = await world.runTask(embed('stranger'));
    expect(task.status).toBe('COMPLETED');
    await expect
      .poll(async () => JSON.stringify(await world.redis.xrange(world.key('run:denials'), '-', '+')))
      .toContain(workflow.workflowId);
    await auditing.cli.stop(20_000);

    await world.startWorker({ RBAC_MODE: 'off' });
    const before = await world.redis.xlen(world.key('run:denials'));
    expect((await world.runTask(embed('stranger'))).task.status).toBe('COMPLETED');
    expect(await world.redis.xlen(world.key('run:denials'))).toBe(before);
  });
});
