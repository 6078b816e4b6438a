import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder, cacheFolder } from './cache.ts';
import { ensurePrograms } from './install.ts';
import { runToEnd } from './processes.ts';
import { SetupError } from './setup-error.ts';

export interface PythonPackages {
  readonly python: string;
  /** Holds the packages; for PYTHONPATH. */
  readonly folder: string;
}

/**
 * The packages of a requirements file, installed by pip into a folder of the cache, once for each file and Python. No
 * virtual environment: Debian has `venv` in a package of its own, and one cannot be moved into place whole.
 * @throws SetupError where Python or pip is missing, or pip fails
 */
export async function pythonPackages(
  requirements: string,
  say: (line: string) => void = () => {},
): Promise<PythonPackages> {
  const { python } = await ensurePrograms(['python'], { say });
  const version = await runToEnd(python, ['-c', 'import sys; print(sys.version)']);
  const key = createHash('sha256')
    .update(version)
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 16);
  const folder = await cachedFolder(join(cacheFolder(), 'python', key), async (temporary) => {
    say(`installing the packages of ${requirements} with pip, once`);
    const target = join(temporary, 'packages');
    await runToEnd(python, [
      ...['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check'],
      ...['--target', target, '--requirement', requirements],
    ]).catch((cause: Error) => {
      throw new SetupError(
        `pip could not install the packages of ${requirements}: check the network and pip's settings.`,
        { cause },
      );
    });
    return target;
  });
  return { python, folder };
}
