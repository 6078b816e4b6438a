import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startMany, statusesOf, whenOver } from './support/many.ts';
import { seed } from './support/seed.ts';
import { createWorld, type World } from './support/world.ts';

const EMBED_V3 = 'cohere.embed-english-v3';

let world: World;
beforeAll(async () => {
  world = await createWorld('batch');
  await seed(world, 'batch', { [EMBED_V3]: { maxConcurrencyPerWorker: 1 } });
  await world.startWorker();
});
beforeEach(async () => {
  await world.control('calls', undefined, 'DELETE');
  await world.control('latency', { model: EMBED_V3, ms: 500 });
});
afterAll(() => world?.close());

const embed = (workflow: string) => ({
  workflow: `batch_${workflow}`,
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: 'main', model: EMBED_V3 },
});
const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ text: `Claim number ${index}, a roof` }));
const textsOf = (call: { body: Record<string, unknown> }) => call.body['texts'] as string[];

it('a hundred single texts at a model of one call travel together, and their tokens add up', async () => {
  const ended = await whenOver(world, await startMany(world, embed('many'), texts(100)));
  expect(statusesOf(ended)).toEqual({ COMPLETED: 100 });
  const { calls, totals } = await world.calls();
  expect(calls.length).toBeLessThanOrEqual(20);
  expect(totals.maxInFlight).toBe(1);
  expect(calls.flatMap(textsOf).sort()).toEqual(
    texts(100)
      .map(({ text }) => text)
      .sort(),
  );
  const shared = new Set(
    calls
      .map(textsOf)
      .filter(({ length }) => length > 1)
      .flat(),
  );
  expect(shared.size).toBeGreaterThan(80);
  for (const { task } of ended) {
    expect(task.outputData['result']).toHaveLength(1_024);
    expect(task.outputData['tokensShared']).toBe(shared.has(String(task.inputData['text'])) ? true : undefined);
  }
  // Each of these texts has as many tokens by itself as its share of a request of its like.
  const alone = await world.runTask({ ...embed('alone'), input: { ...embed('alone').input, text: texts(1)[0]?.text } });
  const sum = ended.reduce((total, { task }) => total + Number(task.outputData['promptTokens']), 0);
  expect(sum).toBe(100 * Number(alone.task.outputData['promptTokens']));
});

it('a text that Bedrock refuses fails alone, and those that came with it have their vectors', async () => {
  // Over the 512 tokens of the model, which truncates nothing unless it is asked to.
  const inputs = texts(30).map((input, index) => (index === 17 ? { text: 'a '.repeat(1_000) } : input));
  const ended = await whenOver(world, await startMany(world, embed('bad'), inputs));
  const bad = ended.filter(({ workflow }) => workflow.status !== 'COMPLETED');
  expect(bad.map(({ task }) => [ended.findIndex((one) => one.task === task), task.status])).toEqual([
    [17, 'FAILED_WITH_TERMINAL_ERROR'],
  ]);
  expect(bad[0]?.task.outputData['error']).toMatchObject({ code: 'REQUEST_REFUSED' });
  const sizes = (await world.calls()).calls.map((call) => textsOf(call).length);
  expect(Math.max(...sizes)).toBeGreaterThan(1);
});
