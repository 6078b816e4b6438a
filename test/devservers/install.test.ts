import { describe, expect, it } from 'vitest';
import { ensurePrograms, type Machine, type Program } from '../../devservers/install.ts';

interface MachineState {
  readonly present?: readonly Program[];
  readonly root?: boolean;
  readonly apt?: boolean;
  /** Packages that this system has. */
  readonly packages?: readonly string[];
  readonly installFails?: boolean;
}

const BRINGS: Record<string, Program> = {
  'redis-server': 'redis-server',
  maven: 'maven',
  'python3-pip': 'python',
  'openjdk-21-jre-headless': 'java',
  'openjdk-25-jre-headless': 'java',
};

/** A machine that installs nothing, but acts as if it did; `ran` holds the commands. */
function machineWith({ present = [], root = true, apt = true, packages = [], installFails = false }: MachineState) {
  const programs = new Set(present);
  const ran: string[] = [];
  const machine: Machine = {
    isRoot: root,
    systemName: async () => 'Debian GNU/Linux 12 (bookworm)',
    find: async (program) => (programs.has(program) ? `/usr/bin/${program}` : undefined),
    has: (command) => command === 'apt-get' && apt,
    run: async (command, args) => {
      if (command === 'apt-cache') {
        return `  Candidate: ${packages.includes(args[1] ?? '') ? '1.0' : '(none)'}\n`;
      }
      ran.push([command, ...args].join(' '));
      if (args[0] === 'install') {
        if (installFails) throw new Error('E: Unable to fetch some archives');
        for (const name of args) {
          const program = BRINGS[name];
          if (program !== undefined) programs.add(program);
        }
      }
      return '';
    },
  };
  return { machine, ran };
}

const failure = (needed: readonly Program[], state: MachineState) =>
  ensurePrograms(needed, { machine: machineWith(state).machine }).then(
    () => 'nothing failed',
    (error: Error) => error.message,
  );

describe('ensurePrograms', () => {
  it('runs nothing where everything is there', async () => {
    const { machine, ran } = machineWith({ present: ['redis-server', 'java'] });
    const found = await ensurePrograms(['redis-server', 'java'], { machine });
    expect(found).toEqual({ 'redis-server': '/usr/bin/redis-server', java: '/usr/bin/java' });
    expect(ran).toEqual([]);
  });

  it('installs all that is missing by one apt-get, saying so', async () => {
    const packages = ['redis-server', 'maven', 'openjdk-25-jre-headless'];
    const { machine, ran } = machineWith({ packages });
    const said: string[] = [];
    await ensurePrograms(['redis-server', 'java', 'maven'], { machine, say: (line) => said.push(line) });
    expect(ran).toEqual([
      'apt-get update -q',
      'apt-get install -y -q --no-install-recommends redis-server openjdk-25-jre-headless maven',
    ]);
    expect(said).toEqual(['redis-server, Java 21 or newer, and Maven (mvn) are missing: installing with apt-get']);
  });

  it('prefers Java 21 where a Debian has several', async () => {
    const packages = ['openjdk-25-jre-headless', 'openjdk-21-jre-headless'];
    const { machine, ran } = machineWith({ packages });
    await ensurePrograms(['java'], { machine });
    expect(ran.at(-1)).toMatch(/ openjdk-21-jre-headless$/);
  });

  it('installs pip, and Python with it', async () => {
    const { machine, ran } = machineWith({ packages: ['python3-pip'] });
    const said: string[] = [];
    await ensurePrograms(['python'], { machine, say: (line) => said.push(line) });
    expect(ran.at(-1)).toBe('apt-get install -y -q --no-install-recommends python3-pip');
    expect(said).toEqual(['Python 3.10 or newer with pip is missing: installing with apt-get']);
  });

  it('names the command where we are not root', async () => {
    const state = { root: false, packages: ['redis-server', 'maven'] };
    expect(await failure(['redis-server', 'maven'], state)).toBe(
      'redis-server and Maven (mvn) are missing: run `sudo apt-get install redis-server maven`, then this again.',
    );
  });

  it('says where a Java comes from when this Debian has none new enough', async () => {
    const message = await failure(['java'], { packages: ['redis-server'] });
    expect(message).toContain('Java 21 or newer is missing and Debian GNU/Linux 12 (bookworm) has no package of it');
    expect(message).toContain('set JAVA_HOME');
  });

  it('says what to do where there is no apt-get', async () => {
    expect(await failure(['redis-server'], { apt: false })).toBe(
      'redis-server is missing: install Redis 6 or newer, or give REDIS_URL.',
    );
  });

  it('says what to do where apt-get fails', async () => {
    expect(await failure(['maven'], { packages: ['maven'], installFails: true })).toBe(
      'apt-get could not install maven: run it by hand to see why, then this again.',
    );
  });

  it('keeps every message to one line', async () => {
    const states: MachineState[] = [{}, { apt: false }, { root: false }, { root: false, packages: ['maven'] }];
    for (const state of states) expect(await failure(['java', 'maven'], state)).not.toContain('\n');
  });
});
