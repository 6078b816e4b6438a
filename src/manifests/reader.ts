import type { z } from 'zod';
import { z as zod } from 'zod';
import { nameFault, RECORD_SCHEMAS } from '../catalog/records.ts';
import { type RecordReference, recordOfSubject, recordOfTarget } from '../catalog/references.ts';
import { MASK, MASKED_FIELDS } from '../integrations/secrets/masks.ts';
import { configurationOf } from '../integrations/secrets/secret-fields.ts';
import { didYouMean, parseValue } from '../parsing.ts';
import { ACCESSES, formatAccess, targetFault } from '../rbac/grants.ts';
import { parseSubjectId } from '../rbac/subject.ts';
import type { ManifestKind } from '../redis/keys.ts';
import {
  type ManifestFault,
  type NamedRecord,
  type NamedRole,
  type Place,
  SECTIONS,
  type Section,
  type Wanted,
} from './manifest.ts';
import { namedRecords, namedRoles } from './named-records.ts';

const grantSchema = zod.strictObject({
  subject: zod.string(),
  target: zod.string(),
  access: zod.array(zod.enum(ACCESSES)).min(1, 'at least one of READ, EXECUTE, …'),
});
/** Whom and what a grant is for, where something else of it is wrong. */
const grantNames = zod.object({ subject: grantSchema.shape.subject, target: grantSchema.shape.target });
const memberList = zod.array(zod.string().min(1));

/** Something said in a manifest, as plain values, and where its parts stand. */
export interface Said {
  readonly body: unknown;
  readonly place: Place;
  /** Where the deepest part of a path such as `configuration.region` stands that is there; undefined where none is. */
  placeOf(field: string): Place | undefined;
}

/** Gathers what manifests say, whatever they are written in; every fault of it is listed. */
export interface ManifestReader {
  fault(place: Place, message: string, record?: string): void;
  /**
   * The section of this name; a fault, and undefined, where there is none. One that says nothing, not even `{}`, is not named:
   * pruning, a forgotten line would take all of its kind.
   */
  section(name: string, place: Place, saysNothing: boolean): Section | undefined;
  record(kind: ManifestKind, name: string, said: Said): void;
  grant(said: Said): void;
  result(): { readonly wanted: Wanted; readonly faults: ManifestFault[] };
}

export function createManifestReader(): ManifestReader {
  const faults: ManifestFault[] = [];
  const records = new Map<ManifestKind, Map<string, Record<string, unknown>>>();
  const members = new Map<string, Set<string>>();
  const grants = new Map<string, Map<string, string>>();
  const kinds = new Set<Section>();
  const references: NamedRecord[] = [];
  const roles: NamedRole[] = [];
  /** Where each record was first said, to name both places of one said twice. */
  const places = new Map<string, Place>();

  const masks = new Map<string, Place>();

  function fault({ file, line, column }: Place, message: string, record = ''): void {
    faults.push({ file, line, column, record, message });
  }

  function saidTwice(place: Place, what: string): boolean {
    const first = places.get(what);
    if (first !== undefined) fault(place, `${what} is already said at ${shownPlace(first)}`, what);
    else places.set(what, place);
    return first !== undefined;
  }

  function refer(record: string, to: RecordReference | undefined, place: Place): void {
    if (to !== undefined) references.push({ record, ...to, ...place });
  }

  function readMembers(group: string, label: string, list: unknown, said: Said): void {
    const read = parseValue(list, memberList);
    if (read.ok) members.set(group, new Set(read.value));
    else fault(said.placeOf('members') ?? said.place, `${label}.members: a list of user ids`, label);
  }

  return {
    fault,
    section(name, place, saysNothing) {
      const known = SECTIONS.find((section) => section === name);
      if (known !== undefined && !saysNothing) kinds.add(known);
      if (known === undefined)
        fault(place, `"${withoutValue(name)}" is not one of ${SECTIONS.join(', ')}.${didYouMean(name, SECTIONS)}`);
      return known;
    },
    record(kind, name, said) {
      const badName = nameFault(kind, name);
      // A name that is none may be a line that lost its colon, secret and all.
      if (badName !== undefined) return fault(said.place, `${kind}.${shownName(name)}: ${badName}`);
      const label = `${kind}.${name}`;
      if (saidTwice(said.place, label)) return;

      const body = said.body ?? {};
      const at = (field: string) => said.placeOf(field) ?? said.place;
      for (const { field, to } of namedRecords(kind, name, body)) refer(label, to, at(field));
      for (const { field, to: role } of namedRoles(kind, body))
        roles.push({ record: label, role, by: 'holder', ...at(field) });
      const { members: list, ...record } = isRecord(body) ? body : { members: undefined };
      const read = parseValue(
        kind === 'groups' && isRecord(body) ? record : body,
        RECORD_SCHEMAS[kind] as z.ZodType<unknown>,
      );
      if (!read.ok) {
        for (const { field, message } of read.faults) {
          const path = field === '' ? '' : `.${withoutValue(field)}`;
          fault(at(field), `${label}${path}: ${message}`, label);
        }
      }
      if (kind === 'groups' && list !== undefined) readMembers(name, label, list, said);
      if (!read.ok) return;
      if (kind === 'integrations') {
        for (const field of MASKED_FIELDS.filter((each) => configurationOf(body)[each] === MASK)) {
          const path = `configuration.${field}`;
          masks.set(`${label}.${path}`, at(path));
        }
      }
      const table = records.get(kind) ?? new Map();
      records.set(kind, table.set(name, kind === 'groups' ? record : (body as Record<string, unknown>)));
    },
    grant(said) {
      const at = (field: string) => said.placeOf(field) ?? said.place;
      const read = parseValue(said.body, grantSchema);
      if (!read.ok) {
        for (const { field, message } of read.faults)
          fault(at(field), `grants: ${field && `${withoutValue(field)}: `}${message}`);
      }
      const named = grantNames.safeParse(said.body).data;
      if (named === undefined) return;
      const { subject, target } = named;
      const holder = parseSubjectId(subject);
      const badTarget = targetFault(target);
      if (holder === undefined) fault(at('subject'), 'grants: a subject is USER:id, GROUP:id or ROLE:id');
      if (badTarget !== undefined) fault(at('target'), `grants: ${badTarget}`);
      if (holder === undefined || badTarget !== undefined) return;
      const label = grantLabel(subject, target);
      if (saidTwice(said.place, label)) return;
      refer(label, recordOfSubject(subject), at('subject'));
      refer(label, recordOfTarget(target), at('target'));
      if (holder.type === 'ROLE') roles.push({ record: label, role: holder.id, by: 'grant', ...at('subject') });
      if (!read.ok) return;
      const { access } = read.value;
      const targets = grants.get(subject) ?? new Map();
      grants.set(subject, targets.set(target, formatAccess(access)));
    },
    result: () => ({ wanted: { records, members, grants, kinds, references, roles, places, masks }, faults }),
  };
}

/** How faults and `wanted.places` name a grant. */
export function grantLabel(subject: string, target: string): string {
  return `the grant of ${subject} on ${target}`;
}

/** `file:line:column`, as editors and terminals open it; nothing for what came without a file. */
export function shownPlace({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** A path without what may be a value: `api_key:SECRET`, with no space after its colon, is all key to YAML. */
export function withoutValue(path: string): string {
  const steps = path.split('.').map((step) => (/^\w{1,20}$/.test(step) ? step : `${/^\w{0,8}/.exec(step)}…`));
  return steps.join('.');
}

/** A name that is none, as far as it can be no secret: to the first space or quote, and no long run of characters. */
function shownName(name: string): string {
  const [first = ''] = name.split(/[\s"'=]/);
  const shown = first.replaceAll(/[^.:_-]{14,}/g, (run) => `${run.slice(0, 8)}…`);
  return first === name ? shown : `${shown}…`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
