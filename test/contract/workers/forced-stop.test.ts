import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { freePort } from '../../../devservers/ports.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { type RunningCli, startCli, waitForReady } from '../../support/cli.ts';
import type {} from '../../support/redis-for-all.ts';
import { type StubConductor, startStubConductor } from '../../workers/support/stub-conductor.ts';
import { freshPrefix, INTEGRATION } from '../support/live-catalog.ts';

const QUEUE = 'LLM_TEXT_COMPLETE';

let stub: StubConductor;
let redis: Redis;
let names: ReturnType<typeof keyNames>;
const started: RunningCli[] = [];
beforeEach(async () => {
  stub = await startStubConductor();
  stub.workflowDefinitions = [{ name: 'claims', tasks: [{ name: 'ask', taskReferenceName: 'ask', type: QUEUE }] }];
  redis = new Redis(inject('redisUrl'));
  names = keyNames(freshPrefix());
  await redis.hset(names.hash('integrations'), 'main', INTEGRATION);
});
afterEach(async () => {
  for (const cli of started.splice(0)) {
    if (cli.exit() === undefined) cli.kill('SIGKILL');
    await cli.exited;
    await cli.remove();
  }
  await redis.unlink(await redis.keys(`${names.prefix}*`));
  redis.disconnect();
  await stub[Symbol.asyncDispose]();
});

async function startWorker(drainTimeoutMs: number): Promise<RunningCli> {
  const port = await freePort();
  const cli = await startCli(['worker'], {
    CONDUCTOR_SERVER_URL: stub.apiUrl,
    REDIS_URL: inject('redisUrl'),
    REDIS_PREFIX: names.prefix,
    TASK_TYPES: QUEUE,
    REGISTER_TASK_DEFINITIONS: 'none',
    HTTP_PORT: String(port),
    DRAIN_TIMEOUT_MS: String(drainTimeoutMs),
  });
  started.push(cli);
  await waitForReady(cli, port);
  return cli;
}

/** From now on Conductor pops what there is for a poll, and never answers. Resolves to who polls so. */
async function answersNoMore(onPoll = () => {}): Promise<string> {
  const before = stub.polls.length;
  stub.on.poll = () => {
    onPoll();
    return { until: new Promise(() => undefined) };
  };
  await expect.poll(() => stub.polls.length, { timeout: 5_000 }).toBeGreaterThan(before);
  return stub.polls.at(-1)?.workerId ?? '';
}

const said = async (cli: RunningCli) => (await cli.lines()).join('\n');

describe('a worker whose poll is never answered', () => {
  it('goes on waiting for it at a first signal, and ends at once at a second', async () => {
    const cli = await startWorker(600_000);
    await answersNoMore();
    cli.kill('SIGTERM');
    await expect.poll(() => said(cli), { timeout: 5_000 }).toContain('The worker is stopping');
    expect(cli.exit()).toBeUndefined();
    cli.kill('SIGTERM');
    expect(await cli.exited).toMatchObject({ code: 1 });
    expect(await said(cli)).toContain('A second signal');
  });

  it('ends when its time is over, and has others look for what it may have been handed', async () => {
    const cli = await startWorker(100);
    let taskId = '';
    const id = await answersNoMore(() => {
      taskId = stub.add(QUEUE, { workflowType: 'claims' });
    });
    await expect.poll(() => stub.tasks.get(taskId)?.workerId, { timeout: 10_000 }).toBe(id);
    cli.kill('SIGTERM');
    expect(await cli.exited).toMatchObject({ code: 1 });
    expect(await said(cli)).toContain('Conductor does not answer');
    expect(await redis.hkeys(names.ledger.suspects)).toEqual([id]);
    expect(await redis.zscore(names.ledger.workers, id)).toBeNull();

    stub.on = {};
    await startWorker(100);
    await expect.poll(() => stub.updates, { timeout: 30_000 }).toMatchObject([{ taskId, status: 'IN_PROGRESS' }]);
  }, 90_000);
});
