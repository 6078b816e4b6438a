import { isMap, isScalar, LineCounter, type Pair, parseAllDocuments, visit, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { nameFault, RECORD_SCHEMAS } from '../catalog/records.ts';
import { didYouMean, parseValue } from '../parsing.ts';
import { ACCESSES, formatAccess, targetFault } from '../rbac/grants.ts';
import { parseSubjectId } from '../rbac/subject.ts';
import { MANIFEST_KINDS, type ManifestKind } from '../redis/keys.ts';

/** Something wrong in a manifest, at the line where a person would look for it. */
export interface ManifestFault {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** What manifests say Redis should hold, in the form in which Redis holds it. */
export interface Wanted {
  /** Kind → name → the record as it will be written. */
  readonly records: ReadonlyMap<ManifestKind, ReadonlyMap<string, Readonly<Record<string, unknown>>>>;
  /** Group → its members, of those groups whose manifest lists members. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** Subject → target → access, as `READ,EXECUTE`. */
  readonly grants: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The top-level maps that some manifest has: `--prune` touches no other kind. */
  readonly kinds: ReadonlySet<ManifestKind | 'grants'>;
}

export interface ManifestSource {
  /** Shown in faults. */
  readonly file: string;
  readonly text: string;
}

const SECTIONS = [...MANIFEST_KINDS, 'grants'] as const;

const grantSchema = z.strictObject({
  subject: z.string(),
  target: z.string(),
  access: z.array(z.enum(ACCESSES)).min(1, 'at least one of READ, EXECUTE, …'),
});

const memberList = z.array(z.string().min(1));

/** Reads and merges manifests; every fault of every file is listed, and nothing is wanted unless there is none. */
export function parseManifests(sources: readonly ManifestSource[]): { wanted: Wanted; faults: ManifestFault[] } {
  const reader = new ManifestReader();
  for (const source of sources) reader.read(source);
  return { wanted: reader.wanted, faults: reader.faults };
}

class ManifestReader {
  readonly faults: ManifestFault[] = [];
  readonly #records = new Map<ManifestKind, Map<string, Record<string, unknown>>>();
  readonly #members = new Map<string, Set<string>>();
  readonly #grants = new Map<string, Map<string, string>>();
  readonly #kinds = new Set<ManifestKind | 'grants'>();
  /** Where each record was first said, to name both places of one said twice. */
  readonly #places = new Map<string, string>();

  get wanted(): Wanted {
    return { records: this.#records, members: this.#members, grants: this.#grants, kinds: this.#kinds };
  }

  read({ file, text }: ManifestSource): void {
    const lines = new LineCounter();
    // With a file of nothing but comments the library hands back an empty list, typed apart from documents.
    const documents = [...parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false })];
    for (const document of documents) {
      const at = (offset: number | undefined): number => lines.linePos(offset ?? document.range[0]).line;
      for (const error of document.errors) {
        this.#fault(file, at(error.pos[0]), yamlFault(error.message));
      }
      const loose = document.errors.length > 0 ? [] : looseAliases(document);
      // Without its name: a secret that begins with a * is read as an alias.
      for (const offset of loose) this.#fault(file, at(offset), 'a *alias has no &anchor before it; quote plain text');
      // A tag such as !env, which the library warns of and drops: what was meant would be taken as plain text.
      for (const warning of document.warnings)
        this.#fault(file, at(warning.pos[0]), 'a !tag means nothing here; write the text itself');
      if (document.errors.length > 0 || loose.length > 0 || document.warnings.length > 0) continue;
      const root = document.contents;
      if (isEmpty(root)) continue;
      if (!isMap(root)) {
        this.#fault(file, at(rangeOf(root)), `a manifest is a map with ${SECTIONS.join(', ')}`);
        continue;
      }
      for (const { key, first, again } of repeatedKeys(root)) {
        this.#fault(file, at(again), `"${key}" is already said at ${file}:${at(first)}`);
      }
      for (const section of root.items) {
        try {
          this.#section(file, at, section, document);
        } catch (error) {
          // The library's word for aliases of aliases that grow beyond measure.
          if (!(error instanceof ReferenceError)) throw error;
          this.#fault(file, at(rangeOf(section.key)), 'its *aliases expand to too much');
        }
      }
    }
  }

  #section(file: string, at: LineOf, pair: Pair, document: Node): void {
    const name = keyOf(pair);
    const line = at(rangeOf(pair.key));
    if (!(SECTIONS as readonly string[]).includes(name)) {
      return this.#fault(
        file,
        line,
        `"${withoutValue(name)}" is not one of ${SECTIONS.join(', ')}.${didYouMean(name, SECTIONS)}`,
      );
    }
    const kind = name as ManifestKind | 'grants';
    this.#kinds.add(kind);
    const node = pair.value;
    if (isEmpty(node)) return;
    if (kind === 'grants') return this.#grantList(file, at, node, document);
    if (!isMap(node)) return this.#fault(file, line, `${kind} is a map from names to records`);
    for (const item of node.items) this.#record(file, at, kind, item, document);
  }

  #record(file: string, at: LineOf, kind: ManifestKind, pair: Pair, document: Node): void {
    const name = keyOf(pair);
    const line = at(rangeOf(pair.key));
    const badName = nameFault(kind, name);
    // A name that is none may be a line that lost its colon, secret and all.
    if (badName !== undefined) return this.#fault(file, line, `${kind}.${shownName(name)}: ${badName}`);
    if (this.#saidTwice(file, line, `${kind}.${name}`)) return;

    const body = toPlain(pair.value, document) ?? {};
    const { members, ...record } = isRecord(body) ? body : { members: undefined };
    const read = parseValue(
      kind === 'groups' && isRecord(body) ? record : body,
      RECORD_SCHEMAS[kind] as z.ZodType<unknown>,
    );
    if (!read.ok) {
      for (const { field, message } of read.faults) {
        this.#fault(
          file,
          at(offsetOf(pair.value, field) ?? rangeOf(pair.key)),
          `${kind}.${name}${field && `.${withoutValue(field)}`}: ${message}`,
        );
      }
      return;
    }
    if (kind === 'groups' && members !== undefined) {
      const list = parseValue(members, memberList);
      if (!list.ok)
        return this.#fault(file, at(offsetOf(pair.value, 'members')), `${kind}.${name}.members: a list of user ids`);
      this.#members.set(name, new Set(list.value));
    }
    const records = this.#records.get(kind) ?? new Map();
    this.#records.set(kind, records.set(name, kind === 'groups' ? record : (body as Record<string, unknown>)));
  }

  #grantList(file: string, at: LineOf, node: unknown, document: Node): void {
    const items = (node as { items?: unknown[] }).items;
    if (isMap(node) || !Array.isArray(items)) {
      return this.#fault(file, at(rangeOf(node)), 'grants is a list of {subject, target, access}');
    }
    for (const item of items) {
      const line = at(rangeOf(item));
      const read = parseValue(toPlain(item, document), grantSchema);
      if (!read.ok) {
        for (const { field, message } of read.faults) {
          this.#fault(file, at(offsetOf(item, field) ?? rangeOf(item)), `grants: ${field && `${field}: `}${message}`);
        }
        continue;
      }
      const { subject, target, access } = read.value;
      const badSubject =
        parseSubjectId(subject) === undefined ? 'a subject is USER:id, GROUP:id or ROLE:id' : undefined;
      const bad = badSubject ?? targetFault(target);
      if (bad !== undefined) {
        this.#fault(file, line, `grants: ${bad}`);
      } else if (!this.#saidTwice(file, line, `the grant of ${subject} on ${target}`)) {
        const grants = this.#grants.get(subject) ?? new Map();
        this.#grants.set(subject, grants.set(target, formatAccess(access)));
      }
    }
  }

  #saidTwice(file: string, line: number, what: string): boolean {
    const first = this.#places.get(what);
    if (first !== undefined) this.#fault(file, line, `${what} is already said at ${first}`);
    else this.#places.set(what, `${file}:${line}`);
    return first !== undefined;
  }

  #fault(file: string, line: number, message: string): void {
    this.faults.push({ file, line, message });
  }
}

type LineOf = (offset: number | undefined) => number;
type Node = Parameters<YAMLMap['toJS']>[0];

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

/** A path without what may be a value: `api_key:SECRET`, with no space after its colon, is all key to YAML. */
function withoutValue(path: string): string {
  const steps = path.split('.').map((step) => (/^\w{1,20}$/.test(step) ? step : `${/^\w{0,8}/.exec(step)}…`));
  return steps.join('.');
}

/** A name that is none, as far as it can be no secret: to the first space or quote, and no long run of characters. */
function shownName(name: string): string {
  const [first = ''] = name.split(/[\s"'=]/);
  const shown = first.replaceAll(/[^.:_-]{14,}/g, (run) => `${run.slice(0, 8)}…`);
  return first === name ? shown : `${shown}…`;
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where the deepest part of a path that exists begins. */
function offsetOf(node: unknown, path: string): number | undefined {
  let here = node;
  let found: number | undefined;
  for (const step of path.split('.')) {
    if (!isMap(here)) break;
    const pair = here.items.find((item) => keyOf(item) === step);
    if (pair === undefined) break;
    found = rangeOf(pair.key);
    here = pair.value;
  }
  return found;
}
