import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bareEnvironment, cliFromSource } from '../../devservers/cli-from-source.ts';
import { type Exit, startProcess } from '../../devservers/processes.ts';

export interface RunningCli {
  readonly processId: number;
  readonly exited: Promise<Exit>;
  /** Undefined while it runs. */
  readonly exit: () => Exit | undefined;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** SIGTERM, after `graceMs` (default 10,000 ms) SIGKILL. What it printed can still be read afterwards. */
  readonly stop: (graceMs?: number) => Promise<Exit>;
  readonly stdout: () => Promise<string>;
  readonly stderr: () => Promise<string>;
  /** The lines of stdout so far. */
  readonly lines: () => Promise<string[]>;
  /** Removes what it printed; once it has ended. */
  readonly remove: () => Promise<void>;
}

/** Starts `bedrock-cohere ARGS` from source. Of the environment it knows only what is given here. */
export async function startCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RunningCli> {
  const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-cli-'));
  const [logFile, stdoutFile] = [join(folder, 'stderr'), join(folder, 'stdout')];
  const cli = await startProcess({
    name: args[0] ?? 'cli',
    ...cliFromSource(args),
    env: bareEnvironment(env),
    logFile,
    stdoutFile,
  });
  const stdout = () => readFile(stdoutFile, 'utf8');
  return {
    processId: cli.processId,
    exited: cli.exited,
    exit: cli.exit,
    kill: cli.kill,
    stop: cli.stop,
    stdout,
    stderr: () => readFile(logFile, 'utf8'),
    lines: async () => (await stdout()).split('\n').filter((line) => line !== ''),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bedrock-cohere ARGS` to its end; `timeoutMs` (default 30,000 ms) ends it by force. */
export async function runCli(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  timeoutMs = 30_000,
): Promise<CliResult> {
  const cli = await startCli(args, env);
  const force = setTimeout(() => cli.kill('SIGKILL'), timeoutMs);
  try {
    const { code } = await cli.exited;
    return { code, stdout: await cli.stdout(), stderr: await cli.stderr() };
  } finally {
    clearTimeout(force);
    await cli.remove();
  }
}

/**
 * Waits until the worker at this port answers `/readyz` with 200.
 * @throws with what it printed on stderr where it ends first or the time is up
 */
export async function waitForReady(cli: RunningCli, httpPort: number, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const isReady = () =>
    fetch(`http://127.0.0.1:${httpPort}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
  while (!(await isReady())) {
    const isOver = cli.exit() !== undefined;
    if (isOver || performance.now() > deadline) {
      throw new Error(`the worker ${isOver ? 'ended' : 'is not ready'}:\n${await cli.stderr()}\n${await cli.stdout()}`);
    }
    await sleep(50);
  }
}
