import { rename, rm, writeFile } from 'node:fs/promises';
import { loadSnapshot } from '../catalog/load.ts';
import { messageOf, ServiceError } from '../errors.ts';
import { type Exported, exportManifests } from '../manifests/export.ts';
import { SECTIONS, type Section } from '../manifests/manifest.ts';
import { describeLeftOut, manifestText, manifestValue } from '../manifests/write.ts';
import { printable } from '../visible.ts';
import { isTerminal, plural, type Terminal, writeWhole } from './terminal.ts';
import { type Variables, withRedis } from './with-redis.ts';

export interface ExportQuestion {
  /** Where to write; `-` for standard output. */
  readonly file: string;
  /** Empty: all. */
  readonly kinds: readonly Section[];
  readonly terminal: Terminal;
}

/**
 * `export`, of the Redis that the environment names. 1 where something is left out that counts for nothing where it is
 * either: a record that cannot be read, a grant on what is not there. Throws USAGE where the file cannot be written.
 */
export async function exportCatalog(
  question: ExportQuestion,
  { stdout, variables }: { readonly stdout: NodeJS.WritableStream; readonly variables: Variables },
): Promise<number> {
  const exported = await withRedis(variables, async ({ redis, names }) =>
    exportManifests(await loadSnapshot(redis, names)),
  );
  const { file, terminal } = question;
  const kinds = question.kinds.length === 0 ? SECTIONS : question.kinds;
  const left = exported.leftOut.filter(({ kind }) => kinds.includes(kind === 'members' ? 'groups' : kind));
  for (const out of left) terminal.warn(describeLeftOut(out));
  if (file !== '-') {
    await write(file, manifestText(exported, kinds));
    terminal.say(`${plural(count(exported, kinds), 'entry', 'entries')} written to ${file}.`);
  } else if (!terminal.json) {
    const text = manifestText(exported, kinds);
    writeWhole(stdout, isTerminal(stdout) ? printable(text) : text);
  }
  terminal.result({
    manifests: manifestValue(exported, kinds),
    leftOut: left.map(({ kind, name, field, reason }) => ({ kind, name, field, reason })),
  });
  return left.some(({ why }) => why === 'unusable') ? 1 : 0;
}

/** Whole or not at all: the file may be what is kept in a repository. */
async function write(file: string, text: string): Promise<void> {
  const fresh = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(fresh, text, { flag: 'wx' });
    await rename(fresh, file);
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw new ServiceError('USAGE', `export: ${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

function count({ records, grants }: Exported, kinds: readonly Section[]): number {
  return kinds.reduce((sum, kind) => sum + (kind === 'grants' ? grants.length : (records.get(kind)?.size ?? 0)), 0);
}
