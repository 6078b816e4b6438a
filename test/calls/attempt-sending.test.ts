import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, ServiceError } from '../../src/errors.ts';
import { CredentialsRefused } from '../../src/integrations/bedrock/client.ts';
import type { BedrockAnswer } from '../../src/integrations/codec.ts';
import type { IntegrationConfiguration } from '../../src/integrations/integration.ts';
import { until } from '../workers/support/harness.ts';
import { COMMAND_R, EMBED, llmHandler, TEXT_ANSWER, WORLD } from '../workers/support/llm.ts';

const embedWorld = {
  ...WORLD,
  models: { ...WORLD.models, [`prod:${EMBED}`]: { configuration: { maxConcurrencyPerWorker: 1 } } },
};
const vectorsFor = (body: Readonly<Record<string, unknown>>) => ({
  body: { embeddings: { float: (body['texts'] as string[]).map(() => [1]) } },
  tokens: { prompt: 1, completion: undefined },
});
const regionOf = (configuration: IntegrationConfiguration) => configuration.region;

/** A lane of one whose first call runs until `open()`; what comes meanwhile travels together. */
async function busyBatch(options: Parameters<typeof llmHandler>[1] = {}) {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const tools = await llmHandler('embeddings', {
    world: embedWorld,
    ...options,
    answer: async ({ body }) => {
      await gate;
      return vectorsFor(body);
    },
  });
  const ask = (text: string, more = {}) => tools.run({ model: EMBED, text }, {}, more);
  const first = ask('first');
  await until(() => tools.sent.length === 1);
  return { ...tools, ask, first, open };
}

describe('a request that several tasks share', () => {
  it('never goes out by a client of an earlier configuration, which some of them were not decided by', async () => {
    const { ask, change, clientsUsed, sent, first, open } = await busyBatch();
    const before = ask('before');
    await sleep(10);
    const moved = {
      type: 'aws_bedrock_cohere',
      configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'eu-west-1' },
    };
    await change({ ...embedWorld, integrations: { ...WORLD.integrations, prod: moved } });
    const after = ask('after');
    await sleep(10);
    open();
    expect((await Promise.all([first, before, after])).map(({ kind }) => kind)).toEqual(Array(3).fill('complete'));
    const regions = sent.map(({ body }, call) => [
      body['texts'],
      regionOf(clientsUsed[call] as IntegrationConfiguration),
    ]);
    expect(regions[0]).toEqual([['first'], 'us-east-1']);
    expect(regions.slice(1).every(([, region]) => region === 'eu-west-1')).toBe(true);
  });

  it('is not ended by the deadline of the task that leads it', async () => {
    let isSlow = false;
    const late = new ServiceError('TASK_TIMED_OUT', 'its time is over');
    const { ask, first, open } = await busyBatch({
      ready: async (signal) => {
        if (!isSlow) return;
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      },
    });
    const running = new AbortController();
    const [head, other] = [ask('head', { running: running.signal }), ask('other')];
    await sleep(10);
    isSlow = true;
    open();
    await first;
    await sleep(10);
    isSlow = false;
    running.abort(late);
    expect(await head).toEqual({ kind: 'fail', error: late });
    expect((await other).kind).toBe('complete');
  });
});

describe('a task whose turn has come', () => {
  /** One task whose credentials are fetched until `open()`. */
  async function preparing() {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let begun = false;
    const tools = await llmHandler('text', {
      ready: () => {
        begun = true;
        return gate;
      },
    });
    const ended = tools.run({ prompt: 'hello' });
    await until(() => begun);
    return { ...tools, ended, open };
  }

  it('goes back unsent where others have it by the time its credentials are there', async () => {
    const { waiting, sent, ended, open } = await preparing();
    waiting.abort(new Error('others have this task'));
    open();
    expect(await ended).toEqual({ kind: 'give-back', afterSeconds: 1 });
    expect(sent).toEqual([]);
  });

  it('waits unsent while this worker may be taken for dead, and is sent once it is known to live', async () => {
    const { laneState, lanes, sent, ended, open } = await preparing();
    laneState.mayStart = false;
    open();
    await sleep(50);
    expect(sent).toEqual([]);
    laneState.mayStart = true;
    lanes.start();
    expect((await ended).kind).toBe('complete');
    expect(sent).toHaveLength(1);
    lanes.stop();
  });
});

describe('a task whose integration is changed while it waits', () => {
  const oneAtOnce = { [`prod:${COMMAND_R}`]: { configuration: { maxConcurrencyPerWorker: 1 } } };
  const world = { ...WORLD, models: { ...WORLD.models, ...oneAtOnce } };

  it('asks for the credentials of the integration as it is now, though those of before are gone', async () => {
    const gate = Promise.withResolvers<void>();
    const regions: string[] = [];
    const { run, sent, change } = await llmHandler('text', {
      world,
      ready(_, { configuration }) {
        regions.push(configuration.region);
        if (sent.length > 0 && configuration.region === 'us-east-1') {
          throw new ServiceError('SECRET_UNAVAILABLE', 'the variable OLD is not set');
        }
      },
      answer: () => gate.promise.then(() => TEXT_ANSWER),
    });
    const first = run({ prompt: 'first' });
    await until(() => sent.length === 1);
    const second = run({ prompt: 'second' });
    await sleep(10);
    const configuration = { connectionType: 'CONDUCTOR_ROLE', region: 'eu-west-1' };
    await change({
      ...world,
      integrations: { ...WORLD.integrations, prod: { type: 'aws_bedrock_cohere', configuration } },
    });
    gate.resolve();
    expect((await Promise.all([first, second])).map(({ kind }) => kind)).toEqual(['complete', 'complete']);
    expect(regions).toEqual(['us-east-1', 'eu-west-1']);
  });
});

describe('a task whose credentials were refused', () => {
  it('is stopped where its right is revoked while others are fetched', async () => {
    const renewal = Promise.withResolvers<void>();
    const used = { accessKeyId: 'AKIAOLD', secretAccessKey: 'x' };
    const asked: (CredentialsRefused | undefined)[] = [];
    const { run, sent, change } = await llmHandler('text', {
      async ready(_, { refused }) {
        asked.push(refused);
        if (refused !== undefined) await renewal.promise;
      },
      answer: () => {
        if (sent.length === 1) throw new CredentialsRefused(used, new Error('ExpiredTokenException'));
        return TEXT_ANSWER;
      },
    });
    const outcome = run({ prompt: 'hello' });
    await until(() => asked.length === 2);
    expect(asked[1]?.used).toBe(used);
    await change({ ...WORLD, grants: { 'USER:app:claims': {} } });
    renewal.resolve();
    expect(await outcome).toMatchObject({ kind: 'fail', error: { code: 'PERMISSION_DENIED' } });
    expect(sent).toHaveLength(1);
  });
});

describe('what a call takes of a limit of tokens', () => {
  const world = {
    ...WORLD,
    models: { ...WORLD.models, [`prod:${COMMAND_R}`]: { configuration: { tokensPerMinute: 10_000 } } },
  };
  const tokensOf = async (answer: () => BedrockAnswer) => {
    const { run, released } = await llmHandler('text', { world, answer });
    await run({ prompt: 'hello' });
    return released.map(({ tokens }) => tokens);
  };

  it('is what Bedrock counted', async () => {
    expect(await tokensOf(() => TEXT_ANSWER)).toEqual([12]);
  });

  it('stays what was estimated where Bedrock counted nothing', async () => {
    expect(await tokensOf(() => ({ ...TEXT_ANSWER, tokens: {} }))).toEqual([undefined]);
  });

  it('is nothing where it was not sent: its credentials could not be had', async () => {
    const failure = new ServiceError('BEDROCK_UNAVAILABLE', 'STS is away');
    const { run, released, sent } = await llmHandler('text', { world, ready: () => Promise.reject(failure) });
    expect(await run({ prompt: 'hello' })).toEqual({ kind: 'fail', error: failure });
    expect(released.map(({ tokens }) => tokens)).toEqual([0]);
    expect(sent).toEqual([]);
  });

  it('is nothing where it was not sent: its turn was over before', async () => {
    let turns = 0;
    const tools = await llmHandler('text', {
      world,
      ready: () => {
        turns += 1;
        tools.laneState.holds = turns > 1;
      },
    });
    expect((await tools.run({ prompt: 'hello' })).kind).toBe('complete');
    expect(tools.released.map(({ tokens }) => tokens)).toEqual([0, 12]);
    expect(tools.sent).toHaveLength(1);
  });

  it('is nothing where Bedrock refused it at the door', async () => {
    const refused = (code: ErrorCode) => () => {
      throw new ServiceError(code, 'refused');
    };
    expect(await tokensOf(refused('REQUEST_REFUSED'))).toEqual([0]);
    expect(await tokensOf(refused('MODEL_TIMEOUT'))).toEqual([undefined]);
  });
});
