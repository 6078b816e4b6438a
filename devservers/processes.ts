import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError } from './setup-error.ts';

export interface ProcessOptions {
  /** What people call it in messages: `Redis`, `worker`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child. Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string | undefined;
  /** The file that takes what it prints, both stdout and stderr. It is overwritten. */
  readonly logFile: string;
  /** A file of its own for stdout; default: `logFile`. */
  readonly stdoutFile?: string | undefined;
  /** True: once `release()` is called it goes on when this process ends. Default false. */
  readonly outlivesParent?: boolean | undefined;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly name: string;
  readonly processId: number;
  readonly logFile: string;
  /** Settles when the process has ended; never rejects. */
  readonly exited: Promise<Exit>;
  /** Undefined while it runs. */
  readonly exit: () => Exit | undefined;
  /** SIGTERM, after `graceMs` (default 10,000 ms) SIGKILL; resolves when it has ended. May be called any number of times. */
  readonly stop: (graceMs?: number) => Promise<Exit>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Leaves it alone from now on, where it was started with `outlivesParent`. */
  readonly release: () => void;
  /** The last lines it printed; default 20. */
  readonly tail: (lines?: number) => string;
}

/** Every child that must not outlive us. One set a process, for `exit` is one event a process. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Asks every child that still runs to end, those too that are only being started; whoever waits for one sees it fail. */
export function endAllChildren(): void {
  for (const child of children) child.kill('SIGTERM');
}

/**
 * Runs a program to its end, for what it printed on stdout.
 * @throws Error for any exit code but 0, with what it printed
 */
export async function runToEnd(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const [file, all] = boundToParent(command, args);
  const child = spawn(file, all, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  try {
    const [stdout, stderr, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve)),
    ]);
    if (code === 0) return stdout;
    throw new Error(`${command} ended with exit code ${code}: ${stdout}${stderr}`.trim());
  } finally {
    children.delete(child);
  }
}

/**
 * Starts a program whose output goes to a file, so that it neither blocks on a full pipe nor breaks when we end.
 * It gets a session of its own: Ctrl-C in the terminal reaches only us, and we stop what we started in order.
 * @throws SetupError where the program cannot be started
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { name, logFile, outlivesParent = false } = options;
  const output = openSync(logFile, 'w');
  const stdout = options.stdoutFile === undefined ? output : openSync(options.stdoutFile, 'w');
  const [command, args] = outlivesParent
    ? [options.command, options.args]
    : boundToParent(options.command, options.args);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', stdout, output],
    detached: true,
  });
  closeSync(output);
  if (stdout !== output) closeSync(stdout);

  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      children.delete(child);
      resolve(exit);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new SetupError(`${name} could not be started: ${cause.message}`, { cause })));
  });
  children.add(child);

  let stopping: Promise<Exit> | undefined;
  return {
    name,
    processId: child.pid as number,
    logFile,
    exited,
    exit: () => exit,
    kill: (signal) => void child.kill(signal),
    release: () => {
      if (!outlivesParent) return;
      children.delete(child);
      child.unref();
    },
    stop: (graceMs = 10_000) => {
      stopping ??= stopChild(child, exited, () => exit !== undefined, graceMs);
      return stopping;
    },
    tail: (lines = 20) => tailOf(logFile, lines),
  };
}

async function stopChild(child: ChildProcess, exited: Promise<Exit>, over: () => boolean, graceMs: number) {
  if (over()) return exited;
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
  try {
    return await exited;
  } finally {
    clearTimeout(force);
  }
}

/** The last lines of a file that may not be there. */
export function tailOf(file: string, lines: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/** On Linux the kernel ends the child when we are killed without a chance to do it; `setpriv` (util-linux) asks it to. */
function boundToParent(command: string, args: readonly string[]): [string, readonly string[]] {
  setprivWorks ??=
    process.platform === 'linux' &&
    spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0;
  return setprivWorks ? ['setpriv', ['--pdeathsig', 'KILL', '--', command, ...args]] : [command, args];
}
let setprivWorks: boolean | undefined;

export interface ReadyOptions {
  /** How long to wait in all, in milliseconds. */
  readonly timeoutMs: number;
  /** How long between two probes, in milliseconds; default 50. */
  readonly everyMs?: number;
}

/**
 * Asks again and again until the probe answers something other than undefined or false; a probe that throws counts as "not yet".
 * @throws SetupError where the process ends first or the time is up
 */
export async function waitUntilReady<Answer>(
  started: RunningProcess,
  probe: () => Promise<Answer | undefined | false>,
  { timeoutMs, everyMs = 50 }: ReadyOptions,
): Promise<Answer> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await probe().catch(() => undefined);
    if (answer !== undefined && answer !== false) return answer;
    const exit = started.exit();
    const { name, logFile } = started;
    if (exit !== undefined) {
      throw new SetupError(
        `${name} ended at once (${exit.signal ?? `exit code ${exit.code}`}): see its log ${logFile}`,
        {
          logFile,
        },
      );
    }
    if (performance.now() > deadline) {
      throw new SetupError(`${name} was not ready after ${timeoutMs / 1000} s: see its log ${logFile}`, { logFile });
    }
    await sleep(everyMs);
  }
}

/** The body of a GET that answered 2xx within 2 s; undefined for any other status. @throws where nobody answers */
export async function bodyOf(url: string): Promise<string | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  const body = await response.text();
  return response.ok ? body : undefined;
}
