/** A task loop over real HTTP against the stub, and what tests of workers share. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics, type Gauges } from '../../../src/telemetry/metrics.ts';
import { type Conductor, createConductor } from '../../../src/workers/conductor/conductor.ts';
import { type PolledTask, readPolledTask } from '../../../src/workers/conductor/polled-task.ts';
import { createConductorSession } from '../../../src/workers/conductor/session.ts';
import type { Ledger } from '../../../src/workers/ledger/ledger.ts';
import { createSlots } from '../../../src/workers/slots.ts';
import { createTaskLoop } from '../../../src/workers/task-loop.ts';
import type { TaskHandler } from '../../../src/workers/tasks/llm-task.ts';
import { soloLedger } from './solo-ledger.ts';
import type { StubConductor } from './stub-conductor.ts';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export function capturedLog() {
  const lines: LogLine[] = [];
  const log = createLog('debug', { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { log, lines, at: (wanted: string) => lines.filter(({ level }) => level === wanted) };
}

export async function until(condition: () => boolean, timeoutMs = 3_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not true within ${timeoutMs} ms: ${condition}`);
    await sleep(2);
  }
}

/** Of a worker that is alone and does nothing. */
export const IDLE_GAUGES: Gauges = {
  tasksHeld: () => 0,
  lanes: () => [],
  ready: () => true,
  sleeping: () => [],
  throttledTo: () => undefined,
  outcomesWaiting: () => 0,
  workers: () => 1,
  limitUses: () => [],
};

export const silentMetrics = () => createMetrics(IDLE_GAUGES);

export function polled(fields: Record<string, unknown> = {}): PolledTask {
  const task = readPolledTask({
    taskId: 'task-1',
    workflowInstanceId: 'workflow-of-task-1',
    workflowType: 'claims_intake',
    pollCount: 1,
    ...fields,
  });
  if (task === undefined) throw new Error('not a task');
  return task;
}

/** A real client of the stub. */
export function connect(stub: StubConductor): {
  conductor: Conductor;
  close: () => Promise<void>;
  captured: ReturnType<typeof capturedLog>;
} {
  const captured = capturedLog();
  const session = createConductorSession({ apiUrl: stub.apiUrl, auth: stub.keys, log: captured.log });
  const conductor = createConductor({ apiUrl: stub.apiUrl, session });
  return {
    conductor,
    captured,
    async close() {
      session.close();
      await conductor.close();
    },
  };
}

export function startLoop(
  stub: StubConductor,
  options: {
    readonly slots?: number;
    readonly queues?: readonly string[];
    readonly handler?: TaskHandler;
    readonly domain?: string;
    /** In place of the one that a test can look into. */
    readonly realLedger?: Ledger;
  },
) {
  const { conductor, close, captured } = connect(stub);
  const slots = createSlots(options.slots ?? 8);
  const ledger = soloLedger();
  const lostPolls: string[] = [];
  let held = 0;
  const seen = { mostHeld: 0, mostUsed: 0 };
  const handler: TaskHandler = async (run) => {
    held += 1;
    seen.mostHeld = Math.max(seen.mostHeld, held);
    seen.mostUsed = Math.max(seen.mostUsed, slots.used);
    try {
      return await (options.handler ?? (async () => ({ kind: 'complete' as const, output: {} })))(run);
    } finally {
      held -= 1;
    }
  };
  const loop = createTaskLoop({
    served: (options.queues ?? ['LLM_TEXT_COMPLETE']).map((queue) => ({ type: 'LLM_TEXT_COMPLETE', queue, handler })),
    domain: options.domain,
    conductor,
    slots,
    ledger: options.realLedger ?? ledger,
    lanes: { room: () => Number.POSITIVE_INFINITY, untilRoom: async () => undefined },
    onPollLost: (incarnation) => void lostPolls.push(incarnation),
    onTask: () => undefined,
    metrics: silentMetrics(),
    log: captured.log,
    untilReady: async () => undefined,
  });
  loop.start();
  let stopped: Promise<boolean> | undefined;
  const stop = (drainMs = 0) => {
    stopped ??= loop.stop(drainMs);
    return stopped;
  };
  return {
    loop,
    ledger,
    lostPolls,
    slots,
    captured,
    seen,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await close();
    },
  };
}
