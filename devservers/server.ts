import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess, waitUntilReady } from './processes.ts';

/** What every server started here can tell and do. */
export interface Server {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly processId: number;
  readonly logFile: string;
  readonly process: RunningProcess;
  /** Stops it, waits until it has ended and removes its temporary folder. May be called any number of times. */
  readonly stop: () => Promise<void>;
}

export interface ServerOptions {
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Where it works and logs; the caller removes it. Default: a temporary folder of its own. */
  readonly dir?: string | undefined;
  /** True: it goes on when this process ends. Default false. */
  readonly outlivesParent?: boolean | undefined;
}

export interface ServerProgram {
  /** `Redis`; the log is named so, too. */
  readonly name: string;
  readonly command: string;
  readonly args: (port: number, folder: string) => readonly string[];
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Its URL once it serves; undefined, or a rejection, while it does not yet. */
  readonly ready: (port: number, process: RunningProcess) => Promise<string | undefined>;
  /** In milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Starts a server and waits until it serves.
 * @throws SetupError where it ends or does not serve in time; its log then stays
 */
export async function startServer(program: ServerProgram, options: ServerOptions): Promise<Server> {
  const { name } = program;
  const port = options.port ?? (await freePort());
  const isOurs = options.dir === undefined;
  const folder = options.dir ?? (await mkdtemp(join(tmpdir(), `bedrock-cohere-${name.toLowerCase()}-`)));
  await mkdir(folder, { recursive: true });
  const process = await startProcess({
    name,
    command: program.command,
    args: program.args(port, folder),
    env: program.env,
    cwd: folder,
    logFile: join(folder, `${name.toLowerCase()}.log`),
    outlivesParent: options.outlivesParent,
  });
  try {
    const url = await waitUntilReady(process, () => program.ready(port, process), { timeoutMs: program.timeoutMs });
    return {
      name,
      url,
      port,
      processId: process.processId,
      logFile: process.logFile,
      process,
      stop: async () => {
        await process.stop();
        if (isOurs) await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await process.stop();
    throw error;
  }
}
