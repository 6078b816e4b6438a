import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import type { Outcome } from '../../../src/workers/conductor/outcome.ts';
import { until } from '../support/harness.ts';
import { updatesOverHttp } from './support/updates.ts';

const BACK: Outcome = { kind: 'give-back', afterSeconds: 1 };
const FAILED: Outcome = { kind: 'fail', error: new ServiceError('BEDROCK_UNAVAILABLE', 'away') };
const DONE: Outcome = { kind: 'complete', output: { result: 'text' } };

let world: Awaited<ReturnType<typeof updatesOverHttp>>;
beforeEach(async () => {
  world = await updatesOverHttp();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('a give-back whose answer was lost', () => {
  it('is not repeated where it arrived: somebody else may run the task by now', async () => {
    const { stub, updatesOf } = world;
    stub.on.update = () => ({ cut: 'after' });
    const { state, updates } = await updatesOf();
    expect(await updates.finish(BACK)).toBe(true);
    expect([state.status, stub.updates.length, stub.looks.length]).toEqual(['SCHEDULED', 1, 1]);
  });

  it('is not repeated before Conductor has said what became of it', async () => {
    const { stub, updatesOf } = world;
    stub.on.update = () => ({ cut: 'after' });
    let refusals = 0;
    stub.on.look = () => (refusals++ < 2 ? { status: 503 } : undefined);
    const { state, updates } = await updatesOf();
    const finished = updates.finish(BACK);
    await until(() => refusals > 0, 10_000);
    // Another has polled it while nobody could be asked.
    Object.assign(state, { status: 'IN_PROGRESS', workerId: 'other/1', pollCount: 2 });
    expect(await finished).toBe(true);
    expect(stub.updates).toHaveLength(1);
    expect(state).toMatchObject({ status: 'IN_PROGRESS', workerId: 'other/1' });
  });

  it('is repeated where it did not arrive', async () => {
    const { stub, updatesOf } = world;
    let cuts = 0;
    stub.on.update = () => (cuts++ === 0 ? { cut: 'before' } : undefined);
    const { state, updates } = await updatesOf();
    expect(await updates.finish(BACK)).toBe(true);
    expect([state.status, stub.updates.length]).toEqual(['SCHEDULED', 2]);
  });
});

describe('a task that another worker has claimed', () => {
  it.each([
    ['given back', BACK],
    ['failed', FAILED],
  ])('is not %s by us', async (_, outcome) => {
    const { stub, ledger, updatesOf } = world;
    const { updates } = await updatesOf();
    ledger.on.stillOurs = () => false;
    expect(await updates.finish(outcome)).toBe(true);
    expect(stub.updates).toEqual([]);
  });

  it('is not failed by us, where it was claimed while Conductor was away', async () => {
    const { stub, ledger, updatesOf } = world;
    const { updates } = await updatesOf();
    stub.on.update = () => {
      ledger.on.stillOurs = () => false;
      return { status: 503 };
    };
    expect(await updates.finish(FAILED)).toBe(true);
    expect(stub.updates).toHaveLength(1);
  });

  it('is not kept alive by us', async () => {
    const { stub, ledger, updatesOf } = world;
    let asked = 0;
    ledger.on.stillOurs = () => {
      asked += 1;
      return false;
    };
    await updatesOf({ taskDefinition: { responseTimeoutSeconds: 0.02 } });
    await until(() => asked > 0);
    expect(stub.updates).toEqual([]);
  });

  it('is completed by us all the same: an answer is an answer', async () => {
    const { ledger, updatesOf } = world;
    ledger.on.stillOurs = () => false;
    const { state, updates } = await updatesOf();
    expect(await updates.finish(DONE)).toBe(true);
    expect(state.status).toBe('COMPLETED');
  });
});
