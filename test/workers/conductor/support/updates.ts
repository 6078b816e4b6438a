/** The updates of one task over real HTTP against the stub, with a ledger whose answers a test chooses. */
import { createBacklog } from '../../../../src/workers/backlog.ts';
import { startUpdates, type TaskUpdatesParts } from '../../../../src/workers/conductor/task-updates.ts';
import { connect, polled } from '../../support/harness.ts';
import { soloLedger } from '../../support/solo-ledger.ts';
import { startStubConductor } from '../../support/stub-conductor.ts';

const WORKER = 'tests/1';

/** A stub, a client of it and a ledger; `updatesOf` polls a task as this worker would and starts its updates. */
export async function updatesOverHttp() {
  const stub = await startStubConductor();
  const link = connect(stub);
  const ledger = soloLedger(WORKER);
  const backlog = createBacklog();
  const [stopping, giveUp] = [new AbortController(), new AbortController()];

  async function updatesOf(fields: Record<string, unknown> = {}, more: Partial<TaskUpdatesParts> = {}) {
    const taskId = stub.add('q', fields);
    const wanted = { queue: 'q', count: 1, waitMs: 100, workerId: WORKER, domain: undefined };
    const [given] = await link.conductor.poll(wanted);
    const state = stub.tasks.get(taskId);
    if (state === undefined) throw new Error('no task');
    const updates = startUpdates(polled(given as Record<string, unknown>), {
      ...{ conductor: link.conductor, ledger, workerId: WORKER, log: link.captured.log, backlog },
      ...{ stopping: stopping.signal, giveUp: giveUp.signal, claimed: true, accepted: { count: 0 } },
      ...more,
    });
    return { taskId, state, updates };
  }

  return {
    ...{ stub, ledger, backlog, stopping, giveUp, updatesOf, captured: link.captured },
    async [Symbol.asyncDispose]() {
      giveUp.abort();
      await stub[Symbol.asyncDispose]();
      await link.close();
    },
  };
}
