/** Lanes of a worker that shares nothing: what goes out to the others is written down, and Redis answers as it is told. */
import type {
  AdmissionRequest,
  Deferral,
  DeferralRequest,
  LaneCluster,
  Lease,
} from '../../../../src/integrations/lanes/lane-cluster.ts';
import {
  type LaneLimits,
  type LaneTask,
  type LaneUse,
  NO_LIMITS,
} from '../../../../src/integrations/lanes/lane-use.ts';
import { createLanes } from '../../../../src/integrations/lanes/lanes.ts';

export interface SoloOptions {
  readonly limits?: Partial<LaneLimits>;
  /** In place of `limits`, for several lanes. */
  readonly limitsOf?: (lane: string) => LaneLimits;
  readonly waitingAtMost?: number;
  readonly defer?: (request: DeferralRequest) => Deferral;
  readonly granted?: (request: AdmissionRequest) => number;
  /** Until a refused admission is worth asking again, in ms. Default 5. */
  readonly retryAfterMs?: number;
  /** Workers that live. Default 1. */
  readonly workers?: number;
  /** Tasks that this worker has or has asked for. Default: none. */
  readonly tasksHeld?: () => number;
  /** Lanes that have sleepers. */
  readonly sleeping?: ReadonlyMap<string, number>;
}

export function soloLanes(options: SoloOptions = {}) {
  const deferrals: DeferralRequest[] = [];
  const forgotten: string[] = [];
  const throttles: string[] = [];
  const admissions: AdmissionRequest[] = [];
  const wantedSleepers: number[] = [];
  const succeededWhileFull: string[] = [];
  const released: { lease: Lease; tokens: number | undefined }[] = [];
  const state = {
    mayStart: true,
    limits: { ...NO_LIMITS, ...options.limits } as LaneLimits,
    holds: true,
    /** What throttling leaves of every lane. */
    effective: undefined as number | undefined,
  };
  const lapsing = new AbortController();
  const cluster: LaneCluster = {
    reachable: true,
    async admit(request) {
      admissions.push(request);
      const granted = options.granted?.(request) ?? request.attempts.length;
      return { granted, retryAfterMs: options.retryAfterMs ?? 5, concurrency: request.limits.concurrency };
    },
    release: (lease, tokens) => void released.push({ lease, tokens }),
    holds: () => state.holds,
    lapsed: () => lapsing.signal,
    throttled: (lane) => void throttles.push(lane),
    succeededWhileFull: (lane) => void succeededWhileFull.push(lane),
    effective: () => state.effective,
    async defer(request) {
      deferrals.push(request);
      return options.defer?.(request) ?? { sleepMs: 2_000, throttledForMs: request.throttled ? 0 : undefined };
    },
    forget: ({ taskId }) => void forgotten.push(taskId),
    sleeping: () => options.sleeping ?? new Map(),
    async takeSleepers(_, wanted) {
      wantedSleepers.push(wanted);
      return [];
    },
    leaveAsleep: () => undefined,
  };
  const lanes = createLanes({
    cluster,
    instance: 'tests/1',
    limits: (lane) => options.limitsOf?.(lane) ?? state.limits,
    mayStart: () => state.mayStart,
    workers: () => options.workers ?? 1,
    waitingAtMost: options.waitingAtMost ?? 10_000,
    tasksHeld: options.tasksHeld ?? (() => 0),
    wake: () => undefined,
  });
  return {
    ...{ lanes, state, lapsing, deferrals, forgotten, throttles, admissions, released, wantedSleepers },
    succeededWhileFull,
  };
}

let made = 0;

export function laneTask(more: Partial<LaneTask> = {}): LaneTask {
  made += 1;
  return {
    taskId: `task-${made}`,
    workflowInstanceId: `workflow-${made}`,
    pollCount: 1,
    order: made,
    responseTimeoutMs: 0,
    sleepAtMostMs: undefined,
    ticket: undefined,
    ...more,
  };
}

const NEVER = new AbortController().signal;

/** A use of one task whose call is `run`. */
export function useOf<R>(run: () => Promise<R>, more: Partial<LaneUse<string, R>> = {}): LaneUse<string, R> {
  return {
    lane: 'a',
    task: laneTask(),
    work: '',
    batch: undefined,
    estimatedTokens: 0,
    deferAtMostMs: 900_000,
    waiting: NEVER,
    start: async (works) => {
      const value = await run();
      return works.map(() => ({ kind: 'done', value }));
    },
    ...more,
  };
}
