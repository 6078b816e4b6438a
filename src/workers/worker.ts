import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { CALL_KINDS } from '../calls/kinds/kinds.ts';
import { createLaneLimits } from '../calls/lane-limits.ts';
import { furtherAtOnce } from '../calls/several-requests.ts';
import { createLiveCatalog } from '../catalog/live-catalog.ts';
import { createAnswerCache } from '../cluster/answer-cache.ts';
import { createLaneStore } from '../cluster/lane-store.ts';
import { createLedgerStore } from '../cluster/ledger-store.ts';
import { createTokenAccounts } from '../cluster/token-accounts.ts';
import { createTokenPins } from '../cluster/token-pins.ts';
import type { Config } from '../config.ts';
import { messageOf } from '../errors.ts';
import { inTime } from '../in-time.ts';
import { bedrockEndpoint } from '../integrations/bedrock/endpoint.ts';
import { createClients } from '../integrations/clients.ts';
import { createLanes } from '../integrations/lanes/lanes.ts';
import { warnUnlessNoEviction } from '../redis/eviction.ts';
import { keyNames } from '../redis/keys.ts';
import { createDenialRecorder } from '../telemetry/denials.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createConductor } from './conductor/conductor.ts';
import { createFoundTaskNames } from './conductor/found-task-names.ts';
import { createConductorSession } from './conductor/session.ts';
import { registerTaskDefinitions } from './conductor/task-definitions.ts';
import { startHealthServer } from './health-server.ts';
import { createPollLosses } from './ledger/poll-losses.ts';
import { createRescue } from './ledger/rescue.ts';
import { createSweep } from './ledger/sweep.ts';
import { createSleeperCalls } from './sleepers.ts';
import { createSlots } from './slots.ts';
import { createTaskLoop } from './task-loop.ts';
import { createLlmTaskHandler } from './tasks/llm-task.ts';
import { createSubjectFinder } from './tasks/subject-source.ts';
import { createTokenSource } from './tasks/token-source.ts';

/** `starting` → `running` → `draining` → `stopped`; a stop may come at any time. */
export type WorkerState = 'starting' | 'running' | 'draining' | 'stopped';

export interface Worker {
  readonly state: WorkerState;
  /** Where `/healthz`, `/readyz` and `/metrics` are. */
  readonly httpPort: number;
  /** `WORKER_ID/random`, new at every start: a replica that comes back must not keep its dead self alive. */
  readonly id: string;
  /** Drains and ends; may be called more than once. Resolves to whether every task was handed over. */
  stop(): Promise<boolean>;
}

export interface WorkerParts {
  readonly config: Config;
  readonly log: Logger;
  /** Reads the catalog and writes denials. Not yet connected. */
  readonly redis: Redis | Cluster;
  /** Writes what replicas share: claims, leases, tickets. Rejects at once while Redis is away. Not yet connected. */
  readonly runtime: Redis | Cluster;
  /** Hears of changes in the catalog; undefined on Cluster. Not yet connected. */
  readonly ears: Redis | undefined;
  /** For secrets written as `env:NAME`. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** After this long without Redis, no tasks are taken rather than decided on grants that may be gone. */
const STALE_AFTER_MS = 10_000;
const READINESS_CHECK_MS = 50;
/** How long the last denials and counts may take to be written at a stop. */
const LAST_WRITES_MS = 1_000;

/**
 * Puts a worker together and starts it. Resolves when its HTTP port is open; Redis and Conductor may still be away: it
 * goes on trying, and `/readyz` says what is missing. Rejects when the port is taken.
 */
export async function startWorker(parts: WorkerParts): Promise<Worker> {
  const { config, redis, runtime, ears, variables } = parts;
  const names = keyNames(config.redis.prefix);
  const ledger = createLedgerStore({
    redis: runtime,
    keys: names.ledger,
    label: config.workerLabel,
    log: parts.log.child({ label: config.workerLabel }),
  });
  const id = ledger.incarnation;
  const log = parts.log.child({ worker: id });
  const stopping = new AbortController();
  const startedAt = performance.now();
  let state: WorkerState = 'starting';

  const catalog = createLiveCatalog({ redis, ears, names, log });
  const denials = createDenialRecorder({ redis, stream: names.denials, log });
  const clients = createClients({ secrets: { variables, ...config.secrets }, log });
  const session = createConductorSession({ ...config.conductor, log });
  const conductor = createConductor({ apiUrl: config.conductor.apiUrl, session });
  const slots = createSlots(config.tasks.maxInFlight);
  const laneStore = createLaneStore({ redis: runtime, names, instance: id, log });
  const sleepers = createSleeperCalls({ conductor, cluster: laneStore, incarnation: () => ledger.incarnation, log });
  const lanes = createLanes({
    cluster: laneStore,
    instance: id,
    limits: createLaneLimits(catalog.current),
    mayStart: () => ledger.alive && laneStore.reachable,
    workers: () => ledger.workers,
    waitingAtMost: Math.max(1, Math.floor(config.tasks.maxInFlight / 4)),
    tasksHeld: () => slots.used,
    wake: sleepers.wake,
  });
  const { usage, limits, uses } = createTokenAccounts({
    ...{ redis: runtime, keys: names.usage, instance: id, log, catalog: catalog.current },
  });
  const metrics = createMetrics({
    tasksHeld: () => slots.used,
    lanes: () => lanes.loads(),
    ready: () => unready().length === 0,
    sleeping: () => laneStore.sleeping(),
    throttledTo: (lane) => laneStore.effective(lane),
    outcomesWaiting: () => loop.outcomesWaiting(),
    workers: () => ledger.workers,
    limitUses: uses,
  });
  const subjects = createSubjectFinder({
    sources: config.access.sources,
    tokens: createTokenSource({ catalog: catalog.current, pins: createTokenPins({ redis: runtime, names }) }),
    conductor,
    authenticated: async () => Object.keys(await session.headers()).length > 0,
  });
  const answers = createAnswerCache({ redis: runtime, names, log });
  const handlerParts = {
    catalog: catalog.current,
    mayDecide: () => catalogUnready().length === 0,
    subjects,
    mode: config.access.mode,
    denials,
    lanes,
    clients,
    metrics,
    usage,
    limits,
    cache: { answers, usage, metrics, endpoint: bedrockEndpoint(variables) },
    further: furtherAtOnce(config.tasks.maxInFlight),
    log,
  };

  /** Why no task may be taken, apart from Conductor itself. */
  function catalogUnready(): string[] {
    if (!catalog.loaded()) return ['the catalog has not been read from Redis yet'];
    if ((catalog.staleForMs() ?? 0) > STALE_AFTER_MS) return ['Redis has been away for 10 s: grants may be stale'];
    if (catalog.current().empty) return ['the catalog holds no integration'];
    return [];
  }

  function notTaking(): string[] {
    const reasons = catalogUnready();
    if (reasons.length === 0 && !ledger.alive) return ['Redis does not answer: nobody would know whose a task is'];
    return reasons;
  }

  function unready(): string[] {
    if (state === 'starting') return [...notTaking(), 'the worker is starting: Conductor has not answered yet'];
    if (state !== 'running') return [`the worker is ${state}`];
    const answers = loop.conductorAnswers();
    if (answers === undefined) return [...notTaking(), 'Conductor has not been polled yet'];
    return [...notTaking(), ...(answers ? [] : ['Conductor does not answer polls'])];
  }

  let saidUnready = false;

  /** Waits, and says once that it does and once that it no longer does. */
  async function untilReady(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && notTaking().length > 0) {
      if (!saidUnready && (catalog.loaded() || performance.now() - startedAt > STALE_AFTER_MS)) {
        saidUnready = true;
        log.warn({ reasons: notTaking() }, 'No tasks are taken');
      }
      await sleep(READINESS_CHECK_MS, undefined, { signal }).catch(() => undefined);
    }
    if (saidUnready && !signal.aborted) {
      saidUnready = false;
      log.info('Tasks are taken again');
    }
  }

  const foundNames =
    config.tasks.registerDefinitions === 'all'
      ? createFoundTaskNames({ session, served: config.tasks.served, log })
      : undefined;

  const pollLosses = createPollLosses({ suspects: ledger });
  const loop = createTaskLoop({
    served: config.tasks.served.map((served) => ({
      ...served,
      handler: createLlmTaskHandler(CALL_KINDS[served.type], handlerParts),
    })),
    domain: config.tasks.domain,
    conductor,
    ledger,
    slots,
    lanes,
    onPollLost: pollLosses.note,
    onTask: ({ name, hasDefinition }) => foundNames?.noticeTask(name, hasDefinition),
    metrics,
    log,
    untilReady,
  });

  const http = await startHealthServer({
    port: config.httpPort,
    state: () => state,
    unready,
    registry: metrics.registry,
  });
  catalog.onChange((snapshot) => clients.keepOnly(new Set(snapshot.names('integrations'))));
  catalog.onChange(answers.look);
  const rescuing = new AbortController();
  const { rescue, idle: rescued } = createRescue({ conductor, ledger, log, giveUp: rescuing.signal });
  const queues = config.tasks.served.map(({ queue }) => queue);
  const sweep = createSweep({ conductor, suspects: ledger, rescue, queues, log });
  ledger.listen({
    takenOver: rescue,
    declaredDead: (former) => loop.abandon(former),
    forgotten: () => laneStore.reassert(),
  });
  const stopWatchingEviction = warnUnlessNoEviction(redis, log);
  catalog.start();
  runtime.once('ready', () => ledger.start());
  laneStore.start();
  lanes.start();
  usage.start();
  // Failing to connect is no reason to end: ioredis tries again, and says so.
  for (const connection of [redis, runtime, ears]) connection?.connect().catch(() => undefined);

  if (config.access.mode !== 'enforce') {
    log.warn({ mode: config.access.mode }, 'RBAC_MODE is not enforce: tasks run whatever the grants say');
  }

  const started = (async () => {
    if (config.tasks.registerDefinitions !== 'none') {
      await registerTaskDefinitions({ session, served: config.tasks.served, log }, stopping.signal);
    }
    if (stopping.signal.aborted) return;
    foundNames?.start();
    loop.start();
    sweep.start();
    state = 'running';
    log.info({ served: config.tasks.served, httpPort: http.port }, 'The worker is running');
  })();

  let stopped: Promise<boolean> | undefined;

  async function stop(): Promise<boolean> {
    state = 'draining';
    log.info({ tasksHeld: slots.used, drainTimeoutMs: config.tasks.drainTimeoutMs }, 'The worker is stopping');
    stopping.abort();
    session.stopConnecting();
    await started;
    state = 'draining';
    const handedOver = await loop.stop(config.tasks.drainTimeoutMs);
    lanes.stop();
    usage.stop();
    // On record before this worker leaves: nobody misses one who has left.
    await pollLosses.stop();
    // What is being rescued is taken over by the next.
    rescuing.abort(new Error('the worker is stopping'));
    await Promise.all([sleepers.stop(), rescued(), sweep.stop(), foundNames?.stop()]);
    await Promise.all([laneStore.stop(), ledger.leave()]);
    await inTime(Promise.all([denials.flush(), usage.flush(), answers.settled()]), LAST_WRITES_MS).catch(
      (error: unknown) =>
        log.warn({ reason: messageOf(error) }, 'The last denials or counts of usage were not written'),
    );
    // First the connections: a read that waits for a Redis that hangs ends with them.
    for (const connection of [ears, runtime, redis]) connection?.disconnect();
    await Promise.all([catalog.stop(), stopWatchingEviction()]);
    // In reverse of how they came to be, each whatever happens to the others.
    const closed = await Promise.allSettled([clients.close(), conductor.close(), session.close()]);
    for (const result of closed) {
      if (result.status === 'rejected')
        log.warn({ reason: messageOf(result.reason) }, 'A connection did not close cleanly');
    }
    state = 'stopped';
    await http.close();
    log.info({ handedOver }, 'The worker has stopped');
    return handedOver;
  }

  return {
    get state() {
      return state;
    },
    httpPort: http.port,
    id,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
