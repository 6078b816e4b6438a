import { rm } from 'node:fs/promises';
import type { RunningProcess } from '../devservers/processes.ts';
import { identityOf, type KeptProcess } from './kept.ts';

interface Stoppable {
  readonly name: string;
  readonly process: RunningProcess;
  readonly stop: () => Promise<unknown>;
}

/** All that was started, in the order of its start. */
export interface Running {
  readonly add: <Kind extends Stoppable>(started: Kind) => Kind;
  /** What to do once all processes are stopped. */
  readonly afterwards: (clean: () => Promise<void>) => void;
  readonly setFolder: (folder: string) => void;
  /** In reverse; every one is tried, whatever happens to the others. `keepLogs`: the folder of logs stays. */
  readonly stopAll: (how: { readonly keepLogs: boolean }) => Promise<void>;
  /** Leaves all of it running; answers what there is to stop later. */
  readonly release: () => { readonly processes: readonly KeptProcess[]; readonly folder: string | undefined };
}

export function createRunning(): Running {
  const all: Stoppable[] = [];
  const cleaners: (() => Promise<void>)[] = [];
  let folder: string | undefined;

  return {
    add: (started) => {
      all.push(started);
      return started;
    },
    afterwards: (clean) => void cleaners.push(clean),
    setFolder: (given) => {
      folder = given;
    },
    stopAll: async ({ keepLogs }) => {
      const faults: unknown[] = [];
      for (const one of all.splice(0).reverse()) await one.stop().catch((error: unknown) => faults.push(error));
      for (const clean of cleaners.splice(0)) await clean().catch((error: unknown) => faults.push(error));
      if (folder !== undefined && !keepLogs) await rm(folder, { recursive: true, force: true });
      if (faults.length > 0) throw new AggregateError(faults, 'Not everything could be stopped');
    },
    release: () => {
      const processes = all.map(({ name, process }) => {
        process.release();
        return { name, processId: process.processId, identity: identityOf(process.processId) };
      });
      return { processes, folder };
    },
  };
}
