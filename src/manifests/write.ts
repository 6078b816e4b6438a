import { Document, isMap, isScalar, type Scalar, type YAMLMap } from 'yaml';
import { visible } from '../visible.ts';
import type { Exported, LeftOut } from './export.ts';
import { SECTIONS, type Section } from './manifest.ts';

/** A manifest as plain values; only kinds that have something, in the order of SECTIONS. */
export function manifestValue({ records, grants }: Exported, kinds: readonly Section[]): Record<string, unknown> {
  const sections = SECTIONS.filter((section) => kinds.includes(section)).map((section) => {
    if (section === 'grants') return [section, grants.length === 0 ? undefined : grants] as const;
    const table = records.get(section);
    return [section, table === undefined || table.size === 0 ? undefined : Object.fromEntries(table)] as const;
  });
  return Object.fromEntries(sections.filter(([, value]) => value !== undefined));
}

/** The same as YAML, with a comment for each thing that is left out: a missing secret's stands above its record. */
export function manifestText(exported: Exported, kinds: readonly Section[]): string {
  const document = new Document(manifestValue(exported, kinds), { aliasDuplicateObjects: false });
  const left = exported.leftOut.filter(({ kind }) => kinds.includes(kind === 'members' ? 'groups' : kind));
  for (const out of left) if (out.why === 'secret') commentOn(document, out);
  const unusable = left.filter(({ why }) => why === 'unusable').map((out) => ` ${describeLeftOut(out)}`);
  document.commentBefore = [' Written by bedrock-cohere export; bedrock-cohere apply takes it.', ...unusable].join(
    '\n',
  );
  const isEmpty = isMap(document.contents) && document.contents.items.length === 0;
  // A flow map `{}` is what nothing looks like, and is no beginning for somebody who adds to it.
  return isEmpty ? `#${document.commentBefore.replaceAll('\n', '\n#')}\n` : document.toString({ lineWidth: 0 });
}

/** One line, whatever names hold. */
export function describeLeftOut({ kind, name, field, reason }: LeftOut): string {
  return visible(`${kind} ${name}${field && ` ${field}`} is left out: ${reason}`);
}

function commentOn(document: Document, out: LeftOut): void {
  const table = document.get(out.kind);
  if (!isMap(table)) return;
  const pair = (table as YAMLMap).items.find(({ key }) => isScalar(key) && key.value === out.name);
  const key = pair?.key as Scalar | undefined;
  if (key === undefined) return;
  const line = ` ${describeLeftOut(out)}`;
  key.commentBefore = key.commentBefore ? `${key.commentBefore}\n${line}` : line;
}
