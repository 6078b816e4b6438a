import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import type { LaneCluster, Sleeper } from '../integrations/lanes/lane-cluster.ts';
import type { Conductor } from './conductor/conductor.ts';
import { toTaskResult } from './conductor/outcome.ts';
import { sleepAtLeast } from './conductor/poll-timeout.ts';

/** Sleepers are due in more than four seconds: a call that takes longer than this could meet their own return. */
const ANSWER_MS = 2_000;
/** To call back is to help: it must not keep a Conductor busy that is slow. */
const CALLS_AT_ONCE = 8;
/** Beyond this many, sleepers are left to be taken again: a Conductor that is away must not be called for all of them. */
const CALLS_AT_MOST = 64;

/** Calls tasks back that sleep in Conductor's queue although their lane has room. */
export interface SleeperCalls {
  wake(lane: string, sleeper: Sleeper): void;
  /** Resolves when no call is open. */
  settled(): Promise<void>;
  /** The same, but calls that have not begun are not made. */
  stop(): Promise<void>;
}

/** A task asleep with a callback of minutes that is sent IN_PROGRESS with one second is polled again at once. */
export function createSleeperCalls(parts: {
  readonly conductor: Pick<Conductor, 'taskState' | 'update'>;
  readonly cluster: Pick<LaneCluster, 'forget' | 'leaveAsleep'>;
  readonly incarnation: () => string;
  readonly log: Logger;
}): SleeperCalls {
  const { conductor, cluster, incarnation, log } = parts;
  const open = new Set<Promise<void>>();
  const limit = pLimit(CALLS_AT_ONCE);
  let stopped = false;

  async function call(lane: string, sleeper: Sleeper): Promise<void> {
    if (stopped) return cluster.leaveAsleep(lane, [sleeper]);
    const { taskId, pollCount } = sleeper;
    const within = AbortSignal.timeout(ANSWER_MS);
    try {
      const state = await conductor.taskState(taskId, within);
      if (state === undefined || !['SCHEDULED', 'IN_PROGRESS'].includes(state.status)) {
        return cluster.forget({ lane, taskId });
      }
      // Polled meanwhile, it may have been put off again, under a ticket that is not ours to take.
      if (state.status !== 'SCHEDULED' || state.pollCount !== pollCount) return;
      const { pollTimeoutMs = 0, scheduledAt = Date.now() } = state;
      if (sleepAtLeast({ pollTimeoutMs, scheduledAt }) > 0) return;
      const back = { kind: 'give-back', afterSeconds: 1 } as const;
      await conductor.update(toTaskResult(sleeper, incarnation(), back), ANSWER_MS, within);
    } catch (error) {
      cluster.leaveAsleep(lane, [sleeper]);
      log.debug({ taskId, reason: messageOf(error) }, 'A task that sleeps could not be called back');
    }
  }

  async function settled(): Promise<void> {
    await Promise.all(open);
  }

  return {
    wake(lane, sleeper) {
      if (stopped || open.size >= CALLS_AT_MOST) return cluster.leaveAsleep(lane, [sleeper]);
      const calling = limit(() => call(lane, sleeper)).finally(() => open.delete(calling));
      open.add(calling);
    },
    settled,
    async stop() {
      stopped = true;
      await settled();
    },
  };
}
