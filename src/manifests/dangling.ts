import { describeRecord } from '../catalog/references.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { didYouMean } from '../parsing.ts';
import type { ManifestKind } from '../redis/keys.ts';
import type { Change } from './changes.ts';
import type { ManifestFault, Wanted } from './manifest.ts';

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
  return wanted.references
    .filter(({ kind, name }) => !isThere(kind, name))
    .map(({ record, kind, name, file, line, column }) => {
      const said = [...(wanted.records.get(kind)?.keys() ?? [])];
      const known = [...said, ...snapshot.names(kind)].filter((other) => isThere(kind, other));
      const hint = didYouMean(name, known);
      return {
        file,
        line,
        column,
        record,
        message: `${record}: ${describeRecord({ kind, name })} does not exist.${hint}`,
      };
    });
}
