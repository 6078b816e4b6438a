import type { Suspects } from './ledger.ts';

const RETRY_MS = 1_000;

/** Polls whose answer was lost, until Redis has it on record under whose name tasks may be lost. */
export interface PollLosses {
  note(incarnation: string): void;
  /** Resolves when all that was noted is on record, or cannot be put there: Redis is then away, and this worker will be missed. */
  stop(): Promise<void>;
}

export function createPollLosses({ suspects }: { readonly suspects: Pick<Suspects, 'suspect'> }): PollLosses {
  const unwritten = new Set<string>();
  const writing = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped: Promise<void> | undefined;

  function write(): void {
    timer = undefined;
    for (const incarnation of [...unwritten]) {
      unwritten.delete(incarnation);
      const written: Promise<void> = suspects
        .suspect(incarnation)
        .catch(() => {
          // Redis is away: later.
          unwritten.add(incarnation);
          if (stopped === undefined) timer ??= setTimeout(write, RETRY_MS);
        })
        .finally(() => writing.delete(written));
      writing.add(written);
    }
  }

  async function stop(): Promise<void> {
    clearTimeout(timer);
    await Promise.all(writing);
    write();
    await Promise.all(writing);
  }

  return {
    note(incarnation) {
      if (stopped !== undefined) return;
      unwritten.add(incarnation);
      if (timer === undefined) write();
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
