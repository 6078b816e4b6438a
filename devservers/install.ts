import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { findJava, OLDEST_JAVA } from './find-java.ts';
import { fitPython, OLDEST_PYTHON } from './find-python.ts';
import { SetupError } from './setup-error.ts';

export type Program = 'redis-server' | 'java' | 'maven' | 'python';
/** Where each program asked for stands. */
export type Programs<Needed extends Program> = Readonly<Record<Needed, string>>;

/** What the search needs of the machine; tests give one of their own. */
export interface Machine {
  readonly isRoot: boolean;
  /** `Debian GNU/Linux 12 (bookworm)`, for messages. */
  readonly systemName: () => Promise<string>;
  readonly find: (program: Program) => Promise<string | undefined>;
  readonly has: (command: string) => boolean;
  /** Runs to the end, for its stdout. Rejects on any exit code but 0. */
  readonly run: (command: string, args: readonly string[]) => Promise<string>;
}

const PACKAGES: Readonly<Record<Program, readonly string[]>> = {
  'redis-server': ['redis-server'],
  // Long-term releases first: any of them runs the server, and which of them a Debian has depends on its age.
  java: ['openjdk-21-jre-headless', 'openjdk-25-jre-headless', 'openjdk-24-jre-headless', 'openjdk-23-jre-headless'],
  maven: ['maven'],
  // Brings Python along.
  python: ['python3-pip'],
};

const WORDS: Readonly<Record<Program, string>> = {
  'redis-server': 'redis-server',
  java: `Java ${OLDEST_JAVA} or newer`,
  maven: 'Maven (mvn)',
  python: `Python ${OLDEST_PYTHON} or newer with pip`,
};

const BY_HAND: Readonly<Record<Program, string>> = {
  'redis-server': 'install Redis 6 or newer, or give REDIS_URL',
  java: `unpack a JDK ${OLDEST_JAVA} or newer (https://adoptium.net) and set JAVA_HOME to it, or give CONDUCTOR_SERVER_URL`,
  maven: 'install Maven 3 (https://maven.apache.org), or give CONDUCTOR_SERVER_URL',
  python: `install Python ${OLDEST_PYTHON} or newer (https://www.python.org) with pip`,
};

export interface EnsureOptions {
  /** Told once before something is installed. */
  readonly say?: ((line: string) => void) | undefined;
  readonly machine?: Machine;
}

/**
 * Finds the programs, or installs those that are missing: all by one apt-get, where we are root and this Debian has them.
 * @throws SetupError naming everything that is missing and the command or page that brings it
 */
export async function ensurePrograms<Needed extends Program>(
  needed: readonly Needed[],
  { say = () => {}, machine = thisMachine }: EnsureOptions = {},
): Promise<Programs<Needed>> {
  const found = await findAll(needed, machine);
  const missing = needed.filter((program) => found[program] === undefined);
  if (missing.length > 0) {
    await install(missing, say, machine);
    Object.assign(found, await findAll(missing, machine));
    const still = missing.filter((program) => found[program] === undefined);
    if (still.length > 0) throw new SetupError(`Installed, but not found: ${list(still)}. ${byHand(still)}.`);
  }
  return found as Record<Needed, string>;
}

async function findAll<Needed extends Program>(needed: readonly Needed[], machine: Machine) {
  const entries = await Promise.all(needed.map(async (program) => [program, await machine.find(program)] as const));
  return Object.fromEntries(entries) as Partial<Record<Needed, string>>;
}

async function install(missing: readonly Program[], say: (line: string) => void, machine: Machine): Promise<void> {
  const sentence = `${list(missing)} ${missing.length === 1 ? 'is' : 'are'} missing`;
  if (!machine.has('apt-get')) throw new SetupError(`${sentence}: ${byHand(missing)}.`);
  if (machine.isRoot) {
    say(`${sentence}: installing with apt-get`);
    // Without fresh lists apt may know no package at all; a failure shows below, as packages that are not there.
    await machine.run('apt-get', ['update', '-q']).catch(() => '');
  }
  const packages = new Map<Program, string>();
  for (const program of missing) {
    const name = await firstInstallable(PACKAGES[program], machine);
    if (name !== undefined) packages.set(program, name);
  }
  const absent = missing.filter((program) => !packages.has(program));
  if (absent.length > 0) {
    throw new SetupError(
      `${list(absent)} ${absent.length === 1 ? 'is' : 'are'} missing and ${await machine.systemName()} has no package of it: ${byHand(absent)}.`,
    );
  }
  const names = [...packages.values()];
  if (!machine.isRoot)
    throw new SetupError(`${sentence}: run \`sudo apt-get install ${names.join(' ')}\`, then this again.`);
  try {
    await machine.run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names]);
  } catch (cause) {
    throw new SetupError(`apt-get could not install ${names.join(' ')}: run it by hand to see why, then this again.`, {
      cause,
    });
  }
}

async function firstInstallable(names: readonly string[], machine: Machine): Promise<string | undefined> {
  for (const name of names) {
    const policy = await machine.run('apt-cache', ['policy', name]).catch(() => '');
    const candidate = /Candidate: (\S+)/.exec(policy)?.[1];
    if (candidate !== undefined && candidate !== '(none)') return name;
  }
  return undefined;
}

function list(programs: readonly Program[]): string {
  return new Intl.ListFormat('en').format(programs.map((program) => WORDS[program]));
}

function byHand(programs: readonly Program[]): string {
  return programs.map((program) => BY_HAND[program]).join('; ');
}

/** A command's full path on PATH. */
export function onPath(command: string, path = process.env['PATH'] ?? ''): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, command))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const thisMachine: Machine = {
  isRoot: process.getuid?.() === 0,
  systemName: async () => {
    const { stdout } = await promisify(execFile)('sh', ['-c', '. /etc/os-release && echo "$PRETTY_NAME"']).catch(
      () => ({
        stdout: '',
      }),
    );
    return stdout.trim() || 'this system';
  },
  find: async (program) => {
    if (program === 'java') return (await findJava())?.path;
    if (program === 'python') return await fitPython(onPath('python3'));
    return onPath(program === 'maven' ? 'mvn' : program);
  },
  has: (command) => onPath(command) !== undefined,
  run: async (command, args) => {
    const { stdout } = await promisify(execFile)(command, [...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  },
};
