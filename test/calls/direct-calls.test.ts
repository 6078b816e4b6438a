import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CallParts } from '../../src/calls/call.ts';
import { createDirectCalls, type DirectCallsParts } from '../../src/calls/direct-calls.ts';
import { generateEmbeddings } from '../../src/calls/kinds/generate-embeddings.ts';
import { textComplete } from '../../src/calls/kinds/text-complete.ts';
import { createLaneLimits } from '../../src/calls/lane-limits.ts';
import type { CallKind } from '../../src/calls/plan.ts';
import { ServiceError } from '../../src/errors.ts';
import type { BedrockAnswer, BedrockCall } from '../../src/integrations/codec.ts';
import { applicationUser } from '../../src/rbac/subject.ts';
import { type SoloOptions, soloLanes } from '../integrations/lanes/support/solo-lanes.ts';
import { soloLimits } from '../limits/support/solo-limits.ts';
import { silentMetrics, until } from '../workers/support/harness.ts';
import { COMMAND_R, EMBED, snapshotOf, TEXT_ANSWER, WORLD, type World } from '../workers/support/llm.ts';

type Send = (signal: AbortSignal, call: BedrockCall) => BedrockAnswer | Promise<BedrockAnswer>;

async function directCalls(
  send: Send,
  {
    lanes: laneOptions = {},
    ...more
  }: Partial<Omit<DirectCallsParts, 'lanes'>> & { readonly lanes?: SoloOptions } = {},
) {
  let snapshot = await snapshotOf(WORLD);
  const world = { mayDecide: true, sent: 0, readyInMs: 0 };
  const tokenLimits = soloLimits();
  const solo = soloLanes({ limitsOf: createLaneLimits(() => snapshot), ...laneOptions });
  const client = {
    ready: () => sleep(world.readyInMs),
    close: async () => undefined,
    async send({ signal, call }: { readonly signal: AbortSignal; readonly call: BedrockCall }) {
      world.sent += 1;
      return await send(signal, call);
    },
  };
  const parts: CallParts = {
    catalog: () => snapshot,
    mayDecide: () => world.mayDecide,
    clients: { withClient: (_, __, use) => use(client), keepOnly: () => undefined, close: async () => undefined },
    metrics: silentMetrics(),
    usage: { record: tokenLimits.record },
    limits: tokenLimits.limits,
    mode: 'enforce',
    denials: { record: () => undefined, flush: async () => undefined },
    lanes: solo.lanes,
  };
  const calls = createDirectCalls({ ...parts, ...more });
  const gone = new AbortController();
  return {
    ...{ world, solo, calls, gone, tokenLimits },
    async change(records: World) {
      snapshot = await snapshotOf(records, snapshot.parts);
    },
    run: (input: Record<string, unknown> = {}, kind: CallKind = textComplete) =>
      calls.run({
        kind,
        input: { llmProvider: 'prod', model: COMMAND_R, prompt: 'Hi', ...input },
        subject: () => ({ kind: 'known', subject: applicationUser('claims'), source: 'token', mayBeAdmin: true }),
        signal: gone.signal,
      }),
  };
}

/** Until its signal is aborted. */
const forever: Send = (signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
const throttled: Send = () => {
  throw new ServiceError('THROTTLED', 'too many');
};
/** One call at once over the cluster, and nobody is admitted. */
const FULL = { limits: { concurrency: 1 }, limitsOf: undefined, granted: () => 0 } as unknown as SoloOptions;

describe('a direct call', () => {
  it('brings what the model answered', async () => {
    const { run } = await directCalls(() => TEXT_ANSWER);
    expect(await run()).toMatchObject({ output: { result: 'an answer' }, tokens: { prompt: 5, completion: 7 } });
  });

  it('brings what a task’s log would have of it', async () => {
    const { run } = await directCalls(() => TEXT_ANSWER);
    expect((await run()).notes).toEqual([]);
    expect((await run({ promptVariables: { a: 'SEKRET' } })).notes).toEqual([
      'The variable "a" is not in the text and was not used.',
    ]);
  });

  it('of a list that no request holds goes out whole, in several', async () => {
    const { run, world } = await directCalls((_, call) => {
      if (call.operation !== 'InvokeModel') throw new Error('the family is invoked');
      const vectors = (call.body['texts'] as string[]).map((text) => [Number(text)]);
      return { body: { embeddings: { float: vectors } }, tokens: { prompt: 4 } };
    });
    const texts = Array.from({ length: 97 }, (_, index) => String(index));
    const { output, tokens } = await run({ model: EMBED, prompt: undefined, texts }, generateEmbeddings);
    expect(output['result']).toEqual(texts.map((text) => [Number(text)]));
    expect(tokens).toEqual({ prompt: 8 });
    expect(world.sent).toBe(2);
  });

  it('that finds no place in its time ends with when to try again, and is not put off', async () => {
    const { run, world, solo } = await directCalls(() => TEXT_ANSWER, { waitAtMostMs: 30, lanes: FULL });
    await expect(run()).rejects.toMatchObject({ code: 'MODEL_BUSY', retryable: true, retryAfterSeconds: 10 });
    expect(world.sent).toBe(0);
    expect(solo.deferrals).toEqual([]);
    expect(solo.admissions.length).toBeGreaterThan(1);
  });

  it('may take longer for its credentials than it may stand in line: that is no wait for a place', async () => {
    const { run, world } = await directCalls(() => TEXT_ANSWER, { waitAtMostMs: 20 });
    world.readyInMs = 60;
    expect(await run()).toMatchObject({ output: { result: 'an answer' } });
    expect(world.sent).toBe(1);
  });

  it('that Bedrock throttles is told so at once, with when to try again, and its lane is told', async () => {
    const { run, solo, world } = await directCalls(throttled);
    await expect(run()).rejects.toMatchObject({ code: 'THROTTLED', retryAfterSeconds: 2 });
    expect(solo.throttles).toEqual([`prod:${COMMAND_R}`]);
    expect(world.sent).toBe(1);
  });

  it('is decided again when it gets its place: a right that is gone meanwhile stops it', async () => {
    const places = { free: 0 };
    const lanes = { ...FULL, granted: () => places.free };
    const { run, world, change, solo } = await directCalls(() => TEXT_ANSWER, { lanes });
    const made = run();
    const refused = expect(made).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await until(() => solo.admissions.length > 0);
    await change({ ...WORLD, grants: { 'USER:app:claims': {} } });
    places.free = 1;
    await refused;
    expect(world.sent).toBe(0);
  });

  it('is not decided on what may be out of date', async () => {
    const { run, world } = await directCalls(() => TEXT_ANSWER);
    world.mayDecide = false;
    await expect(run()).rejects.toMatchObject({ code: 'UNREACHABLE', retryAfterSeconds: 1 });
  });

  it('is one of so many at once, those that wait among them', async () => {
    const { run, gone } = await directCalls(() => TEXT_ANSWER, { atOnce: 2, lanes: FULL });
    const waiting = [run(), run()].map((call) => call.catch(() => 'over'));
    await expect(run()).rejects.toMatchObject({ code: 'MODEL_BUSY', retryAfterSeconds: 10 });
    gone.abort();
    expect(await Promise.all(waiting)).toEqual(['over', 'over']);
  });

  it.each([
    ['waits', FULL],
    ['runs', {}],
  ])('that %s ends when whoever made it goes', async (_, lanes) => {
    const { run, gone } = await directCalls(forever, { lanes });
    const made = run();
    const ended = expect(made).rejects.toThrow('gone');
    await sleep(20);
    gone.abort(new Error('gone'));
    await ended;
  });
});

describe('a stop', () => {
  it('ends what waits at once and what runs when its time is over, and takes nothing more', async () => {
    const waits = await directCalls(() => TEXT_ANSWER, { lanes: FULL });
    const waiting = expect(waits.run()).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
    await waits.calls.stop(60_000);
    await waiting;
    await expect(waits.run()).rejects.toMatchObject({ code: 'UNREACHABLE' });

    const runs = await directCalls(forever);
    const running = expect(runs.run()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await until(() => runs.world.sent === 1);
    await runs.calls.stop(20);
    await running;
  });

  it('waits for what runs', async () => {
    const { promise: answer, resolve } = Promise.withResolvers<BedrockAnswer>();
    const { run, calls, world } = await directCalls(() => answer);
    const made = run();
    await until(() => world.sent === 1);
    const stopped = calls.stop(60_000);
    resolve(TEXT_ANSWER);
    expect(await made).toMatchObject({ output: { result: 'an answer' } });
    await stopped;
  });
});
