import type { KeyContent } from '../../src/catalog/read-keys.ts';
import { rebuild } from '../../src/catalog/rebuild.ts';
import { NOTHING, Snapshot } from '../../src/catalog/snapshot.ts';
import type { Wanted } from '../../src/manifests/manifest.ts';
import { parseManifests } from '../../src/manifests/parse.ts';
import { type HashKind, keyNames } from '../../src/redis/keys.ts';

export interface World {
  /** Kind → name → record; a string goes in as it is, readable or not. */
  readonly records?: Partial<Record<HashKind, Readonly<Record<string, unknown>>>>;
  readonly members?: Readonly<Record<string, readonly string[]>>;
  /** Subject → target → access. */
  readonly grants?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What a command would have read from a Redis with these contents. */
export async function snapshotOf({ records = {}, members = {}, grants = {} }: World): Promise<Snapshot> {
  const names = keyNames('t:');
  const contents = new Map<string, KeyContent>();
  for (const [kind, table] of Object.entries(records)) {
    const fields = Object.fromEntries(
      Object.entries(table).map(([name, record]) => [
        name,
        typeof record === 'string' ? record : JSON.stringify(record),
      ]),
    );
    contents.set(names.hash(kind as HashKind), { kind: 'hash', fields });
  }
  for (const [group, list] of Object.entries(members))
    contents.set(names.members(group), { kind: 'set', members: list });
  for (const [subject, fields] of Object.entries(grants)) contents.set(names.grants(subject), { kind: 'hash', fields });
  return new Snapshot(await rebuild(NOTHING, names, contents));
}

/** What one manifest wants. @throws where it has a fault */
export function wantedOf(text: string): Wanted {
  const { wanted, faults } = parseManifests([{ file: 'm.yaml', text }]);
  if (faults.length > 0) throw new Error(`not a good manifest: ${JSON.stringify(faults)}`);
  return wanted;
}
