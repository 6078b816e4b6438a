import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../devservers/cache.ts';

export interface KeptProcess {
  readonly name: string;
  readonly processId: number;
  /** When the process began: a process id may be another's by the time it is stopped. */
  readonly identity: string | undefined;
}

interface Kept {
  readonly processes: readonly KeptProcess[];
  readonly folder: string | undefined;
}

const recordFile = () => join(cacheFolder(), 'quickstart-kept.json');
/** How long a process may take to end, in milliseconds. */
const GRACE_MS = 15_000;

/** Remembers what `--keep` left running, for `--stop`. What an earlier one left (on other ports) stays remembered. */
export async function remember(kept: Kept): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  await writeFile(recordFile(), JSON.stringify([...(await remembered()), kept], null, 2));
}

async function remembered(): Promise<Kept[]> {
  try {
    return JSON.parse(await readFile(recordFile(), 'utf8')) as Kept[];
  } catch {
    return [];
  }
}

/** Stops all that `--keep` left running, in reverse; answers the names of what it stopped. */
export async function stopKept(): Promise<string[]> {
  const stopped: string[] = [];
  for (const { processes, folder } of await remembered()) {
    for (const kept of [...processes].reverse()) {
      if (await stopProcess(kept)) stopped.push(kept.name);
    }
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
  await rm(recordFile(), { force: true });
  return stopped;
}

async function stopProcess(kept: KeptProcess): Promise<boolean> {
  const isThere = () => kept.identity !== undefined && identityOf(kept.processId) === kept.identity;
  if (!isThere()) return false;
  process.kill(kept.processId, 'SIGTERM');
  const deadline = performance.now() + GRACE_MS;
  while (isThere()) {
    if (performance.now() > deadline) process.kill(kept.processId, 'SIGKILL');
    await sleep(50);
  }
  return true;
}

/** Something that no later process of the same id shares; undefined where there is no such process, or it has ended. */
export function identityOf(processId: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      // The fields after the name in brackets, which may itself hold brackets and spaces; the 20th is the start time.
      const fields = readFileSync(`/proc/${processId}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  return spawnSync('ps', ['-o', 'lstart=', '-p', String(processId)], { encoding: 'utf8' }).stdout?.trim() || undefined;
}
