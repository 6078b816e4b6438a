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
    const { state, updates } = await updatesOf({}, { lookAgainMs: 10 });
    expect(await updates.finish(BACK)).toBe(true);
    expect([state.status, stub.updates.length, stub.looks.length]).toEqual(['SCHEDULED', 1, 1]);
  });

  it('is not repeated before Conductor has said what became of it', async () => {
    const { stub, updatesOf } = world;
    stub.on.update = () => ({ cut: 'after' });
    let refusals = 0;
    stub.on.look = () => (refusals++ < 2 ? { status: 503 } : undefined);
    const { state, updates } = await updatesOf({}, { lookAgainMs: 10 });
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
    const { state, updates } = await updatesOf({}, { lookAgainMs: 10 });
    expect(await updates.finish(BACK)).toBe(true);
    expect([state.status, stub.updates.length]).toEqual(['SCHEDULED', 2]);
  });

  it('is looked for only when a slow Conductor has had time to do it', async () => {
    const { stub, updatesOf } = world;
    stub.on.update = () => ({ cut: 'amid', delayMs: 600 });
    const { state, updates } = await updatesOf({}, { lookAgainMs: 1_000 });
    expect(await updates.finish(BACK)).toBe(true);
    expect([state.status, stub.updates.length, stub.looks.length]).toEqual(['SCHEDULED', 1, 1]);
  });

  it('is looked for so late after a fault of the server, too, which may come after the deed', async () => {
    const { stub, updatesOf } = world;
    let faults = 0;
    stub.on.update = () => (faults++ === 0 ? { status: 504 } : undefined);
    const { state, updates } = await updatesOf({}, { lookAgainMs: 1_000 });
    const finished = updates.finish(BACK);
    await until(() => faults === 1);
    setTimeout(() => Object.assign(state, { status: 'SCHEDULED' }), 600);
    expect(await finished).toBe(true);
    expect(stub.updates).toHaveLength(1);
  });

  it('is sent again soon where it was refused before anything was done', async () => {
    const { stub, updatesOf } = world;
    let refusals = 0;
    stub.on.update = () => (refusals++ === 0 ? { status: 429 } : undefined);
    const { state, updates } = await updatesOf();
    expect(await updates.finish(BACK)).toBe(true);
    expect([state.status, stub.updates.length]).toEqual(['SCHEDULED', 2]);
  });
});

describe('a task whose claim could not be written', () => {
  const unclaimed = () => world.updatesOf({}, { claimed: false });

  it('is given back where Conductor shows it as it was polled', async () => {
    const { state, updates } = await unclaimed();
    expect(await updates.finish(BACK)).toBe(true);
    expect(state.status).toBe('SCHEDULED');
  });

  it.each<[string, object]>([
    ['another has polled it', { workerId: 'other/1', pollCount: 2 }],
    ['it waits in its queue', { status: 'SCHEDULED' }],
    ['it is over', { status: 'COMPLETED' }],
  ])('is let be where %s', async (_, change) => {
    const { stub, ledger } = world;
    const { taskId, state, updates } = await unclaimed();
    Object.assign(state, change);
    expect(await updates.finish(BACK)).toBe(true);
    expect([stub.updates, ledger.released]).toEqual([[], [taskId]]);
  });

  it('is let be once this worker was declared dead, whatever Conductor shows', async () => {
    const { stub, ledger } = world;
    const { updates } = await unclaimed();
    ledger.incarnation = 'tests/2';
    expect(await updates.finish(BACK)).toBe(true);
    // Not released either: whoever looks for lost tasks must find it.
    expect([stub.updates, stub.looks, ledger.released]).toEqual([[], [], []]);
  });

  it('waits for a Conductor that cannot be asked, and is not handed over where the worker must end first', async () => {
    const { stub, backlog, giveUp } = world;
    stub.on.look = () => ({ status: 503 });
    const { updates } = await unclaimed();
    const finished = updates.finish(BACK);
    await until(() => backlog.waiting === 1);
    giveUp.abort();
    expect(await finished).toBe(false);
    expect([stub.updates, backlog.waiting]).toEqual([[], 0]);
  });
});

describe('a task whose claim cannot be read, since Redis is away', () => {
  it.each([
    ['given back', BACK, 'SCHEDULED'],
    ['failed', FAILED, 'FAILED'],
  ])('is %s where Conductor shows it as it was polled, and let be where another has it', async (_, outcome, status) => {
    const { stub, ledger, updatesOf } = world;
    ledger.on.stillOurs = () => {
      throw new Error('Redis is away');
    };
    const [ours, others] = [await updatesOf(), await updatesOf()];
    Object.assign(others.state, { workerId: 'other/1', pollCount: 2 });
    expect([await ours.updates.finish(outcome), await others.updates.finish(outcome)]).toEqual([true, true]);
    expect(ours.state.status).toBe(status);
    expect(stub.updates.map(({ taskId }) => taskId)).toEqual([ours.taskId]);
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

  it('is not released by one who was declared dead meanwhile: nobody may have taken it over yet', async () => {
    const { stub, ledger, updatesOf } = world;
    const { updates } = await updatesOf();
    stub.on.update = () => {
      ledger.incarnation = 'tests/2';
      ledger.on.stillOurs = () => false;
      return { status: 503 };
    };
    expect(await updates.finish(FAILED)).toBe(true);
    expect(ledger.released).toEqual([]);
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
