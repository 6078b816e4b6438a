import { randomBytes } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { LiveCatalog } from '../catalog/live-catalog.ts';
import { createLaneStore } from '../cluster/lane-store.ts';
import { createOnlooker } from '../cluster/onlooker.ts';
import { createTokenAccounts } from '../cluster/token-accounts.ts';
import { messageOf } from '../errors.ts';
import { inTime } from '../in-time.ts';
import type { Clients } from '../integrations/clients.ts';
import { createLanes } from '../integrations/lanes/lanes.ts';
import type { SecretSources } from '../integrations/secrets/open-secret.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { DenialRecorder } from '../telemetry/denials.ts';
import type { DirectAnswer, DirectCall, DirectCalls } from './direct-calls.ts';
import { createLaneLimits } from './lane-limits.ts';
import type { AccessMode } from './permission.ts';
import { stopping } from './stopping.ts';

export interface DirectCallerParts {
  /** For what replicas share: rejects at once while Redis is away. */
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly catalog: Pick<LiveCatalog, 'current' | 'onChange'>;
  /** False while what is known of the records may be out of date. */
  readonly mayDecide: () => boolean;
  readonly secrets: SecretSources;
  readonly denials: DenialRecorder;
  /** Begins its name in leases; a random part follows. */
  readonly label: string;
  readonly log: Logger;
  /** `off`: nobody is asked for. Default `enforce`, whatever RBAC_MODE says of tasks: only that makes an API safe to leave open. */
  readonly mode?: Extract<AccessMode, 'enforce' | 'off'>;
  /** How long a call may stand in line, in milliseconds. Default: see `DirectCalls`. */
  readonly waitAtMostMs?: number | undefined;
}

/** Calls models for those who wait, over one Redis with all workers: see `DirectCalls`. What it calls with is loaded at the first call. */
export interface DirectCaller {
  run(call: DirectCall): Promise<DirectAnswer>;
  /** What a call waits for, asked once: rejects with what Redis says where it refuses. */
  look(): Promise<void>;
  /** From now on it keeps what leases are judged by, so that a first call need not wait for it. */
  start(): void;
  stop(drainMs: number): Promise<void>;
}

/** How long the last counts may take to be written at a stop. */
const LAST_WRITES_MS = 1_000;

const NOBODY: ReadonlyMap<string, number> = new Map();

export function createDirectCaller(parts: DirectCallerParts): DirectCaller {
  const { redis, names, catalog, log, label } = parts;
  const instance = `${label}/${randomBytes(6).toString('hex')}`;
  const store = createLaneStore({ redis, names, instance, log });
  const onlooker = createOnlooker({ redis, keys: names.ledger, log, forgotten: () => store.reassert() });
  const lanes = createLanes({
    cluster: {
      ...store,
      get reachable() {
        return store.reachable;
      },
      // It cannot wake tasks that sleep at Conductor: that is for workers.
      sleeping: () => NOBODY,
    },
    instance,
    limits: createLaneLimits(() => catalog.current()),
    mayStart: () => onlooker.hasLooked && store.reachable,
    workers: () => onlooker.workers + 1,
    waitingAtMost: Number.MAX_SAFE_INTEGER,
    tasksHeld: () => 0,
    wake: () => undefined,
  });
  const { usage, limits } = createTokenAccounts({
    ...{ redis, keys: names.usage, instance, log, catalog: () => catalog.current() },
  });
  let stopped = false;
  let opened: Promise<{ readonly calls: DirectCalls; readonly clients: Clients }> | undefined;

  /** AWS's SDK takes longer to load than all else: who only looks at records need not wait for it. */
  async function open() {
    const [{ createClients }, { createDirectCalls }] = await Promise.all([
      import('../integrations/clients.ts'),
      import('./direct-calls.ts'),
    ]);
    const clients = createClients({ secrets: parts.secrets, log });
    catalog.onChange((snapshot) => clients.keepOnly(new Set(snapshot.names('integrations'))));
    const calls = createDirectCalls({
      ...{ catalog: () => catalog.current(), mayDecide: parts.mayDecide, clients, usage, limits, lanes },
      // What `/metrics` shows is workers' alone; an admin has none.
      metrics: { callEnded: () => undefined, tokens: () => undefined, refusedByLimit: () => undefined },
      ...{ mode: parts.mode ?? 'enforce', denials: parts.denials },
      ...(parts.waitAtMostMs === undefined ? {} : { waitAtMostMs: parts.waitAtMostMs }),
    });
    return { calls, clients };
  }

  return {
    async run(call) {
      if (stopped) throw stopping();
      opened ??= open();
      return await (await opened).calls.run(call);
    },
    look: () => onlooker.look(),
    start() {
      onlooker.start();
      store.start();
      lanes.start();
      usage.start();
    },
    async stop(drainMs) {
      stopped = true;
      const { calls, clients } = (await opened) ?? {};
      await calls?.stop(drainMs);
      lanes.stop();
      usage.stop();
      await inTime(usage.flush(), LAST_WRITES_MS).catch((error: unknown) =>
        log.warn({ reason: messageOf(error) }, 'The last usage was not written'),
      );
      await onlooker.stop();
      await store.stop();
      await clients?.close();
    },
  };
}
