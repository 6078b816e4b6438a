import { join } from 'node:path';
import { cachedFolder, cacheFolder, isThere } from './cache.ts';
import { ensurePrograms, type Program } from './install.ts';
import { runToEnd } from './processes.ts';
import { SetupError } from './setup-error.ts';

export const CONDUCTOR_VERSION = '3.32.1';

const JAR = `conductor-server-${CONDUCTOR_VERSION}-boot.jar`;

export interface ConductorProgram {
  readonly java: string;
  /** The server's unpacked jar, with its libraries in `lib/` beside it. */
  readonly jar: string;
}

/** Where things lie in the cache. The jar is kept unpacked: with its libraries nested in one file the server starts in twice the time. */
function places(): { home: string; jar: string; wholeJar: string } {
  const folder = join(cacheFolder(), 'conductor');
  const home = join(folder, `conductor-server-${CONDUCTOR_VERSION}`);
  return { home, jar: join(home, JAR), wholeJar: join(folder, JAR) };
}

/** What `prepareConductor` will need: Maven only while the server is not in the cache. */
export async function conductorNeeds(): Promise<readonly Program[]> {
  const { jar, wholeJar } = places();
  return (await isThere(jar)) || (await isThere(wholeJar)) ? ['java'] : ['java', 'maven'];
}

/**
 * The Java and the server to run; whatever is not there yet is installed or fetched, once (458 MB, by Maven). A whole
 * jar that already lies in the cache is unpacked instead of being fetched.
 * @throws SetupError where a program is missing or the fetch fails
 */
export async function prepareConductor(say: (line: string) => void = () => {}): Promise<ConductorProgram> {
  const { home, jar, wholeJar } = places();
  const { java, maven }: Partial<Record<Program, string>> = await ensurePrograms(await conductorNeeds(), { say });
  if (java === undefined) throw new SetupError('No Java was found.');
  await cachedFolder(home, async (temporary) => {
    let fetched = wholeJar;
    if (maven !== undefined) {
      say('fetching the server (458 MB, once)');
      await fetchJar(maven, temporary);
      fetched = join(temporary, JAR);
    }
    say('unpacking the server');
    const unpacked = join(temporary, 'unpacked');
    await runToEnd(java, ['-Djarmode=tools', '-jar', fetched, 'extract', '--destination', unpacked]).catch((cause) => {
      throw new SetupError(`The Conductor jar ${fetched} cannot be unpacked: delete it and run this again.`, { cause });
    });
    return unpacked;
  });
  return { java, jar };
}

async function fetchJar(maven: string, folder: string): Promise<void> {
  const artifact = `org.conductoross:conductor-server:${CONDUCTOR_VERSION}:jar:boot`;
  const args = ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`];
  // In a folder of its own: a pom.xml of wherever we were started would be read as the project.
  await runToEnd(maven, args, folder).catch((cause: Error) => {
    const reason = /\[ERROR\] (.*)/.exec(cause.message)?.[1] ?? cause.message.split('\n')[0];
    throw new SetupError(
      `Maven could not fetch the Conductor server (${reason}): check the network and Maven's settings, or give CONDUCTOR_SERVER_URL.`,
      { cause },
    );
  });
}
