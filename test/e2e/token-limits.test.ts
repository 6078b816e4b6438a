import { afterAll, beforeAll, describe, it } from 'vitest';
import { periodAt } from '../../src/limits/periods.ts';
import { type Ended, startMany, statusesOf, whenOver } from './support/many.ts';
import { seed } from './support/seed.ts';
import { createWorld, type World } from './support/world.ts';

const MODEL = 'amazon.nova-micro-v1:0';
const RESET = 'amazon.nova-lite-v1:0';
const EMBED = 'cohere.embed-v4:0';
const KILLED = 'amazon.nova-pro-v1:0';

let [limited, batched, killed]: World[] = [];
beforeAll(async () => {
  limited = await createWorld('spend');
  batched = await createWorld('share');
  killed = await createWorld('killed');
});
afterAll(async () => {
  for (const world of [limited, batched, killed]) await world?.close();
});

const today = () => periodAt('daily', Date.now()).name;
const spentBy = async (world: World, account: string, period = today()) =>
  Number((await world.redis.hget(world.key(`run:spent:${period}`), account)) ?? 0);
const setLimit = async (world: World, hash: string, name: string, record: object) => {
  await world.redis.hset(world.key(hash), name, JSON.stringify(record));
};
const reasonsOf = (ended: readonly Ended[]) =>
  ended.filter(({ workflow }) => workflow.status !== 'COMPLETED').map(({ task }) => task);

describe.concurrent('a token limit', { timeout: 120_000 }, () => {
  it('fails tasks terminally once it is used up; two workers overshoot it by no more than what was running', async ({
    expect,
  }) => {
    const world = limited as World;
    const [atOnce, account] = [6, 'GROUP:spenders'];
    await seed(world, 'spend', { [MODEL]: { maxConcurrency: atOnce } });
    await world.redis.sadd(world.key('members:spenders'), 'app:spend');
    // About ten tasks' worth.
    await setLimit(world, 'groups', 'spenders', { maxTokens: 300, frequency: 'daily' });
    await world.control('latency', { model: MODEL, ms: 100 });
    const workers = await Promise.all([world.startWorker(), world.startWorker()]);
    const task = {
      workflow: 'spend_task',
      type: 'LLM_TEXT_COMPLETE',
      input: { llmProvider: 'main', model: MODEL },
    } as const;
    const inputs = Array.from({ length: 60 }, (_, index) => ({ prompt: `Say ${index}`, maxTokens: 20 }));
    const ended = await whenOver(world, await startMany(world, task, inputs));

    const { COMPLETED = 0, FAILED = 0, ...others } = statusesOf(ended);
    expect(others).toEqual({});
    expect([COMPLETED > 0, FAILED > 0]).toEqual([true, true]);
    for (const { status, reasonForIncompletion, outputData } of reasonsOf(ended)) {
      expect(status).toBe('FAILED_WITH_TERMINAL_ERROR');
      expect(outputData).toMatchObject({ error: { code: 'TOKEN_LIMIT_REACHED', retryable: false } });
      expect(reasonForIncompletion).toMatch(
        /^The token limit of the group spenders is used up: \d+ of 300 tokens today \(UTC\)\. It resets at \d{4}-\d\d-\d\dT00:00:00Z; /,
      );
    }
    const used = ended
      .filter(({ workflow }) => workflow.status === 'COMPLETED')
      .map(({ task: { outputData } }) => Number((outputData as { tokenUsed: number }).tokenUsed));
    const spent = await spentBy(world, account);
    expect(spent).toBe(used.reduce((sum, tokens) => sum + tokens, 0));
    expect(spent).toBeGreaterThanOrEqual(300);
    // All that ran when it was reached, the one that reached it among them.
    expect(spent - 300).toBeLessThan(atOnce * Math.max(...used));
    expect((await world.calls()).models[MODEL]?.calls).toBe(COMPLETED);

    // Warned of once by both together, and on record.
    const lines = (await Promise.all(workers.map(({ cli }) => cli.lines()))).flat();
    expect(lines.filter((line) => line.includes('The token limit of the group spenders is used up to'))).toHaveLength(
      1,
    );
    expect(await world.redis.hlen(world.key(`run:limit-warnings:${today()}`))).toBe(1);
    const metrics = (await Promise.all(workers.map(async ({ get }) => (await get('/metrics')).body))).join('\n');
    const refused = [
      ...metrics.matchAll(/limit_refused_total\{kind="group",name="spenders",frequency="daily"\} (\d+)/g),
    ];
    expect(refused.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(FAILED);
    expect(metrics).toMatch(/limit_used_ratio\{kind="group",name="spenders",frequency="daily"\} 1/);
  });

  it('begins anew with its period, at once for every worker', async ({ expect }) => {
    const world = limited as World;
    await expect.poll(() => world.redis.hexists(world.key('groups'), 'spenders'), { timeout: 60_000 }).toBe(1);
    await setLimit(world, 'models', `main:${RESET}`, { configuration: {}, maxTokens: 1, frequency: 'monthly' });
    await setLimit(world, 'applications', 'fresh', { workflows: ['fresh_*'] });
    await world.redis.hset(world.key('grants:USER:app:fresh'), 'INTEGRATION_PROVIDER:main', 'EXECUTE');
    const run = () =>
      world.runTask({
        ...{ workflow: 'fresh_task', type: 'LLM_TEXT_COMPLETE' },
        input: { llmProvider: 'main', model: RESET, prompt: 'Hi', maxTokens: 20 },
      });
    expect((await run()).workflow.status).toBe('COMPLETED');
    expect((await run()).task.reasonForIncompletion).toContain(`the model main:${RESET} is used up`);
    // The sums of a period are under its name, and Redis' clock cannot be set: what a change of the month does to this month's
    // sums is done to them here. They are the last one's, and there are none of this one.
    const [now, before] = [periodAt('monthly', Date.now()), periodAt('monthly', Date.now() - 40 * 86_400_000)];
    const account = `MODEL:main:${RESET}`;
    const sum = await spentBy(world, account, now.name);
    await world.redis.hset(world.key(`run:spent:${before.name}`), account, sum);
    await world.redis.hdel(world.key(`run:spent:${now.name}`), account);
    // What a worker found used up it takes for used up for ten seconds, or until the period ends.
    await expect.poll(async () => (await run()).workflow.status, { timeout: 30_000 }).toBe('COMPLETED');
    expect(await spentBy(world, account, now.name)).toBeGreaterThan(0);
  });

  it('of one application lets others’ texts of the same request go', async ({ expect }) => {
    const world = batched as World;
    await seed(world, 'share', { [EMBED]: { maxConcurrency: 1 } });
    await setLimit(world, 'applications', 'poor', { workflows: ['poor_*'], maxTokens: 1, frequency: 'weekly' });
    await world.redis.hset(world.key('grants:USER:app:poor'), 'INTEGRATION_PROVIDER:main', 'EXECUTE');
    await world.control('latency', { model: EMBED, ms: 300 });
    await world.startWorker();
    const many = (application: string, count: number) =>
      startMany(
        world,
        {
          ...{ workflow: `${application}_task`, type: 'LLM_GENERATE_EMBEDDINGS' },
          input: { llmProvider: 'main', model: EMBED, text: 'some words to embed' },
        },
        Array.from({ length: count }, () => ({})),
      );
    const [first] = await whenOver(world, await many('poor', 1));
    expect(first?.workflow.status).toBe('COMPLETED');
    const [rich, poor] = await Promise.all([many('share', 20), many('poor', 5)]);
    expect(statusesOf(await whenOver(world, rich))).toEqual({ COMPLETED: 20 });
    const refused = await whenOver(world, poor);
    expect(statusesOf(refused)).toEqual({ FAILED: 5 });
    for (const { reasonForIncompletion } of reasonsOf(refused))
      expect(reasonForIncompletion).toMatch(
        /^The token limit of the application poor is used up: \d+ of 1 tokens this week/,
      );
  });
});

describe.concurrent('usage', { timeout: 120_000 }, () => {
  it('of a killed worker lacks what it counted in its last two seconds, and no more', async ({ expect }) => {
    const world = killed as World;
    await seed(world, 'killed', { [KILLED]: {} });
    const worker = await world.startWorker();
    const task = {
      workflow: 'killed_task',
      type: 'LLM_TEXT_COMPLETE',
      input: { llmProvider: 'main', model: KILLED },
    } as const;
    const run = async (count: number) =>
      await whenOver(
        world,
        await startMany(
          world,
          task,
          Array.from({ length: count }, () => ({ prompt: 'Hi', maxTokens: 20 })),
        ),
      );
    const counted = async () =>
      Number(await world.redis.hget(world.key(`run:usage:${today()}`), JSON.stringify(['main', KILLED, 'calls'])));

    expect(statusesOf(await run(10))).toEqual({ COMPLETED: 10 });
    // Two seconds after their answers, and what a busy machine takes.
    await expect.poll(counted, { timeout: 4_000 }).toBe(10);
    const ended = await run(10);
    const killedAt = Date.now();
    worker.cli.kill('SIGKILL');
    await worker.cli.exited;
    const lost = 20 - (await counted());
    const late = ended.filter(({ task: { endTime } }) => endTime > killedAt - 2_500).length;
    expect(lost).toBeLessThanOrEqual(late);
    // Nothing writes them later.
    const other = await world.startWorker();
    expect(statusesOf(await run(1))).toEqual({ COMPLETED: 1 });
    await expect.poll(counted, { timeout: 6_000 }).toBe(21 - lost);
    expect(other.cli.exit()).toBeUndefined();
  });
});
