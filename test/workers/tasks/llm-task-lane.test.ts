import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../support/harness.ts';
import { COMMAND_R, llmHandler, TEXT_ANSWER, WORLD } from '../support/llm.ts';

/** Bedrock answers nothing before `open()`: one task runs in a lane of one, others wait. */
async function busyLane() {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const world = {
    ...WORLD,
    models: { ...WORLD.models, [`prod:${COMMAND_R}`]: { configuration: { maxConcurrency: 1 } } },
  };
  const tools = await llmHandler('text', {
    world,
    answer: async () => {
      await gate;
      return TEXT_ANSWER;
    },
  });
  const first = tools.run({ prompt: 'first' });
  await until(() => tools.sent.length === 1);
  return { ...tools, world, first, open };
}

describe('a task that waits in a lane', () => {
  it('is stopped at its dispatch where its grant was revoked meanwhile', async () => {
    const { run, sent, change, world, first, open } = await busyLane();
    const second = run({ prompt: 'second' });
    await sleep(10);
    await change({ ...world, grants: { 'USER:app:claims': { 'PROMPT:summarize': 'EXECUTE' } } });
    open();
    expect((await first).kind).toBe('complete');
    const outcome = await Promise.race([second, sleep(1_000).then(() => 'never ended' as const)]);
    expect(outcome).toMatchObject({ kind: 'fail', error: { code: 'PERMISSION_DENIED' } });
    expect(sent).toHaveLength(1);
  });

  it('is stopped at its dispatch where its application no longer claims its workflow', async () => {
    const { run, sent, change, world, first, open } = await busyLane();
    const second = run({ prompt: 'second' });
    await sleep(10);
    await change({ ...world, applications: { claims: { workflows: ['other_*'] } } });
    open();
    expect((await first).kind).toBe('complete');
    expect(await second).toMatchObject({ kind: 'fail', error: { code: 'SUBJECT_UNKNOWN' } });
    expect(sent).toHaveLength(1);
  });

  it('goes out under the records as they are at its dispatch', async () => {
    const { run, sent, change, world, first, open } = await busyLane();
    const second = run({ prompt: 'second' });
    await sleep(10);
    const configuration = {
      maxConcurrency: 1,
      modelId: 'us.other:0',
      family: 'command-r',
      defaults: { temperature: 0.25 },
    };
    await change({ ...world, models: { ...world.models, [`prod:${COMMAND_R}`]: { configuration } } });
    open();
    await Promise.all([first, second]);
    expect(sent[1]).toMatchObject({ modelId: 'us.other:0', body: { message: 'second', temperature: 0.25 } });
  });

  it('is given back when the worker stops, while the one that runs goes on', async () => {
    const { run, sent, waiting, first, open } = await busyLane();
    const second = run({ prompt: 'second' });
    await sleep(10);
    waiting.abort(new Error('stopping'));
    expect(await second).toEqual({ kind: 'give-back', afterSeconds: 1 });
    open();
    expect((await first).kind).toBe('complete');
    await sleep(10);
    expect(sent).toHaveLength(1);
  });

  it('waits behind its own lane only: another model runs', async () => {
    const { run, sent, first, open } = await busyLane();
    const other = run({
      prompt: 'other',
      model: 'named-only',
      promptName: 'summarize',
      promptVariables: { text: 'x' },
    });
    await until(() => sent.length === 2);
    open();
    expect((await other).kind).toBe('complete');
    await first;
  });
});

describe('a catalog on which nothing can be decided', () => {
  it('sends tasks back unjudged, those too that waited in a lane', async () => {
    const { run, sent, denied, state, first, open } = await busyLane();
    const second = run({ prompt: 'second' });
    await sleep(10);
    state.mayDecide = false;
    expect(await run({ prompt: 'third', model: 'off' })).toEqual({ kind: 'give-back', afterSeconds: 5 });
    open();
    await first;
    const outcome = await Promise.race([second, sleep(1_000).then(() => 'never ended' as const)]);
    expect(outcome).toEqual({ kind: 'give-back', afterSeconds: 5 });
    expect(sent).toHaveLength(1);
    expect(denied).toEqual([]);
  });
});

describe('a task that has waited for its turn before', () => {
  const ticket = { taskId: 'task-1', lane: 'a', order: 1, firstThrottledAt: undefined, throttles: 0 };

  it('gives up its place where it is refused before its turn', async () => {
    const { run, change, forgotten } = await llmHandler('text');
    await change({ ...WORLD, grants: { 'USER:app:claims': {} } });
    expect((await run({ prompt: 'x' }, {}, { ticket })).kind).toBe('fail');
    expect(forgotten).toEqual(['task-1']);
  });

  it('gives up its place where an earlier run of it was answered', async () => {
    const { run, forgotten } = await llmHandler('text');
    const earlier = { kind: 'complete', output: { result: 'earlier' } } as const;
    expect(await run({ prompt: 'x' }, {}, { ticket, earlierAnswer: async () => earlier })).toBe(earlier);
    expect(forgotten).toEqual(['task-1']);
  });

  it('keeps its place where it goes back', async () => {
    const { run, state, forgotten } = await llmHandler('text');
    state.mayDecide = false;
    expect((await run({ prompt: 'x' }, {}, { ticket })).kind).toBe('give-back');
    expect(forgotten).toEqual([]);
  });
});
