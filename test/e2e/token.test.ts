import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { NewAccessKey } from '../../src/identity/access-keys.ts';
import { createAccessKey } from '../../src/identity/key-store.ts';
import { loadSigningKey, type SigningKey } from '../../src/identity/signing.ts';
import { issueToken, type TokenRequest } from '../../src/identity/tokens.ts';
import { keyNames } from '../../src/redis/keys.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { testTrail } from '../support/trail.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';
const REFUSED = 'FAILED_WITH_TERMINAL_ERROR';

let world: World;
let worker: RunningWorker;
let conductorProxy: TcpProxy;
let signingKey: SigningKey;
let key: NewAccessKey;
let otherKey: NewAccessKey;

const trail = () => testTrail(keyNames(world.prefix));
const store = () => ({ redis: world.redis, names: keyNames(world.prefix), trailNow: trail });

beforeAll(async () => {
  world = await createWorld('token');
  const conductor = new URL(inject('conductorUrl'));
  conductorProxy = await startTcpProxy({ host: conductor.hostname, port: Number(conductor.port) });
  const configuration = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
  await world.redis.set(world.key('run:epoch'), '1');
  await world.redis.hset(world.key('models'), `main:${EMBED}`, '{"configuration":{"maxConcurrencyPerWorker":1}}');
  // By name, `token_*` belongs to an application that may all; nobody asks for that here.
  await world.redis.hset(
    world.key('applications'),
    'robot',
    '{"name":"Robot"}',
    'by-name',
    '{"workflows":["token_*"]}',
  );
  for (const id of ['robot', 'by-name']) {
    await world.redis.hset(world.key(`grants:USER:app:${id}`), 'INTEGRATION_PROVIDER:main', 'EXECUTE');
  }
  const keyring = parseKeyring(`k1:${randomBytes(32).toString('base64')}`);
  signingKey = await loadSigningKey({ ...store(), keyring, trail: trail() });
  key = await createAccessKey(store(), { applicationId: 'robot' });
  otherKey = await createAccessKey(store(), { applicationId: 'robot' });
  await world.redis.hset(
    world.key('integrations'),
    'main',
    JSON.stringify({ type: 'aws_bedrock_cohere', configuration }),
  );
  worker = await world.startWorker({
    SUBJECT_SOURCES: 'token',
    CONDUCTOR_SERVER_URL: `http://127.0.0.1:${conductorProxy.port}`,
  });
});

afterAll(async () => {
  await world?.close();
  await conductorProxy?.close();
});

async function token(more: Partial<TokenRequest> = {}): Promise<string> {
  const record = JSON.parse((await world.redis.hget(world.key('applications'), 'robot')) ?? '') as { uid: string };
  const application = { id: 'robot', uid: record.uid };
  return (await issueToken({ signingKey, application, accessKeyId: key.id, audience: 'task', ...more })).token;
}

const embed = (accessToken: unknown, workflow = 'token_embed') => ({
  workflow,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: 'main', model: EMBED, text: 'who may', ...(accessToken === undefined ? {} : { accessToken }) },
});

const run = async (accessToken: unknown, workflow?: string) => (await world.runTask(embed(accessToken, workflow))).task;

const altered = (text: string) => text.slice(0, -10) + (text.at(-10) === 'A' ? 'B' : 'A') + text.slice(-9);

describe('SUBJECT_SOURCES=token, on a Conductor without authentication', () => {
  it('runs a task whose token proves an application that may, whatever its workflow is called', async () => {
    expect((await run(await token(), 'anybodys_workflow')).status).toBe('COMPLETED');
  });

  it.each<[string, () => Promise<unknown>, string, string]>([
    ['none', async () => undefined, 'SUBJECT_UNKNOWN', 'a token for tasks as the input accessToken'],
    ['null', async () => null, 'SUBJECT_UNKNOWN', 'a token for tasks as the input accessToken'],
    [
      'one that has expired',
      () => token({ now: Date.now() - 120_000, expiresInSeconds: 60 }),
      'TOKEN_EXPIRED',
      'has expired',
    ],
    [
      'one that was altered',
      async () => altered(await token()),
      'TOKEN_INVALID',
      'its signature is not of this installation',
    ],
    ['one for the admin API', () => token({ audience: 'api' }), 'TOKEN_INVALID', 'it is not for the audience task'],
    ['one for another workflow', () => token({ workflow: 'claims' }), 'TOKEN_INVALID', 'it is for the workflow claims'],
    ['no token at all', async () => 'SEKRET', 'TOKEN_INVALID', 'it is no JWT'],
    ['an object', async () => ({ SEKRET: 1 }), 'TOKEN_INVALID', 'it is no text'],
  ])('ends a task with %s for good, and says why', async (_, make, code, words) => {
    const accessToken = await make();
    const task = await run(accessToken);
    expect(task.status).toBe(REFUSED);
    expect(task.outputData['error']).toMatchObject({ code, retryable: false });
    expect(task.reasonForIncompletion).toContain(words);
    expect(JSON.stringify([task.reasonForIncompletion, task.outputData])).not.toContain('SEKRET');
    if (typeof accessToken === 'string')
      expect(JSON.stringify([task.reasonForIncompletion, task.outputData])).not.toContain(accessToken);
  });

  it('runs a task in the workflow that its token names', async () => {
    expect((await run(await token({ workflow: 'token_pinned' }), 'token_pinned')).status).toBe('COMPLETED');
  });
});

describe('a token for one workflow', () => {
  it('is the first one’s that uses it', async () => {
    const accessToken = await token({ once: true });
    expect((await run(accessToken)).status).toBe('COMPLETED');
    const second = await run(accessToken);
    expect(second.outputData['error']).toMatchObject({ code: 'TOKEN_INVALID', retryable: false });
    expect(second.reasonForIncompletion).toContain('another has used it before');
    expect((await run(await token({ once: true }))).status).toBe('COMPLETED');
  });
});

describe('an access key that is switched off', () => {
  const set = async (enabled: boolean) => {
    const { redis, names } = store();
    const record = JSON.parse((await redis.hget(names.hash('access-keys'), key.id)) ?? '') as object;
    await redis.hset(names.hash('access-keys'), key.id, JSON.stringify({ ...record, enabled }));
  };

  it('is refused with the very next tasks, and runs them again once it is on', async () => {
    const accessToken = await token();
    expect((await run(accessToken)).status).toBe('COMPLETED');
    await set(false);
    await expect.poll(async () => (await run(accessToken)).status, { timeout: 10_000 }).toBe(REFUSED);
    const refused = await run(accessToken);
    expect(refused.reasonForIncompletion).toContain('its access key is switched off');
    await set(true);
    await expect.poll(async () => (await run(accessToken)).status, { timeout: 10_000 }).toBe('COMPLETED');
  });

  it('stops a task that waits for its turn: no model is called for it', async () => {
    await world.control('latency', { model: EMBED, ms: 2_000 });
    await world.control('calls', undefined, 'DELETE');
    const ahead = world.runTask(embed(await token({ accessKeyId: otherKey.id })));
    await expect.poll(async () => (await world.calls()).models[EMBED]?.inFlight ?? 0, { timeout: 10_000 }).toBe(1);
    const behind = await world.startTask(embed(await token()));
    const waiting = /^bedrock_cohere_lane_calls\{[^}]*state="waiting"[^}]*\} 1$/m;
    await expect.poll(async () => (await worker.get('/metrics')).body, { timeout: 10_000 }).toMatch(waiting);
    await set(false);
    const [{ task }, workflow] = await Promise.all([ahead, world.conductor.waitForWorkflow(behind)]);
    await world.control('latency', { model: EMBED, ms: 0 });
    await set(true);
    expect(task.status).toBe('COMPLETED');
    expect(workflow.tasks[0]?.outputData['error']).toMatchObject({ code: 'TOKEN_INVALID' });
    expect((await world.calls()).totals.calls).toBe(1);
  });
});

describe('a token that was used', () => {
  it('is nowhere: not in Redis, in what was written there, in the log, in an output or in a reason', async () => {
    const monitor = await world.redis.duplicate().monitor();
    const written: string[] = [];
    monitor.on('monitor', (_: string, args: string[]) => void written.push(args.join(' ')));
    const good = await token({ once: true });
    const tokens = [good, altered(await token()), await token({ now: 0 }), await token({ audience: 'api' })];

    const shown: unknown[] = [];
    for (const one of tokens.slice(1)) shown.push(outside(await run(one)));
    // An answer that Conductor does not take is kept in Redis, with a hash of its task's input.
    await world.control('latency', { model: EMBED, ms: 1_500 });
    const id = await world.startTask(embed(good));
    await expect.poll(async () => (await world.calls()).models[EMBED]?.inFlight ?? 0, { timeout: 10_000 }).toBe(1);
    const { taskId = '' } = (await world.conductor.getWorkflow(id)).tasks[0] ?? {};
    await conductorProxy.cut();
    await expect.poll(() => world.redis.exists(world.key(`run:answer:${taskId}`)), { timeout: 10_000 }).toBe(1);
    const kept = await everythingInRedis();
    await conductorProxy.mend();
    shown.push(outside((await world.conductor.waitForWorkflow(id)).tasks[0]));
    await world.control('latency', { model: EMBED, ms: 0 });
    expect(JSON.stringify(shown)).toContain('"COMPLETED"');

    const places = {
      kept,
      left: await everythingInRedis(),
      written: written.join('\n'),
      shown: JSON.stringify(shown),
      stdout: await worker.cli.stdout(),
      stderr: await worker.cli.stderr(),
    };
    monitor.disconnect();
    // The places are what they are taken for.
    expect(places.kept).toContain('inputHash');
    expect(places.written).toContain(world.key('run:claim:'));
    expect(places.stdout).toContain('A task ended');
    for (const one of tokens) {
      const [, claims = '', signature = ''] = one.split('.');
      for (const [place, text] of Object.entries(places)) {
        for (const part of [claims, signature]) expect(text.includes(part), place).toBe(false);
      }
    }
  });

  /** What a task shows beside its inputs, which Conductor keeps. */
  function outside(task: { inputData: unknown } | undefined): unknown {
    const { inputData: _, ...rest } = task ?? { inputData: undefined };
    return rest;
  }

  async function everythingInRedis(): Promise<string> {
    const keys = await world.redis.keys(`${world.prefix}*`);
    const texts = await Promise.all(keys.map(textOf));
    return texts.join('\n');
  }

  async function textOf(name: string): Promise<string> {
    switch (await world.redis.type(name)) {
      case 'string':
        return JSON.stringify([name, await world.redis.get(name)]);
      case 'hash':
        return JSON.stringify([name, await world.redis.hgetall(name)]);
      case 'set':
        return JSON.stringify([name, await world.redis.smembers(name)]);
      case 'zset':
        return JSON.stringify([name, await world.redis.zrange(name, '0', '-1')]);
      case 'stream':
        return JSON.stringify([name, await world.redis.xrange(name, '-', '+')]);
      default:
        return name;
    }
  }
});
