import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** What the Conductor server is compiled for. */
export const OLDEST_JAVA = 21;

export interface Java {
  readonly path: string;
  /** The feature release: 21, 25. */
  readonly version: number;
}

export interface JavaPlaces {
  /** Default: the variable JAVA_HOME. */
  readonly javaHome?: string | undefined;
  /** Default: the variable PATH. */
  readonly path?: string | undefined;
  /** Folders that hold one Java a folder. Default: where Debian, container images and SDKMAN put them. */
  readonly folders?: readonly string[];
}

/**
 * The first Java of at least `oldest` (default 21): JAVA_HOME's, PATH's, then every one in the usual folders by
 * name. The Java on PATH is often older than one that stands beside it, so none is believed by its name: each is run.
 */
export async function findJava(places: JavaPlaces = {}, oldest = OLDEST_JAVA): Promise<Java | undefined> {
  for (const path of candidates(places)) {
    const version = await versionOf(path);
    if (version !== undefined && version >= oldest) return { path, version };
  }
  return undefined;
}

function candidates(places: JavaPlaces): string[] {
  const javaHome = places.javaHome ?? process.env['JAVA_HOME'];
  const onPath = (places.path ?? process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const folders = places.folders ?? ['/usr/lib/jvm', '/opt/java', join(homedir(), '.sdkman', 'candidates', 'java')];
  return [
    ...(javaHome === undefined ? [] : [join(javaHome, 'bin', 'java')]),
    ...onPath.map((folder) => join(folder, 'java')),
    ...folders.flatMap((folder) => entriesOf(folder).map((entry) => join(folder, entry, 'bin', 'java'))),
  ].filter((path) => existsSync(path));
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** `openjdk version "21.0.4"`, `java version "25"`, `"1.8.0_402"`: the feature release; undefined where it does not say. */
export function parseJavaVersion(printed: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(printed);
  return match === null ? undefined : Number(match[1]);
}

async function versionOf(path: string): Promise<number | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(path, ['-version'], { timeout: 10_000 });
    return parseJavaVersion(stderr + stdout);
  } catch {
    return undefined;
  }
}
