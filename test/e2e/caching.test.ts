import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { dayOf } from '../../src/telemetry/usage-days.ts';
import { seed } from './support/seed.ts';
import { createWorld, type RunningWorker, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';
const NOVA = 'amazon.nova-micro-v1:0';

let world: World;
let workers: RunningWorker[];
beforeAll(async () => {
  world = await createWorld('caching');
  await seed(world, 'cache', { [EMBED]: { cache: { ttlSeconds: 600 } }, [NOVA]: { cache: { ttlSeconds: 600 } } });
  workers = await Promise.all([world.startWorker(), world.startWorker()]);
});
beforeEach(() => world.control('calls', undefined, 'DELETE'));
afterAll(() => world?.close());

async function output(type: 'LLM_GENERATE_EMBEDDINGS' | 'LLM_CHAT_COMPLETE', input: Record<string, unknown>) {
  const { task } = await world.runTask({ workflow: 'cache_task', type, input: { llmProvider: 'main', ...input } });
  expect(task.status, task.reasonForIncompletion).toBe('COMPLETED');
  return { output: task.outputData as Record<string, unknown>, worker: task.workerId as string };
}
const embed = (input: Record<string, unknown>) => output('LLM_GENERATE_EMBEDDINGS', { model: EMBED, ...input });
const calls = async () => (await world.calls()).totals.calls;

it('an answer of one worker is given again by any, without a call, until the model’s record changes', async () => {
  const first = await embed({ text: 'Where is the claim?' });
  expect(first.output).not.toHaveProperty('cached');
  const seen = new Set<string>();
  // Conductor hands tasks to whoever asks.
  for (let tries = 0; seen.size < 2 && tries < 20; tries += 1) {
    const again = await embed({ text: 'Where is the claim?' });
    expect(again.output).toEqual({ result: first.output['result'], cached: true });
    seen.add(again.worker);
  }
  expect(seen.size).toBe(2);
  expect(await calls()).toBe(1);

  const list = await embed({ texts: ['Another', 'Where is the claim?'] });
  expect(list.output).toMatchObject({ cachedCount: 1 });
  expect((list.output['result'] as unknown[])[1]).toEqual(first.output['result']);
  expect((await world.calls()).calls.map(({ body }) => body['texts'])).toEqual([['Where is the claim?'], ['Another']]);

  await world.redis.hset(
    world.key('models'),
    `main:${EMBED}`,
    JSON.stringify({ description: 'changed', configuration: { cache: { ttlSeconds: 600 } } }),
  );
  // Workers hear of it by themselves.
  await expect.poll(() => world.redis.exists(world.key(`run:cache:main:${EMBED}:values`))).toBe(0);
  expect((await embed({ text: 'Where is the claim?' })).output).not.toHaveProperty('cached');
  expect(await calls()).toBe(3);
});

it('a completion at temperature 0 is given again, and what was given is in usage and metrics', async () => {
  const input = { model: NOVA, messages: [{ role: 'user', message: 'Say it once' }], temperature: 0 };
  const first = await output('LLM_CHAT_COMPLETE', input);
  const again = await output('LLM_CHAT_COMPLETE', input);
  expect(again.output).toEqual({
    ...{ result: first.output['result'], finishReason: first.output['finishReason'], cached: true },
  });
  expect(await calls()).toBe(1);
  const field = JSON.stringify(['main', NOVA, 'cacheHits']);
  await expect
    .poll(() => world.redis.hget(world.key(`run:usage:${dayOf(Date.now())}`), field), { timeout: 10_000 })
    .toBe('1');
  const metrics = (await Promise.all(workers.map(async ({ get }) => (await get('/metrics')).body))).join('\n');
  const counted = [...metrics.matchAll(/cache_answers_total\{[^}]*nova-micro[^}]*result="(hit|miss)"\} (\d+)/g)];
  const sum = (result: string) =>
    counted.filter(([, of]) => of === result).reduce((total, [, , count]) => total + Number(count), 0);
  expect([sum('hit'), sum('miss')]).toEqual([1, 1]);
});
