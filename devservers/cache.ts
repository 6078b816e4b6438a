import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where downloads are kept between runs, outside the tree: BEDROCK_COHERE_CACHE, or a folder in the user's cache. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env['BEDROCK_COHERE_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'bedrock-cohere');
}

export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Makes a folder of the cache once: `fill` works in a temporary folder beside it and names what to keep, which is renamed
 * into place. So a folder that is there is whole, and of two who fill it at the same time the second finds the first's.
 */
export async function cachedFolder(folder: string, fill: (temporary: string) => Promise<string>): Promise<string> {
  if (await isThere(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const temporary = await mkdtemp(`${folder}.part-`);
  try {
    const filled = await fill(temporary);
    await rename(filled, folder).catch(async (error: unknown) => {
      if (!(await isThere(folder))) throw error;
    });
    return folder;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
