import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { messageOf, ServiceError } from '../../errors.ts';
import type { ManifestFault, ManifestSource } from '../../manifests/manifest.ts';
import { shownPlace } from '../../manifests/reader.ts';
import { plural, type Terminal } from '../terminal.ts';

/** Files, folders (their *.yaml and *.yml, by name) or `-` for standard input. Throws USAGE for one that is not there. */
export async function readManifestFiles(
  paths: readonly string[],
  stdin: NodeJS.ReadableStream,
): Promise<ManifestSource[]> {
  const sources: ManifestSource[] = [];
  for (const path of paths) {
    if (path === '') throw new ServiceError('USAGE', 'apply: -f "" names no file');
    if (path === '-') {
      sources.push({ file: '(standard input)', text: await textOf(stdin) });
      continue;
    }
    try {
      const files = (await stat(path)).isDirectory()
        ? (await readdir(path))
            .filter((name) => /\.ya?ml$/.test(name))
            .sort()
            .map((name) => join(path, name))
        : [path];
      if (files.length === 0) throw new Error('the folder has no *.yaml or *.yml');
      for (const file of files) sources.push({ file, text: await readFile(file, 'utf8') });
    } catch (cause) {
      throw new ServiceError('USAGE', `apply: ${path} cannot be read: ${messageOf(cause)}`, { cause });
    }
  }
  return sources;
}

/** Lists every fault, in the order of the files; throws MANIFEST_INVALID where there is one. */
export function refuseFaults(faults: readonly ManifestFault[], terminal: Terminal): void {
  if (faults.length === 0) return;
  for (const fault of faults) terminal.warn(`${shownPlace(fault)}: ${fault.message}`);
  throw new ServiceError(
    'MANIFEST_INVALID',
    `${plural(faults.length, 'fault')} in the manifests; nothing was changed`,
    {
      faults: faults.map(({ file, line, column, message }) => ({ file, line, column, message })),
    },
  );
}
