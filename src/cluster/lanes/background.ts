import type { Logger } from 'pino';
import { messageOf } from '../../errors.ts';

/** Work that nobody awaits: tracked, and its failures said once until something succeeds again. */
export interface Background {
  run(work: () => Promise<unknown>): void;
  /** Waits for all that runs. */
  settle(): Promise<void>;
}

export function createBackground(log: Logger): Background {
  const running = new Set<Promise<void>>();
  let failing = false;
  return {
    run(work) {
      const tracked: Promise<void> = work()
        .then(
          () => {
            failing = false;
          },
          (error: unknown) => {
            if (!failing) log.warn({ reason: messageOf(error) }, 'What replicas share of lanes is not up to date');
            failing = true;
          },
        )
        .finally(() => running.delete(tracked));
      running.add(tracked);
    },
    async settle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
