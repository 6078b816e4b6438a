import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { until } from '../workers/support/harness.ts';
import { EMBED, errorOf, llmHandler, outputOf, type Sent, WORLD } from '../workers/support/llm.ts';

const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);
const textsOf = ({ body }: Sent) => body['texts'] as string[];
/** The vector of `text 7` is [7]. */
const vectorsOf = (sent: Sent) => textsOf(sent).map((text) => [Number(text.slice(5))]);
const answerOf = (sent: Sent, tokens: { prompt?: number } = { prompt: textsOf(sent).length }) => ({
  body: { embeddings: { float: vectorsOf(sent) } },
  tokens,
});
const vectors = (count: number) => Array.from({ length: count }, (_, index) => [index]);
const worldWith = (configuration: Record<string, unknown>) => ({
  ...WORLD,
  models: { ...WORLD.models, [`prod:${EMBED}`]: { configuration } },
});
const throttled = () => new ServiceError('THROTTLED', 'slow down');

describe('texts that one request does not hold', () => {
  it('go in several of at most 96, and come back as one list in order, whichever is answered first', async () => {
    const gates: (() => void)[] = [];
    const { run, sent, used } = await llmHandler('embeddings', {
      async answer(one) {
        if (sent.length > 1) await new Promise<void>((resolve) => gates.push(resolve));
        return answerOf(one);
      },
    });
    const outcome = run({ model: EMBED, texts: texts(250) });
    await until(() => gates.length === 2);
    for (const open of gates.reverse()) open();
    expect(outputOf(await outcome)).toEqual({ result: vectors(250), promptTokens: 250, tokenUsed: 250 });
    expect(sent.map((one) => textsOf(one).length)).toEqual([96, 96, 58]);
    // Each request is a use of its own, counted when it is answered.
    expect(used.map(({ tokens }) => tokens.prompt)).toEqual([96, 58, 96]);
  });

  it('are divided by the size of the body, too, and one that is larger by itself goes alone', async () => {
    const { run, sent } = await llmHandler('embeddings', {
      answer: (one) => ({ body: { embeddings: textsOf(one).map(() => [1]) }, tokens: {} }),
    });
    const given = ['x'.repeat(400_000), 'y'.repeat(400_000), 'é'.repeat(200_000), 'z'.repeat(1_500_000), 'w'];
    await run({ model: EMBED, texts: given });
    expect(sent.map((one) => textsOf(one).map((text) => text[0]))).toEqual([['x', 'y'], ['é'], ['z'], ['w']]);
  });

  it('wait for the first to be answered, then go some at a time', async () => {
    const gates: (() => void)[] = [];
    const { run, sent } = await llmHandler('embeddings', {
      async answer(one) {
        await new Promise<void>((resolve) => gates.push(resolve));
        return answerOf(one);
      },
    });
    const outcome = run({ model: EMBED, texts: texts(96 * 12) });
    await until(() => gates.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent).toHaveLength(1);
    gates[0]?.();
    await until(() => gates.length === 9);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent).toHaveLength(9);
    let opened = 1;
    while (sent.length < 12 || opened < 12) {
      await until(() => gates.length > opened);
      gates[opened]?.();
      opened += 1;
    }
    expect(outputOf(await outcome)['result']).toEqual(vectors(96 * 12));
  });

  it('go with those of other tasks within what the worker may have open beside its tasks', async () => {
    let [running, most] = [0, 0];
    const { run } = await llmHandler('embeddings', {
      furtherAtOnce: 3,
      async answer(one) {
        const isFurther = !textsOf(one).includes('text 0');
        if (isFurther) running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        if (isFurther) running -= 1;
        return answerOf(one);
      },
    });
    const lists = await Promise.all(Array.from({ length: 4 }, () => run({ model: EMBED, texts: texts(96 * 4) })));
    for (const list of lists) expect(outputOf(list)['result']).toEqual(vectors(96 * 4));
    expect(most).toBe(3);
  });

  it('hold up no other model’s', async () => {
    const other = 'cohere.embed-english-v3';
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { run, sent } = await llmHandler('embeddings', {
      world: { ...WORLD, models: { ...WORLD.models, [`prod:${other}`]: {} } },
      furtherAtOnce: 1,
      async answer(one) {
        if (one.modelId === EMBED && !textsOf(one).includes('text 0')) await opened;
        return answerOf(one);
      },
    });
    const held = [run({ model: EMBED, texts: texts(200) }), run({ model: EMBED, texts: texts(200) })];
    await until(() => sent.length === 3);
    expect(outputOf(await run({ model: other, texts: texts(200) }))['result']).toEqual(vectors(200));
    expect(sent.filter(({ modelId }) => modelId === EMBED)).toHaveLength(3);
    open();
    for (const list of await Promise.all(held)) expect(outputOf(list)['result']).toEqual(vectors(200));
  });

  it('are each admitted by the limits of the model', async () => {
    let [running, most] = [0, 0];
    const { run, released } = await llmHandler('embeddings', {
      world: worldWith({ maxConcurrency: 2, maxConcurrencyPerWorker: 1 }),
      async answer(one) {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running -= 1;
        return answerOf(one);
      },
    });
    outputOf(await run({ model: EMBED, texts: texts(400) }));
    expect(most).toBe(1);
    // A lease each, paid back with what its own request took.
    expect(released.map(({ tokens }) => tokens)).toEqual([96, 96, 96, 96, 16]);
  });

  it('have no count of tokens where one of them was not counted', async () => {
    const { run } = await llmHandler('embeddings', {
      answer: (one) => answerOf(one, textsOf(one).length === 96 ? { prompt: 96 } : {}),
    });
    expect(outputOf(await run({ model: EMBED, texts: texts(100) }))).toEqual({ result: vectors(100) });
  });
});

describe('a task of several requests that Bedrock throttles', () => {
  it('is put off before anything is paid for', async () => {
    const { run, sent, deferrals } = await llmHandler('embeddings', {
      answer: () => {
        throw throttled();
      },
    });
    expect((await run({ model: EMBED, texts: texts(200) })).kind).toBe('give-back');
    expect(sent).toHaveLength(1);
    expect(deferrals).toHaveLength(1);
  });

  it('waits and goes on once it has begun to pay: what was answered is not asked for again', async () => {
    let refusals = 0;
    const { run, sent, deferrals } = await llmHandler('embeddings', {
      answer: (one) => {
        if (textsOf(one)[0] === 'text 96' && refusals === 0) {
          refusals += 1;
          throw throttled();
        }
        return answerOf(one);
      },
    });
    expect(outputOf(await run({ model: EMBED, texts: texts(200) }))['result']).toEqual(vectors(200));
    expect(deferrals).toEqual([]);
    expect(sent.map((one) => textsOf(one)[0]).sort()).toEqual(['text 0', 'text 192', 'text 96', 'text 96']);
  });

  it('fails in the end where Bedrock never stops', async () => {
    const { run } = await llmHandler('embeddings', {
      world: worldWith({ maxDeferralSeconds: 1 }),
      answer: (one) => {
        if (textsOf(one)[0] !== 'text 0') throw throttled();
        return answerOf(one);
      },
    });
    expect(errorOf(await run({ model: EMBED, texts: texts(100) }))).toMatchObject({ code: 'THROTTLED' });
  }, 20_000);
});

describe('a task one of whose requests fails', () => {
  it('tries a passing fault again, and pays for no other request twice', async () => {
    let failures = 0;
    const { run, sent } = await llmHandler('embeddings', {
      answer: (one) => {
        if (textsOf(one)[0] === 'text 96' && failures < 2) {
          failures += 1;
          throw new ServiceError('BEDROCK_UNAVAILABLE', 'a hiccup');
        }
        return answerOf(one);
      },
    });
    expect(outputOf(await run({ model: EMBED, texts: texts(200) }))['result']).toEqual(vectors(200));
    expect(sent.map((one) => textsOf(one)[0]).filter((text) => text !== 'text 96')).toEqual(['text 0', 'text 192']);
  });

  it('ends with its error, breaks the others off and sends no more', async () => {
    let brokenOff = 0;
    const { run, sent } = await llmHandler('embeddings', {
      async answer(one, signal) {
        if (textsOf(one)[0] === 'text 0') return answerOf(one);
        if (textsOf(one)[0] === 'text 192') throw new ServiceError('REQUEST_REFUSED', 'too many tokens');
        return await new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            brokenOff += 1;
            reject(signal.reason);
          });
        });
      },
    });
    expect(errorOf(await run({ model: EMBED, texts: texts(96 * 20) }))).toMatchObject({
      code: 'REQUEST_REFUSED',
      message: 'too many tokens',
    });
    expect(sent.length).toBeLessThanOrEqual(9);
    expect(brokenOff).toBe(sent.length - 2);
  });
});

describe('a task of several requests whose records change after the first', () => {
  /** What happens while the first of two requests is answered. */
  async function changing(change: (tools: Awaited<ReturnType<typeof llmHandler>>) => Promise<void> | void) {
    const tools = await llmHandler('embeddings', {
      world: worldWith({ defaults: { dimensions: 512 } }),
      async answer(one) {
        if (tools.sent.length === 1) await change(tools);
        return answerOf(one);
      },
    });
    return { tools, outcome: await tools.run({ model: EMBED, texts: texts(100) }) };
  }

  it('is stopped where its right is revoked', async () => {
    const { tools, outcome } = await changing(({ change }) => change({ ...WORLD, grants: { 'USER:app:claims': {} } }));
    expect(errorOf(outcome)).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(tools.sent).toHaveLength(1);
  });

  it('begins anew where its vectors would be of another kind, so that none are mixed', async () => {
    const { tools, outcome } = await changing(({ change }) => change(worldWith({ defaults: { dimensions: 256 } })));
    expect(outputOf(outcome)['result']).toEqual(vectors(100));
    expect(tools.sent.map(({ body }) => [textsOf({ modelId: '', body }).length, body['output_dimension']])).toEqual([
      [96, 512],
      [96, 256],
      [4, 256],
    ]);
  });

  it('begins anew at another model, too', async () => {
    const { tools } = await changing(({ change }) =>
      change(worldWith({ defaults: { dimensions: 512 }, modelId: `us.${EMBED}` })),
    );
    expect(tools.sent.map(({ modelId }) => modelId)).toEqual([EMBED, `us.${EMBED}`, `us.${EMBED}`]);
  });

  it('goes on where nothing changed that matters to it', async () => {
    const { tools, outcome } = await changing(({ change }) =>
      change(worldWith({ defaults: { dimensions: 512 }, maxConcurrencyPerWorker: 3 })),
    );
    expect(outputOf(outcome)['result']).toEqual(vectors(100));
    expect(tools.sent).toHaveLength(2);
  });

  it('goes back, unjudged, where the worker stops before all is sent', async () => {
    const { tools, outcome } = await changing(({ waiting }) => waiting.abort(new Error('stopping')));
    expect(outcome).toEqual({ kind: 'give-back', afterSeconds: 1 });
    expect(tools.sent).toHaveLength(1);
  });
});
