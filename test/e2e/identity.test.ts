import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type OrkesFront, startOrkesFront } from '../support/orkes-front.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';

let world: World;
let front: OrkesFront;
let worker: RunningWorker;

beforeAll(async () => {
  world = await createWorld('identity');
  front = await startOrkesFront(inject('conductorUrl'));
  await world.redis.hset(
    world.key('integrations'),
    'main',
    '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  await world.redis.hset(world.key('models'), `main:${EMBED}`, '{}');
  await world.redis.hset(world.key('groups'), 'analysts', '{"roles":["READER"]}', 'admins', '{"roles":["ADMIN"]}');
  await world.redis.sadd(world.key('members:analysts'), 'alice@example.com', 'app:robot');
  await world.redis.sadd(world.key('members:admins'), 'root@example.com');
  await world.redis.hset(world.key('applications'), 'robot', '{}', 'by-name', '{"workflows":["identity_*"]}');
  await world.redis.hset(world.key('grants:ROLE:READER'), `INTEGRATION:main:${EMBED}`, 'EXECUTE');
  await world.redis.hset(world.key('grants:USER:bob@example.com'), 'INTEGRATION_PROVIDER:main', 'EXECUTE');
  worker = await world.startWorker({
    CONDUCTOR_SERVER_URL: `${front.url}/api`,
    CONDUCTOR_AUTH_KEY: front.keyId,
    CONDUCTOR_AUTH_SECRET: front.keySecret,
  });
});

afterAll(async () => {
  await world?.close();
  await front?.close();
});

const embed = (workflow: string) => ({
  workflow,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: 'main', model: EMBED, text: 'Hi', _createdBy: 'root@example.com' },
});

describe('a Conductor that asks for a key and says who started a workflow', () => {
  it.each([
    ['alice@example.com', 'COMPLETED'],
    ['app:robot', 'COMPLETED'],
    ['bob@example.com', 'COMPLETED'],
    ['root@example.com', 'COMPLETED'],
    ['mallory@example.com', 'FAILED_WITH_TERMINAL_ERROR'],
    ['app:gone', 'FAILED_WITH_TERMINAL_ERROR'],
  ])('%s: %s', async (creator, status) => {
    const workflow = `identity_${creator.replaceAll(/\W/g, '_')}`;
    front.createdBy(workflow, creator);
    const { task } = await world.runTask(embed(workflow));
    expect(task.status).toBe(status);
    if (status !== 'COMPLETED') expect(task.reasonForIncompletion).toContain(`USER:${creator}`);
  });

  it('falls through to the application where it does not say, and believes no input', async () => {
    const { task } = await world.runTask(embed('identity_unsaid'));
    expect(task.outputData['error']).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(task.reasonForIncompletion).toContain('USER:app:by-name');
  });

  it('gets a new token when the old one is no longer taken', async () => {
    front.revokeTokens();
    const before = front.counts.tokens;
    front.createdBy('identity_renewed', 'alice@example.com');
    expect((await world.runTask(embed('identity_renewed'))).task.status).toBe('COMPLETED');
    expect(front.counts.tokens).toBeGreaterThan(before);
  });

  it('never logs the key secret', async () => {
    expect(await worker.cli.stdout()).not.toContain(front.keySecret);
  });
});

it('SUBJECT_SOURCES=owner judges by the definition, never as an administrator', async () => {
  await worker.cli.stop(20_000);
  await world.startWorker({ SUBJECT_SOURCES: 'owner' });
  // The tests' definitions belong to owner@example.com.
  expect((await world.runTask(embed('identity_owned'))).task.reasonForIncompletion).toContain('USER:owner@example.com');
  await world.redis.sadd(world.key('members:admins'), 'owner@example.com');
  expect((await world.runTask(embed('identity_owned'))).task.status).toBe('FAILED_WITH_TERMINAL_ERROR');
  await world.redis.sadd(world.key('members:analysts'), 'owner@example.com');
  expect((await world.runTask(embed('identity_owned'))).task.status).toBe('COMPLETED');
});
