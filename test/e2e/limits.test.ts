import { afterAll, beforeAll, describe, it } from 'vitest';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';
import { startMany, statusesOf, whenOver } from './support/many.ts';
import { seed } from './support/seed.ts';
import { createWorld, type World } from './support/world.ts';

const SHARED = 'amazon.nova-micro-v1:0';
const FORGOTTEN = 'amazon.nova-lite-v1:0';
const ALIASES = { loose: { modelId: SHARED, maxConcurrency: 9 }, tight: { modelId: SHARED, maxConcurrency: 3 } };

let [aliased, forgetful]: World[] = [];
let redis: Server | undefined;
beforeAll(async () => {
  redis = await startRedis();
  aliased = await createWorld('alias');
  forgetful = await createWorld('forget', { redisUrl: redis.url });
});
afterAll(async () => {
  await aliased?.close();
  await forgetful?.close();
  await redis?.stop();
});

const tasks = (world: World, name: string, models: readonly string[]) =>
  startMany(
    world,
    {
      workflow: `${name}_task`,
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
});
