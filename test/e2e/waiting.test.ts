import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { startMany, statusesOf, whenOver } from './support/many.ts';
import { seed } from './support/seed.ts';
import { createWorld, type World } from './support/world.ts';

/** A model for each test, so that all of them wait at the same time, in lanes of their own. */
const HELD = 'amazon.nova-micro-v1:0';
const RAISED = 'amazon.nova-lite-v1:0';
const THROTTLED = 'amazon.nova-pro-v1:0';
const REFUSING = 'meta.llama3-8b-instruct-v1:0';

let world: World;
beforeAll(async () => {
  world = await createWorld('wait');
  await seed(world, 'wait', {
    [HELD]: { maxConcurrencyPerWorker: 1 },
    [RAISED]: { maxConcurrency: 2 },
    [THROTTLED]: { maxConcurrencyPerWorker: 10 },
    [REFUSING]: { maxDeferralSeconds: 4 },
  });
  for (const [model, ms] of Object.entries({ [HELD]: 4_000, [RAISED]: 500, [THROTTLED]: 200 })) {
    await world.control('latency', { model, ms });
  }
  await world.startWorker();
});
afterAll(() => world?.close());

/** Tasks that are retried never, so that none can hide a failure. */
async function tasksOf(name: string, model: string, count: number, definition: object = {}): Promise<string[]> {
  const protection = { retryCount: 0, responseTimeoutSeconds: 60, timeoutSeconds: 0, ...definition };
  await world.conductor.registerTaskDef({ name: `wait_${name}`, ...protection });
  const input = { llmProvider: 'main', model, prompt: 'The roof leaked.', maxTokens: 50 };
  const task = { workflow: `wait_${name}`, name: `wait_${name}`, type: 'LLM_TEXT_COMPLETE', input } as const;
  return await startMany(
    world,
    task,
    Array.from({ length: count }, () => ({})),
  );
}

const callsOf = async (model: string) => (await world.calls()).models[model] ?? { calls: 0, succeeded: 0 };

describe.concurrent('tasks that must wait', { timeout: 120_000 }, () => {
  it('longer than their pollTimeoutSeconds are held where Conductor would time them out asleep', async ({ expect }) => {
    // The last is throttled when it has waited for long: to sleep for a second or two would be its workflow's end.
    await world.control('faults', { model: HELD, fault: { name: 'ThrottlingException', skip: 4, times: 2 } });
    const ended = await whenOver(world, await tasksOf('polltimeout', HELD, 5, { pollTimeoutSeconds: 12 }), 90_000);
    expect(statusesOf(ended)).toEqual({ COMPLETED: 5 });
    expect(Math.max(...ended.map(({ task }) => task.endTime - task.scheduledTime))).toBeGreaterThan(20_000);
    expect(await callsOf(HELD)).toMatchObject({ calls: 7, succeeded: 5 });
  });

  it('come back soon where the limit is raised, with few polls, those first that came first', async ({ expect }) => {
    const ids = await tasksOf('raised', RAISED, 60);
    while ((await callsOf(RAISED)).succeeded < 15) await sleep(50);
    await world.redis.hset(world.key('models'), `main:${RAISED}`, '{"configuration":{"maxConcurrency":20}}');
    const ended = await whenOver(world, ids, 60_000);
    expect(statusesOf(ended)).toEqual({ COMPLETED: 60 });
    const polls = ended.reduce((sum, { task }) => sum + task.pollCount, 0);
    expect(polls / 60).toBeLessThanOrEqual(3);
    expect((await callsOf(RAISED)).calls).toBe(60);
    // Roughly: of any two tasks, mostly the one that was scheduled first ended first.
    const byEnd = ended.map(({ task }) => task).sort((a, b) => a.endTime - b.endTime);
    const pairs = byEnd.flatMap((one, at) =>
      byEnd.slice(at + 1).map((later) => one.scheduledTime <= later.scheduledTime),
    );
    expect(pairs.filter(Boolean).length / pairs.length).toBeGreaterThan(0.75);
  });

  it('since Bedrock throttles fail not, and spend no retry', async ({ expect }) => {
    await world.control('faults', { model: THROTTLED, fault: { name: 'ThrottlingException', rate: 0.3 } });
    const ended = await whenOver(world, await tasksOf('throttled', THROTTLED, 40));
    expect(statusesOf(ended)).toEqual({ COMPLETED: 40 });
    expect(ended.every(({ task, workflow }) => task.retryCount === 0 && workflow.tasks.length === 1)).toBe(true);
    const { calls, succeeded } = await callsOf(THROTTLED);
    expect(succeeded).toBe(40);
    expect(calls).toBeGreaterThan(40);
  });

  it('since Bedrock throttles fail once maxDeferralSeconds have passed, and not before', async ({ expect }) => {
    await world.control('faults', { model: REFUSING, fault: { name: 'ThrottlingException' } });
    const [ended] = await whenOver(world, await tasksOf('refused', REFUSING, 1));
    expect(ended?.task).toMatchObject({ status: 'FAILED', outputData: { error: { code: 'THROTTLED' } } });
    const { scheduledTime = 0, endTime = 0 } = ended?.task ?? {};
    expect(endTime - scheduledTime).toBeGreaterThan(4_000);
    expect((await callsOf(REFUSING)).calls).toBeGreaterThan(1);
  });
});
