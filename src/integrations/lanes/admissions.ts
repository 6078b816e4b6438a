import type { Capacity } from './capacity.ts';
import type { LaneCluster, Lease } from './lane-cluster.ts';
import type { LaneLimits } from './lane-use.ts';
import type { Line } from './line.ts';
import { type Pace, STANDSTILL_MS } from './pace.ts';
import type { Entry, Turns } from './turns.ts';

/** Turns that one admission asks for. */
const ADMISSIONS_AT_ONCE = 64;
const ADMISSION_RETRY_MS = 500;

export interface AdmissionsParts {
  readonly lane: string;
  readonly cluster: LaneCluster;
  readonly leaseId: () => string;
  readonly line: Line<Entry>;
  readonly pace: Pace;
  readonly turns: Turns;
  readonly limits: () => LaneLimits;
  /** Looks again who may start. */
  readonly pump: () => void;
  /** Not all that were asked for may start: who waits is to be judged by that. */
  readonly refused: () => void;
}

/** Turns of a lane whose limits hold over all replicas: they are asked for, a few at a time and one question at a time. */
export interface Admissions {
  /** Turns that are being asked for: whoever they are for is judged by the answer. */
  readonly asked: number;
  /** Asks for as many turns as there is room for, and starts those that are granted. */
  ask(now: Capacity): void;
  /** How long nobody is admitted under the limits of now, as far as was heard. */
  blockedMs(): number;
}

export function createAdmissions(parts: AdmissionsParts): Admissions {
  const { lane, cluster, leaseId, line, pace, turns, limits, pump } = parts;
  let admitting = false;
  let asked = 0;
  /** Under these limits nobody is admitted before `until`, by the monotonic clock. */
  let blocked: { readonly until: number; readonly limits: LaneLimits } | undefined;
  let retry: NodeJS.Timeout | undefined;

  async function admit({ limits: held, atOnce }: Capacity): Promise<void> {
    if (admitting) return;
    admitting = true;
    clearTimeout(retry);
    retry = undefined;
    const room = Math.min(atOnce - pace.running, ADMISSIONS_AT_ONCE);
    const attempts = estimatesOfTurns(room).map((estimatedTokens) => ({ leaseId: leaseId(), estimatedTokens }));
    asked = attempts.length;
    try {
      const { granted, retryAfterMs } = await cluster.admit({ lane, limits: held, attempts });
      [admitting, asked] = [false, 0];
      for (const { leaseId: id, estimatedTokens } of attempts.slice(0, granted)) {
        const lease: Lease = { id, lane, estimatedTokens };
        const group = line.takeGroup();
        // Whoever it was for has left the line meanwhile.
        if (group.length === 0) cluster.release(lease, 0);
        else turns.begin(group, lease);
      }
      if (granted === attempts.length) {
        blocked = undefined;
        return pump();
      }
      blocked = { until: performance.now() + retryAfterMs, limits: held };
      // A limit a minute, and no call that hangs.
      if (retryAfterMs > STANDSTILL_MS) pace.wasHeldUntil(blocked.until);
      pumpLater(retryAfterMs);
      parts.refused();
    } catch {
      [admitting, asked] = [false, 0];
      pumpLater(ADMISSION_RETRY_MS);
    }
  }

  function estimatesOfTurns(room: number): number[] {
    const estimates: number[] = [];
    for (const [{ use }, turn] of line.turnsAhead()) {
      if (turn >= room) break;
      estimates[turn] = (estimates[turn] ?? 0) + use.estimatedTokens;
    }
    return estimates;
  }

  function pumpLater(ms: number): void {
    retry ??= setTimeout(
      () => {
        retry = undefined;
        pump();
      },
      Math.max(1, ms) * (0.75 + Math.random() / 2),
    );
  }

  return {
    get asked() {
      return asked;
    },
    ask: (now) => void admit(now),
    blockedMs() {
      if (blocked === undefined) return 0;
      const { requestsPerMinute, tokensPerMinute } = limits();
      const isChanged =
        requestsPerMinute !== blocked.limits.requestsPerMinute || tokensPerMinute !== blocked.limits.tokensPerMinute;
      return isChanged ? 0 : Math.max(0, blocked.until - performance.now());
    },
  };
}
