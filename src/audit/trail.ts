import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import { type Author, commandAuthor } from './author.ts';
import { describeEdits } from './describe.ts';

/** How what a run of a command changes goes on record. `keptForMs` as the environment says it. */
export function commandTrail(names: KeyNames, keptForMs: number | undefined, command: string): Trail {
  return createTrail({ names, keptForMs, author: commandAuthor(command) });
}

/** How what this author changes goes on record. `keptForMs`: older records are dropped then; undefined: none is. */
export function createTrail({
  names,
  keptForMs,
  author,
}: {
  readonly names: KeyNames;
  readonly keptForMs: number | undefined;
  readonly author: Author;
}): Trail {
  const said = Object.entries(author).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    stream: names.audit,
    keptForMs,
    common: Object.fromEntries(said),
    describe: (edits) => describeEdits(names, edits),
  };
}
