import { isMap, isScalar, isSeq, LineCounter, type Pair, parseAllDocuments, visit, type YAMLMap } from 'yaml';
import type { ManifestKind } from '../redis/keys.ts';
import { type ManifestFault, type ManifestSource, type Place, SECTIONS, type Wanted } from './manifest.ts';
import { createManifestReader, type ManifestReader, type Said, shownPlace, withoutValue } from './reader.ts';

/** Reads and merges YAML manifests; every fault of every file is listed, and nothing is wanted unless there is none. */
export function parseManifests(sources: readonly ManifestSource[]): { wanted: Wanted; faults: ManifestFault[] } {
  const reader = createManifestReader();
  for (const source of sources) readSource(reader, source);
  return reader.result();
}

/** Where an offset of one document lies; without one, where the document begins. */
type PlaceAt = (offset: number | undefined) => Place;
type Node = Parameters<YAMLMap['toJS']>[0];

function readSource(reader: ManifestReader, { file, text }: ManifestSource): void {
  const lines = new LineCounter();
  // With a file of nothing but comments the library hands back an empty list, typed apart from documents.
  for (const document of [...parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false })]) {
    const at: PlaceAt = (offset) => {
      const { line, col } = lines.linePos(offset ?? document.range[0]);
      return { file, line, column: col };
    };
    for (const error of document.errors) reader.fault(at(error.pos[0]), yamlFault(error.message));
    const loose = document.errors.length > 0 ? [] : looseAliases(document);
    // Without its name: a secret that begins with a * is read as an alias.
    for (const offset of loose) reader.fault(at(offset), 'a *alias has no &anchor before it; quote plain text');
    // A tag such as !env, which the library warns of and drops: what was meant would be taken as plain text.
    for (const warning of document.warnings)
      reader.fault(at(warning.pos[0]), 'a !tag means nothing here; write the text itself');
    if (document.errors.length > 0 || loose.length > 0 || document.warnings.length > 0) continue;
    readDocument(reader, at, document);
  }
}

function readDocument(reader: ManifestReader, at: PlaceAt, document: Node & { readonly contents: unknown }): void {
  const root = document.contents;
  if (isEmpty(root)) return;
  if (!isMap(root)) return reader.fault(at(rangeOf(root)), `a manifest is a map with ${SECTIONS.join(', ')}`);
  for (const { key, first, again } of repeatedKeys(root)) {
    reader.fault(at(again), `"${key}" is already said at ${shownPlace(at(first))}`);
  }
  for (const section of root.items) {
    try {
      readSection(reader, at, section, document);
    } catch (error) {
      // The library's word for aliases of aliases that grow beyond measure.
      if (!(error instanceof ReferenceError)) throw error;
      reader.fault(at(rangeOf(section.key)), 'its *aliases expand to too much');
    }
  }
}

function readSection(reader: ManifestReader, at: PlaceAt, pair: Pair, document: Node): void {
  const place = at(rangeOf(pair.key));
  const node = pair.value;
  const kind = reader.section(keyOf(pair), place, isEmpty(node));
  if (kind === undefined || isEmpty(node)) return;
  const said = (value: unknown, begins: Place): Said => ({
    body: toPlain(value, document),
    place: begins,
    placeOf(field) {
      const offset = offsetOf(value, field);
      return offset === undefined ? undefined : at(offset);
    },
  });
  if (kind === 'grants') {
    if (!isSeq(node)) return reader.fault(at(rangeOf(node)), 'grants is a list of {subject, target, access}');
    for (const item of node.items) reader.grant(said(item, at(rangeOf(item))));
  } else {
    if (!isMap(node)) return reader.fault(place, `${kind} is a map from names to records`);
    for (const item of node.items) readRecord(kind, item);
  }

  function readRecord(of: ManifestKind, item: Pair): void {
    reader.record(of, keyOf(item), said(item.value, at(rangeOf(item.key))));
  }
}

/** '' for a key that is no text, such as `{…}: x`. */
function keyOf(pair: Pair): string {
  if (!isScalar(pair.key)) return '';
  // As it is written: 007 is a name, not the number 7.
  return typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? String(pair.key.value));
}

function rangeOf(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null)?.range?.[0];
}

/** The first line of the library's words, without the place and without what it read, which may be a secret. */
function yamlFault(message: string): string {
  const [line = ''] = message.split('\n');
  return line.replace(/ at line \d+.*$/, '').replace(/: .*$/, '');
}

/** Where aliases stand whose anchor does not exist: what they mean cannot be known. */
function looseAliases(document: Node): number[] {
  const offsets: number[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) offsets.push(rangeOf(alias) ?? 0);
    },
  });
  return offsets;
}

/** Keys said twice in one map, of which YAML would take the last. A kind's own map is left to who reads its records. */
function repeatedKeys(root: YAMLMap): { key: string; first: number; again: number }[] {
  const repeated: { key: string; first: number; again: number }[] = [];
  visit(root, {
    Map(_, map, path) {
      const isKind = path.length === 2;
      const offsets = new Map<string, number>();
      for (const pair of isKind ? [] : map.items) {
        const [key, offset] = [keyOf(pair), rangeOf(pair.key) ?? 0];
        const first = offsets.get(key);
        if (first === undefined) offsets.set(key, offset);
        else repeated.push({ key: withoutValue(key), first, again: offset });
      }
    },
  });
  return repeated;
}

function isEmpty(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function toPlain(node: unknown, document: Node): unknown {
  return node === null || node === undefined ? undefined : (node as YAMLMap).toJS(document);
}

/** Where the deepest part of a path that exists begins. */
function offsetOf(node: unknown, path: string): number | undefined {
  let here = node;
  let found: number | undefined;
  for (const step of path.split('.')) {
    if (isSeq(here) && /^\d+$/.test(step)) {
      here = here.items[Number(step)];
      found = rangeOf(here) ?? found;
      continue;
    }
    if (!isMap(here)) break;
    const pair = here.items.find((item) => keyOf(item) === step);
    if (pair === undefined) break;
    found = rangeOf(pair.key);
    here = pair.value;
  }
  return found;
}
