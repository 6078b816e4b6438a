import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import type { LaneCluster, Sleeper } from '../integrations/lanes/lane-cluster.ts';
import type { Conductor } from './conductor/conductor.ts';
import { toTaskResult } from './conductor/outcome.ts';
import { sleepAtLeast } from './conductor/poll-timeout.ts';

/** Sleepers are due in more than four seconds: a call that takes longer than this could meet their own return. */
const ANSWER_MS = 2_000;

/** Calls tasks back that sleep in Conductor's queue although their lane has room. */
export interface SleeperCalls {
  wake(lane: string, sleeper: Sleeper): void;
  /** Resolves when no call is open. */
  settled(): Promise<void>;
}

/** A task asleep with a callback of minutes that is sent IN_PROGRESS with one second is polled again at once. */
export function createSleeperCalls(parts: {
  readonly conductor: Pick<Conductor, 'taskState' | 'update'>;
  readonly cluster: Pick<LaneCluster, 'forget'>;
  readonly incarnation: () => string;
  readonly log: Logger;
}): SleeperCalls {
  const { conductor, cluster, incarnation, log } = parts;
  const open = new Set<Promise<void>>();

  async function call(lane: string, sleeper: Sleeper): Promise<void> {
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
      log.debug(
        { taskId, reason: messageOf(error) },
        'A task that sleeps could not be called back: it comes by itself',
      );
    }
  }

  return {
    wake(lane, sleeper) {
      const calling = call(lane, sleeper).finally(() => open.delete(calling));
      open.add(calling);
    },
    async settled() {
      await Promise.all(open);
    },
  };
}
