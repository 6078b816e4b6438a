import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/workers/conductor/outcome.ts';
import { until } from '../support/harness.ts';
import { updatesOverHttp } from './support/updates.ts';

const DONE: Outcome = { kind: 'complete', output: { result: 'text' } };

let world: Awaited<ReturnType<typeof updatesOverHttp>>;
beforeEach(async () => {
  world = await updatesOverHttp();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('an answer', () => {
  it('that Conductor takes at once is written nowhere else', async () => {
    const { ledger, backlog, updatesOf } = world;
    let writes = 0;
    ledger.on.keep = () => {
      writes += 1;
    };
    const { taskId, updates } = await updatesOf();
    expect(await updates.finish(DONE)).toBe(true);
    expect([writes, ledger.released, backlog.room()]).toEqual([0, [taskId], 1_000]);
  });

  it('that Conductor has not confirmed soon is kept, and dropped once it has', async () => {
    const { stub, ledger, backlog, updatesOf } = world;
    const { promise, resolve } = Promise.withResolvers<void>();
    stub.on.update = () => ({ until: promise });
    const { taskId, updates } = await updatesOf();
    const finished = updates.finish(DONE);
    await until(() => ledger.answers.has(taskId));
    expect(backlog.room()).toBe(999);
    resolve();
    expect(await finished).toBe(true);
    expect([stub.updates.length, ledger.delivered, backlog.room()]).toEqual([1, [[taskId, 0]], 1_000]);
  });

  it('that Conductor refused at first is kept before it is sent again', async () => {
    const { stub, ledger, updatesOf } = world;
    const keptAt: boolean[] = [];
    stub.on.update = ({ taskId }) => {
      keptAt.push(ledger.answers.has(taskId));
      return keptAt.length === 1 ? { status: 503 } : undefined;
    };
    const { updates } = await updatesOf();
    expect(await updates.finish(DONE)).toBe(true);
    expect(keptAt).toEqual([false, true]);
  });

  it('that is not confirmed when the worker must stop is kept at once', async () => {
    const { stub, ledger, stopping, updatesOf } = world;
    stub.on.update = () => ({ hang: true });
    const { taskId, updates } = await updatesOf();
    void updates.finish(DONE);
    await until(() => stub.updates.length === 1);
    stopping.abort();
    // In the same turn of the event loop, long before it would be late.
    expect(ledger.answers.has(taskId)).toBe(true);
  });

  it('of a task that was over is kept for a retry: its delay and ten minutes more', async () => {
    const { stub, ledger, updatesOf } = world;
    let refusals = 0;
    stub.on.update = () => (refusals++ === 0 ? { status: 503 } : undefined);
    const { taskId, state, updates } = await updatesOf({
      taskDefinition: { retryDelaySeconds: 30, responseTimeoutSeconds: 0 },
    });
    state.status = 'TIMED_OUT';
    expect(await updates.finish(DONE)).toBe(true);
    expect(ledger.delivered).toEqual([[taskId, 630]]);
  });
});
