import type { Suspects } from './ledger.ts';

const RETRY_MS = 1_000;

/** Polls whose answer was lost, until Redis has it on record under whose name tasks may be lost. */
export interface PollLosses {
  note(incarnation: string): void;
  stop(): void;
}

export function createPollLosses({ suspects }: { readonly suspects: Pick<Suspects, 'suspect'> }): PollLosses {
  const unwritten = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function write(): void {
    timer = undefined;
    for (const incarnation of [...unwritten]) {
      unwritten.delete(incarnation);
      suspects.suspect(incarnation).catch(() => {
        // Redis is away: later.
        unwritten.add(incarnation);
        if (!stopped) timer ??= setTimeout(write, RETRY_MS);
      });
    }
  }

  return {
    note(incarnation) {
      unwritten.add(incarnation);
      if (timer === undefined && !stopped) write();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
