import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningWorker } from './world.ts';

/**
 * Kills one worker after the other, every `everyMs`, each replaced at once by a new start; until the signal is aborted.
 * Answers how many were killed.
 */
export async function killInTurn(
  workers: RunningWorker[],
  parts: {
    readonly everyMs: number;
    readonly signal: AbortSignal;
    readonly start: () => Promise<RunningWorker>;
  },
): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    await sleep(parts.everyMs, undefined, { signal: parts.signal }).catch(() => undefined);
    if (parts.signal.aborted) return kills;
    const index = kills % workers.length;
    workers[index]?.cli.kill('SIGKILL');
    workers[index] = await parts.start();
  }
}
