import { isMap, isScalar, LineCounter, type Pair, parseAllDocuments, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { nameFault, RECORD_SCHEMAS } from '../catalog/records.ts';
import { didYouMean, parseValue } from '../parsing.ts';
import { ACCESSES, formatAccess, targetFault } from '../rbac/grants.ts';
import { parseSubjectId } from '../rbac/subject.ts';
import { HASH_KINDS, type HashKind } from '../redis/keys.ts';

/** Something wrong in a manifest, at the line where a person would look for it. */
export interface ManifestFault {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** What manifests say Redis should hold, in the form in which Redis holds it. */
export interface Wanted {
  /** Kind → name → the record as it will be written. */
  readonly records: ReadonlyMap<HashKind, ReadonlyMap<string, Readonly<Record<string, unknown>>>>;
  /** Group → its members, of those groups whose manifest lists members. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** Subject → target → access, as `READ,EXECUTE`. */
  readonly grants: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The top-level maps that some manifest has: `--prune` touches no other kind. */
  readonly kinds: ReadonlySet<HashKind | 'grants'>;
}

export interface ManifestSource {
  /** Shown in faults. */
  readonly file: string;
  readonly text: string;
}

const SECTIONS = [...HASH_KINDS, 'grants'] as const;

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
  readonly #records = new Map<HashKind, Map<string, Record<string, unknown>>>();
  readonly #members = new Map<string, Set<string>>();
  readonly #grants = new Map<string, Map<string, string>>();
  readonly #kinds = new Set<HashKind | 'grants'>();
  /** Where each record was first said, to name both places of one said twice. */
  readonly #places = new Map<string, string>();

  get wanted(): Wanted {
    return { records: this.#records, members: this.#members, grants: this.#grants, kinds: this.#kinds };
  }

  read({ file, text }: ManifestSource): void {
    const lines = new LineCounter();
    // With a file of nothing but comments the library hands back an empty list, typed apart from documents.
    const documents = [...parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })];
    for (const document of documents) {
      const at = (offset: number | undefined): number => lines.linePos(offset ?? document.range[0]).line;
      for (const error of document.errors) {
        this.#fault(file, at(error.pos[0]), error.message.split('\n')[0]?.replace(/ at line \d+.*$/, '') ?? 'not YAML');
      }
      if (document.errors.length > 0 || document.contents === null) continue;
      const root = document.contents;
      if (!isMap(root)) {
        this.#fault(file, at(rangeOf(root)), `a manifest is a map with ${SECTIONS.join(', ')}`);
        continue;
      }
      for (const section of root.items) this.#section(file, at, section, document);
    }
  }

  #section(file: string, at: LineOf, pair: Pair, document: Node): void {
    const name = keyOf(pair);
    const line = at(rangeOf(pair.key));
    if (!(SECTIONS as readonly string[]).includes(name)) {
      return this.#fault(file, line, `"${name}" is not one of ${SECTIONS.join(', ')}.${didYouMean(name, SECTIONS)}`);
    }
    const kind = name as HashKind | 'grants';
    this.#kinds.add(kind);
    const node = pair.value;
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (kind === 'grants') return this.#grantList(file, at, node, document);
    if (!isMap(node)) return this.#fault(file, line, `${kind} is a map from names to records`);
    for (const item of node.items) this.#record(file, at, kind, item, document);
  }

  #record(file: string, at: LineOf, kind: HashKind, pair: Pair, document: Node): void {
    const name = keyOf(pair);
    const line = at(rangeOf(pair.key));
    const badName = nameFault(kind, name);
    if (badName !== undefined) return this.#fault(file, line, `${kind}.${name}: ${badName}`);
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
          `${kind}.${name}${field && `.${field}`}: ${message}`,
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

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function rangeOf(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null)?.range?.[0];
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
