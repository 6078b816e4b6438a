import type { ManifestFault, Place, Wanted } from './manifest.ts';
import { SECTIONS } from './manifest.ts';
import { createManifestReader, type Said } from './reader.ts';

/** What came over HTTP has no lines: faults name the record alone. */
const NOWHERE: Place = { file: '', line: 0, column: 0 };

/** Reads a manifest that is plain values, as JSON brings it; every fault is listed. */
export function readManifestValue(manifest: Readonly<Record<string, unknown>>): {
  wanted: Wanted;
  faults: ManifestFault[];
} {
  const reader = createManifestReader();
  for (const [name, content] of Object.entries(manifest)) {
    const section = reader.section(name, NOWHERE, content === null);
    if (section === undefined || content === null) continue;
    if (section === 'grants') {
      if (!Array.isArray(content)) reader.fault(NOWHERE, 'grants is a list of {subject, target, access}');
      else for (const grant of content) reader.grant(said(grant));
    } else if (typeof content !== 'object' || Array.isArray(content)) {
      reader.fault(NOWHERE, `${section} is a map from names to records`);
    } else {
      for (const [record, body] of Object.entries(content as object)) reader.record(section, record, said(body));
    }
  }
  return reader.result();
}

function said(body: unknown): Said {
  return { body: body ?? undefined, place: NOWHERE, placeOf: () => undefined };
}

/** What manifests want, as one manifest of plain values. */
export function manifestOf({ records, members, grants, kinds }: Wanted): Record<string, unknown> {
  const manifest: Record<string, unknown> = {};
  for (const section of SECTIONS.filter((each) => kinds.has(each))) {
    if (section === 'grants') {
      manifest[section] = [...grants].flatMap(([subject, targets]) =>
        [...targets].map(([target, access]) => ({ subject, target, access: access.split(',') })),
      );
      continue;
    }
    const table = [...(records.get(section) ?? [])].map(([name, record]) => {
      const list = section === 'groups' ? members.get(name) : undefined;
      return [name, list === undefined ? record : { ...record, members: [...list] }] as const;
    });
    manifest[section] = Object.fromEntries(table);
  }
  return manifest;
}
