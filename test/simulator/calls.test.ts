import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createCalls } from '../../simulator/calls.ts';
import { ENVIRONMENT_CREDENTIALS } from '../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import { bedrockClient, refusal, stsClient } from './clients.ts';

const MODEL = 'cohere.embed-english-v3';
const EMBED = { texts: ['one'], input_type: 'search_document' };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.reset());
afterAll(() => simulator.close());

describe('calls', () => {
  test('are recorded with who, what, where and how it went', async () => {
    const { invoke } = bedrockClient(simulator, { region: 'eu-west-1' });
    await invoke(MODEL, EMBED);
    await refusal(invoke(MODEL, { texts: [] }));
    await stsClient(simulator).send(new GetCallerIdentityCommand({}));
    const { calls, models, totals } = simulator.calls();
    const bedrock = { operation: 'InvokeModel', modelId: MODEL, region: 'eu-west-1', overlapping: 1, aborted: false };
    expect(calls).toMatchObject([
      { ...bedrock, accessKeyId: ENVIRONMENT_CREDENTIALS.accessKeyId, status: 200, error: null, body: EMBED },
      { ...bedrock, status: 400, error: 'ValidationException', body: { texts: [] } },
      { operation: 'GetCallerIdentity', modelId: 'sts', status: 200, body: { Version: '2011-06-15' } },
    ]);
    expect(models[MODEL]).toMatchObject({ calls: 2, succeeded: 1, failed: 1, errors: { ValidationException: 1 } });
    expect(totals).toMatchObject({ calls: 3, inFlight: 0 });
  });

  test('of one model tell how many were in flight at once, and never more when one follows another', async () => {
    simulator.setLatency(MODEL, 30);
    const { invoke } = bedrockClient(simulator);
    const lane = async () => {
      for (let call = 0; call < 5; call += 1) await invoke(MODEL, EMBED);
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    expect(simulator.calls({ limit: 0 })).toMatchObject({
      calls: [],
      models: { [MODEL]: { calls: 40, succeeded: 40, maxInFlight: 8, inFlight: 0 } },
    });
  });

  test('that the caller gives up are no longer in flight', async () => {
    simulator.setLatency(MODEL, 60_000);
    const call = bedrockClient(simulator).invoke(MODEL, EMBED, AbortSignal.timeout(100));
    await vi.waitFor(() => expect(simulator.calls().totals.inFlight).toBe(1));
    expect(await refusal(call)).toMatchObject({ name: 'AbortError' });
    await vi.waitFor(() => expect(simulator.calls().totals).toMatchObject({ inFlight: 0, aborted: 1, failed: 0 }));
  });
});

describe('the record', () => {
  test('keeps the last 10,000 calls, and counts all', () => {
    const calls = createCalls();
    const one = { operation: 'InvokeModel', modelId: 'm', body: null, bodyBytes: 1 };
    for (let call = 0; call < 10_050; call += 1) calls.begin(one).answered(200);
    const report = calls.report();
    expect(report.calls).toHaveLength(10_000);
    expect(report.calls.at(0)?.sequence).toBe(51);
    expect(report.totals.calls).toBe(10_050);
  });

  test('lets the oldest calls go when their bodies grow too large', () => {
    const calls = createCalls();
    for (let call = 0; call < 5; call += 1) {
      calls.begin({ operation: 'InvokeModel', modelId: 'm', body: call, bodyBytes: 20 * 1024 * 1024 }).answered(200);
    }
    expect(calls.report().calls.map(({ body }) => body)).toEqual([2, 3, 4]);
  });

  test('can be cleared while calls are in flight', () => {
    const calls = createCalls();
    const open = calls.begin({ operation: 'InvokeModel', modelId: 'm', body: null, bodyBytes: 0 });
    calls.clear();
    expect(calls.report()).toMatchObject({ calls: [], models: { m: { calls: 0, inFlight: 1, maxInFlight: 1 } } });
    open.answered(200);
    open.closed();
    expect(calls.report().models['m']).toMatchObject({ inFlight: 0, succeeded: 1, aborted: 0 });
  });
});
