/** The record of who changed what and who was denied, on real servers: an admin, a worker, Conductor, and the command line. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ChangeRecord, DenialRecord } from '../../src/audit/records.ts';
import { type RunningAdmin, startAdminServer } from '../support/admin.ts';
import { type RunningCli, runCli, startCli } from '../support/cli.ts';
import { createWorld, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';

let world: World;
let server: RunningAdmin;
let following: RunningCli;
let folder: string;

beforeAll(async () => {
  world = await createWorld('audit');
  folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-audit-'));
  server = await startAdminServer(inject('redisUrl'), { REDIS_PREFIX: world.prefix });
  following = await startCli(['audit', '--follow', '--output', 'json'], world.env);
});

afterAll(async () => {
  await following?.stop();
  await following?.remove();
  await server?.stop();
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

const apply = async (manifest: string) => {
  await writeFile(join(folder, 'm.yaml'), manifest);
  return await runCli(['apply', '-f', join(folder, 'm.yaml')], world.env);
};
const followed = async () => (await following.lines()).map((line) => JSON.parse(line) as ChangeRecord);
const plain = ({ action, kind, name, via }: ChangeRecord) => `${action} ${kind} ${name} ${via}`;
const command = async (...args: string[]) => {
  const { code, stdout, stderr } = await runCli(['audit', '--output', 'json', ...args], world.env);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '').records;
};

describe('what is changed by the API and by apply', () => {
  it('is shown as it happens, by the command and by the API alike', async () => {
    const configuration = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1', awsAccountId: '111122223333' };
    const integration = { type: 'aws_bedrock_cohere', configuration };
    expect((await server.admin.post('/api/integrations/provider/main', integration)).status).toBe(200);
    expect((await server.admin.post(`/api/integrations/provider/main/integration/${EMBED}`, {})).status).toBe(200);
    const manifest = 'applications: { nightly: { workflows: ["audited_*"] } }';
    expect((await apply(manifest)).code).toBe(0);
    expect((await apply(manifest)).code).toBe(0);
    const expected = [
      'create integrations main POST /api/integrations/provider/{name}',
      `create models main:${EMBED} POST /api/integrations/provider/{name}/integration/{model}`,
      'create applications nightly bedrock-cohere apply',
    ];
    await expect.poll(async () => (await followed()).map(plain).slice(-3), { timeout: 20_000 }).toEqual(expected);
    const { body } = await server.admin.get('/api/audit?order=oldest&limit=500');
    expect(await followed()).toEqual(body.records);
    expect(await command()).toEqual(body.records);
    const [created] = (await command('--kind', 'integrations')) as ChangeRecord[];
    expect(created).toMatchObject({
      subject: expect.stringMatching(/^USER:app:/),
      accessKey: server.adminKey.id,
      after: { configuration: { ...configuration, awsAccountId: '********' } },
    });
  });

  it('is closed to everybody but ADMIN', async () => {
    const reader = await server.somebody('reader', ['USER']);
    expect((await reader.get('/api/audit')).status).toBe(403);
    expect((await server.client().get('/api/audit')).status).toBe(401);
  });
});

describe('tasks that are denied', () => {
  const embed = (n: number) => ({
    workflow: `audited_${n}`,
    type: 'LLM_GENERATE_EMBEDDINGS' as const,
    input: { llmProvider: 'main', model: EMBED, text: 'Hi' },
  });
  const denials = () => command('--denials', '--subject', 'app:nightly') as Promise<DenialRecord[]>;

  it('are on record, the first by itself, and the others of its minute as their number', async () => {
    const worker = await world.startWorker();
    const changes = await command('--limit', '1000');
    const tasks = await Promise.all(Array.from({ length: 6 }, async (_, n) => await world.runTask(embed(n))));
    expect(new Set(tasks.map(({ task }) => task.status))).toEqual(new Set(['FAILED_WITH_TERMINAL_ERROR']));
    expect((await worker.cli.stop(20_000)).code).toBe(0);
    const records = await denials();
    expect(records.reduce((sum, { count }) => sum + count, 0)).toBe(6);
    // Over the end of a minute there are two of each.
    expect(records.length).toBeLessThanOrEqual(4);
    expect(records[0]).toMatchObject({ target: `main:${EMBED}`, mode: 'enforce', source: 'application', count: 1 });
    expect(tasks.map(({ task }) => task.taskId)).toContain(records[0]?.taskId);
    expect((await server.admin.get('/api/audit?stream=denials&subject=app:nightly')).body.records).toEqual(
      records.toReversed(),
    );
    expect(await command('--limit', '1000')).toEqual(changes);
  });

  it('run under RBAC_MODE=audit, and are on record as what would have been denied', async () => {
    const before = (await denials()).length;
    const worker = await world.startWorker({ RBAC_MODE: 'audit' });
    expect((await world.runTask(embed(7))).task.status).toBe('COMPLETED');
    expect((await worker.cli.stop(20_000)).code).toBe(0);
    expect((await denials()).slice(before)).toMatchObject([{ mode: 'audit', count: 1, workflowType: 'audited_7' }]);
  });
});

it('audit --follow ends with a signal, exit code 0', async () => {
  following.kill('SIGTERM');
  expect((await following.exited).code).toBe(0);
  expect(await following.stderr()).toBe('');
});
