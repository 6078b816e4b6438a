import { describeRecord } from '../catalog/references.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { didYouMean } from '../parsing.ts';
import type { ManifestKind } from '../redis/keys.ts';
import type { Change } from './changes.ts';
import type { ManifestFault, Wanted } from './manifest.ts';

/** Each hint compares a name with all that are there, while nothing else runs: that many faults have one. */
const MAX_HINTS = 20;
/** With how many of the names that are there one is compared; those of the manifests come first. */
const MAX_KNOWN = 10_000;

/**
 * What manifests name and there would not be: a model's integration, a prompt's models, the application that is a member,
 * whom and what a grant is for. `changes` are those that the manifests make of the snapshot.
 */
export function danglingReferences(
  snapshot: Snapshot,
  wanted: Wanted,
  changes: readonly Pick<Change, 'action' | 'kind' | 'name'>[],
): ManifestFault[] {
  const gone = new Set(changes.filter(({ action }) => action === 'delete').map(({ kind, name }) => `${kind} ${name}`));
  const isThere = (kind: ManifestKind, name: string): boolean =>
    wanted.places.has(`${kind}.${name}`) ||
    (snapshot.lookup(kind, name).kind !== 'absent' && !gone.has(`${kind} ${name}`));
  const hintFor = createHints((kind) =>
    [...(wanted.records.get(kind)?.keys() ?? []), ...snapshot.names(kind)].filter((other) => isThere(kind, other)),
  );
  return wanted.references
    .filter(({ kind, name }) => !isThere(kind, name))
    .map(({ record, kind, name, file, line, column }, index) => {
      const hint = index < MAX_HINTS ? hintFor(kind, name) : '';
      return {
        file,
        line,
        column,
        record,
        message: `${record}: ${describeRecord({ kind, name })} does not exist.${hint}`,
      };
    });
}

function createHints(namesThere: (kind: ManifestKind) => string[]): (kind: ManifestKind, name: string) => string {
  const known = new Map<ManifestKind, readonly string[]>();
  const hints = new Map<string, string>();
  return (kind, name) => {
    const names = known.get(kind) ?? namesThere(kind).slice(0, MAX_KNOWN);
    known.set(kind, names);
    const hint = hints.get(`${kind} ${name}`) ?? didYouMean(name, names);
    hints.set(`${kind} ${name}`, hint);
    return hint;
  };
}
