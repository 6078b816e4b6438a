import { afterAll, beforeAll, describe, it } from 'vitest';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';
import { OPEN_ROLE } from '../../simulator/known.ts';
import { startMany, statusesOf, whenOver } from './support/many.ts';
import { seed } from './support/seed.ts';
import { createWorld, type World } from './support/world.ts';

const SHARED = 'amazon.nova-micro-v1:0';
const FORGOTTEN = 'amazon.nova-lite-v1:0';
const FROZEN = 'amazon.nova-pro-v1:0';
const ALIASES = { loose: { modelId: SHARED, maxConcurrency: 9 }, tight: { modelId: SHARED, maxConcurrency: 3 } };

let [aliased, forgetful, frozen]: World[] = [];
let redis: Server | undefined;
beforeAll(async () => {
  redis = await startRedis();
  aliased = await createWorld('alias');
  forgetful = await createWorld('forget', { redisUrl: redis.url });
  frozen = await createWorld('frozen');
});
afterAll(async () => {
  await aliased?.close();
  await forgetful?.close();
  await frozen?.close();
  await redis?.stop();
});

const tasks = (world: World, name: string, models: readonly string[], taskName?: string) =>
  startMany(
    world,
    {
      workflow: `${name}_task`,
      ...(taskName === undefined ? {} : { name: taskName }),
      type: 'LLM_TEXT_COMPLETE',
      input: { llmProvider: 'main', prompt: 'Hi', maxTokens: 20 },
    },
    models.map((model) => ({ model })),
  );

describe.concurrent('a limit over all workers', { timeout: 120_000 }, () => {
  it('is the tighter one of all records that name the same model', async ({ expect }) => {
    const world = aliased as World;
    await seed(world, 'alias', ALIASES);
    await world.control('latency', { model: SHARED, ms: 300 });
    await Promise.all([world.startWorker(), world.startWorker()]);
    const models = Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? 'loose' : 'tight'));
    const ended = await whenOver(world, await tasks(world, 'alias', models));
    expect(statusesOf(ended)).toEqual({ COMPLETED: 30 });
    expect((await world.calls()).models[SHARED]?.maxInFlight).toBe(3);
  });

  it('holds over a Redis that forgets everything while all places are taken', async ({ expect }) => {
    const world = forgetful as World;
    const model = { [FORGOTTEN]: { maxConcurrency: 4 } };
    await seed(world, 'forget', model);
    // Longer than Redis needs to be back: what it knows nothing of still runs then.
    await world.control('latency', { model: FORGOTTEN, ms: 4_000 });
    await Promise.all([world.startWorker(), world.startWorker()]);
    const ids = await tasks(world, 'forget', Array<string>(8).fill(FORGOTTEN));
    const calls = async () => (await world.calls()).models[FORGOTTEN];
    await expect.poll(async () => (await calls())?.inFlight, { timeout: 20_000 }).toBe(4);
    await redis?.stop();
    redis = await startRedis({ port: redis?.port });
    await seed(world, 'forget', model, { isNew: true });
    expect((await calls())?.inFlight).toBe(4);
    const ended = await whenOver(world, ids, 90_000);
    expect(statusesOf(ended)).toEqual({ COMPLETED: 8 });
    expect(await calls()).toMatchObject({ calls: 8, maxInFlight: 4 });
  });

  it('holds over a worker that is frozen after its calls were admitted and before they are sent', async ({
    expect,
  }) => {
    const world = frozen as World;
    await seed(world, 'frozen', { [FROZEN]: { maxConcurrency: 2 } });
    const configuration = { connectionType: 'EXTERNAL_ROLE', region: 'us-east-1', roleArn: OPEN_ROLE.arn };
    await world.redis.hset(
      world.key('integrations'),
      'main',
      JSON.stringify({ type: 'aws_bedrock_cohere', configuration }),
    );
    // Between the two it waits for credentials.
    await world.control('latency', { model: 'sts', ms: 3_000 });
    const { cli } = await world.startWorker();
    // Of its own: a response timeout shorter than what a worker's death takes to be noticed would make this another test.
    await world.conductor.registerTaskDef({
      name: 'frozen_task',
      retryCount: 0,
      timeoutSeconds: 0,
      responseTimeoutSeconds: 120,
    });
    const ids = await tasks(world, 'frozen', Array<string>(2).fill(FROZEN), 'frozen_task');
    const places = () => world.redis.zcard(world.key(`run:lane:main:${FROZEN}:leases`));
    await expect.poll(places, { timeout: 20_000, interval: 10 }).toBe(2);
    cli.kill('SIGSTOP');
    await world.control('latency', { model: 'sts', ms: 0 });
    await world.control('latency', { model: FROZEN, ms: 6_000 });
    const calls = async () => (await world.calls()).models[FROZEN];
    expect(await calls()).toBeUndefined();
    await world.startWorker();
    await expect.poll(async () => (await calls())?.inFlight, { timeout: 40_000 }).toBe(2);
    // It has its credentials at once: they have come while it was frozen.
    cli.kill('SIGCONT');
    expect(statusesOf(await whenOver(world, ids))).toEqual({ COMPLETED: 2 });
    expect(await calls()).toMatchObject({ calls: 2, maxInFlight: 2 });
  });
});
