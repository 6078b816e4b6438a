/** A reader's terminal for one document: a Redis of its own, the Conductor and the simulator of all documents, a build of the source. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { bareEnvironment, simulatorEnvironment } from '../../devservers/cli-from-source.ts';
import { onPath } from '../../devservers/install.ts';
import { freePort } from '../../devservers/ports.ts';
import { bodyOf, type RunningProcess, startProcess, waitUntilReady } from '../../devservers/processes.ts';
import { startRedis } from '../../devservers/redis-server.ts';
import { ROOT } from './markdown.ts';

/** Where the development tools keep what they downloaded, and which Java they take. */
const TOOLS = ['BEDROCK_COHERE_CACHE', 'XDG_CACHE_HOME', 'JAVA_HOME'];
const NOT_COPIED = new Set(['node_modules', 'dist', '.git', 'coverage']);

export interface Repository {
  readonly folder: string;
  /** Where `bedrock-cohere` and `redis-cli` are. */
  readonly commands: string;
  readonly remove: () => Promise<void>;
}

/** A copy of the repository with the packages of this one, built: what a reader has after a clone and the first step. */
export async function copyRepository(): Promise<Repository> {
  const parent = mkdtempSync(join(tmpdir(), 'bedrock-cohere-docs-'));
  const [folder, commands] = [join(parent, 'repository'), join(parent, 'commands')];
  await cp(ROOT, folder, {
    recursive: true,
    filter: (path) => dirname(path) !== dirname(join(ROOT, 'x')) || !NOT_COPIED.has(basename(path)),
  });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(commands);
  const write = (name: string, script: string) => {
    writeFileSync(join(commands, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(commands, name), 0o755);
  };
  write('bedrock-cohere', `exec node '${join(folder, 'dist/cli.js')}' "$@"`);
  // redis-cli says an error of the server's and ends with 0.
  const refusal = 'case "$answer" in ERR*|WRONGTYPE*|NOPERM*) exit 1;; esac';
  write('redis-cli', `answer=$('${onPath('redis-cli')}' -u "$REDIS_URL" "$@") || exit\necho "$answer"\n${refusal}`);
  // Its types are checked where a document builds it.
  const build = ['--project', 'tsconfig.build.json', '--noCheck'];
  const built = spawnSync(join(folder, 'node_modules/.bin/tsc'), build, { cwd: folder, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`The build failed: ${built.stdout}${built.stderr}`);
  return { folder, commands, remove: () => rm(parent, { recursive: true, force: true }) };
}

/** What does not end by itself. */
type Role = 'worker' | 'admin' | 'simulator';

function roleOf(command: string): Role {
  if (/\bworker$/.test(command)) return 'worker';
  return /\badmin$/.test(command) ? 'admin' : 'simulator';
}

export interface Shell {
  /** Runs a command to its end, with what the ones before it exported. */
  readonly run: (command: string) => Promise<{ code: number | null; output: string }>;
  /** Starts one that does not end by itself, and waits until it is ready. */
  readonly start: (command: string) => Promise<void>;
  readonly isWorkerRunning: () => boolean;
  /** Stops what was started; answers the exit codes of our own: workers and admins. */
  readonly stop: () => Promise<(number | null)[]>;
  readonly variable: (name: string) => string | undefined;
}

export async function openShell(
  { folder, commands }: Repository,
  { conductorUrl, simulatorUrl }: { readonly conductorUrl: string; readonly simulatorUrl: string },
): Promise<Shell> {
  const redis = await startRedis();
  const [workerPort, adminPort, simulatorPort] = [await freePort(), await freePort(), await freePort()];
  const scratch = mkdtempSync(join(tmpdir(), 'bedrock-cohere-shell-'));
  const variables = join(scratch, 'variables');
  const started: { readonly process: RunningProcess; readonly role: Role }[] = [];
  const readyUrls: Readonly<Record<Role, string>> = {
    worker: `http://127.0.0.1:${workerPort}/readyz`,
    admin: `http://127.0.0.1:${adminPort}/readyz`,
    simulator: `http://127.0.0.1:${simulatorPort}/_control/health`,
  };
  const tools = Object.fromEntries(TOOLS.map((name) => [name, process.env[name]]));
  const env = bareEnvironment({
    ...tools,
    ...simulatorEnvironment(simulatorUrl),
    PATH: [commands, join(folder, 'node_modules/.bin'), process.env['PATH']].join(':'),
    REDIS_URL: redis.url,
    CONDUCTOR_SERVER_URL: conductorUrl,
    // Gone with the copy, whose files nobody starts again.
    NODE_COMPILE_CACHE: join(commands, 'compile-cache'),
    HTTP_PORT: String(workerPort),
    ADMIN_PORT: String(adminPort),
  });
  writeFileSync(variables, '');

  /** The documentation's addresses are the defaults; the test's servers are elsewhere. */
  const here = (command: string) =>
    command
      .replaceAll('localhost:6379', new URL(redis.url).host)
      .replaceAll('localhost:8080', new URL(conductorUrl).host)
      .replaceAll('localhost:9464', `localhost:${workerPort}`)
      .replaceAll('localhost:8090', `localhost:${adminPort}`)
      .replaceAll(/127\.0\.0\.1:8981/g, `127.0.0.1:${simulatorPort}`)
      .replaceAll('--port 8981', `--port ${simulatorPort}`);

  return {
    async run(command) {
      const script = `set -a; . '${variables}'\n${here(command)}\ncode=$?; export -p > '${variables}'; exit $code`;
      const child = spawn('bash', ['-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
      const force = setTimeout(() => child.kill('SIGKILL'), 50_000);
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
      clearTimeout(force);
      return { code, output: `${stdout}${stderr}` };
    },
    async start(command) {
      const role = roleOf(command);
      const child = await startProcess({
        name: command,
        command: 'bash',
        args: ['-c', `set -a; . '${variables}'; exec ${here(command)}`],
        env,
        cwd: folder,
        logFile: join(scratch, `${started.length}.log`),
      });
      started.push({ process: child, role });
      await waitUntilReady(child, () => bodyOf(readyUrls[role]), { timeoutMs: 30_000 }).catch((cause: Error) => {
        throw new Error(`${cause.message}\n${child.tail()}`, { cause });
      });
    },
    isWorkerRunning: () => started.some(({ process, role }) => role === 'worker' && process.exit() === undefined),
    async stop() {
      // npm hands no signal on to what it runs, so it goes to the whole group.
      for (const { process: child, role } of started)
        if (role === 'simulator') process.kill(-child.processId, 'SIGTERM');
      const exits = await Promise.all(started.map(({ process }) => process.stop(40_000)));
      const ours = exits.filter((_, index) => started[index]?.role !== 'simulator');
      await redis.stop();
      await rm(scratch, { recursive: true, force: true });
      return ours.map(({ code }) => code);
    },
    variable: (name) => new RegExp(`^declare -x ${name}="(.*)"$`, 'm').exec(readFileSync(variables, 'utf8'))?.[1],
  };
}
