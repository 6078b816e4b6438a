import { describe, expect, it } from 'vitest';
import { COMMAND_R, EMBED, errorOf, outputOf, WORLD, type World } from '../../workers/support/llm.ts';
import { CONFIGURATION, cachedCalls, range, texts, worldWith } from './support/cached-calls.ts';

const calls = cachedCalls();
const { redis, handler, embeddings } = calls;

describe('what is kept', () => {
  const input = { model: EMBED, text: 'text 1' };

  it('is nothing where the model’s record says nothing of a cache', async () => {
    const { output, sent } = await embeddings({ world: worldWith({}) });
    await output(input);
    expect(await output(input)).not.toHaveProperty('cached');
    expect(sent).toHaveLength(2);
    expect(await calls.keys()).toEqual([]);
  });

  it('is given to nobody who may not use the model', async () => {
    const { output } = await embeddings();
    await output(input);
    const stranger = await embeddings({ world: { ...worldWith(), grants: {} } });
    expect(errorOf(await stranger.run(input)).code).toBe('PERMISSION_DENIED');
    expect(stranger.hits).toEqual([]);
  });

  it('is not given where calls go to another endpoint', async () => {
    const simulated = await embeddings({ endpoint: 'http://localhost:4566' });
    await simulated.output(input);
    const { output, sent } = await embeddings();
    expect(await output(input)).not.toHaveProperty('cached');
    expect(await output(input)).toHaveProperty('cached', true);
    expect(await simulated.output(input)).toHaveProperty('cached', true);
    expect(sent).toHaveLength(1);
  });

  it('is given to nobody whose right went while it was looked for', async () => {
    const { output } = await embeddings();
    await output(input);
    const slow = { ...calls.cache };
    const made = await embeddings({
      cache: {
        ...slow,
        async find(...asked) {
          await made.change({ ...worldWith(), grants: { 'USER:app:claims': {} } });
          return await calls.cache.find(...asked);
        },
      },
    });
    expect(errorOf(await made.run(input)).code).toBe('PERMISSION_DENIED');
  });

  it('is looked for again where the model’s record, or the prompt, changed meanwhile', async () => {
    const { output } = await handler('text');
    const named = { promptName: 'summarize', promptVersion: 1, promptVariables: { text: 'x' }, temperature: 0 };
    await output(named);
    const changed = (prompt: string, configuration = CONFIGURATION): World => ({
      ...worldWith(configuration),
      prompts: { ...WORLD.prompts, summarize: { ...WORLD.prompts.summarize, template: prompt } },
    });
    const looks: unknown[] = [];
    const worlds = [changed('Other: ${text}'), changed('Other: ${text}', { cache: { ttlSeconds: 61 } })];
    const made = await handler('text', {
      cache: {
        ...calls.cache,
        async find(...asked) {
          looks.push(asked[1]);
          const next = worlds.shift();
          if (next !== undefined) await made.change(next);
          return await calls.cache.find(...asked);
        },
      },
    });
    expect(await made.output(named)).not.toHaveProperty('cached');
    expect(looks).toHaveLength(3);
    expect(made.sent.map(({ body }) => body['message'])).toEqual(['Other: x']);
  });

  it('is looked for no further where Redis does not answer: a long list waits for one look', async () => {
    const looks: number[] = [];
    const { output, sent } = await embeddings({
      cache: {
        ...calls.cache,
        async find(_, digests) {
          looks.push(digests.length);
          return undefined;
        },
      },
    });
    const all = await output({ model: EMBED, texts: texts(...range(0, 300)) });
    expect(all).toMatchObject({ result: range(0, 300).map((number) => [number]), promptTokens: 300 });
    expect(sent).toHaveLength(4);
    expect(looks).toEqual([96]);
  });

  it('takes no turn in the lane, and neither waits nor counts for a limit', async () => {
    const { output } = await embeddings();
    await output(input);
    const world = {
      ...worldWith(),
      groups: { all: { maxTokens: 1, frequency: 'daily' } },
      members: { all: ['app:claims'] },
    } as World;
    const made = await embeddings({ world });
    made.tokenLimits.spent.set('GROUP:all' as never, 5);
    made.laneState.mayStart = false;
    expect(outputOf(await made.run(input))).toEqual({ result: [1], cached: true });
    expect(made.tokenLimits.asked).toEqual([]);
    expect(made.sent).toEqual([]);
  });

  it('gives up the place in line of a task that waited', async () => {
    const { output } = await embeddings();
    await output(input);
    const made = await embeddings();
    const ticket = { taskId: 'task-1', lane: `prod:${EMBED}`, order: 1, firstThrottledAt: undefined, throttles: 0 };
    await made.run(input, {}, { ticket });
    expect(made.forgotten).toEqual(['task-1']);
  });

  it('holds no prompt: what was asked is a digest', async () => {
    const { output } = await handler('text');
    await output({ prompt: 'a-very-private-question', temperature: 0 });
    const values = calls.valuesOf(COMMAND_R);
    expect(JSON.stringify(await redis.hgetall(values))).not.toContain('private');
  });
});
