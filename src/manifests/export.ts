import {
  describeRecord,
  type RecordReference,
  recordOfMember,
  recordOfModel,
  recordOfSubject,
  recordOfTarget,
} from '../catalog/references.ts';
import type { RecordTable, Snapshot } from '../catalog/snapshot.ts';
import { hasValue, MASK, MASKED_FIELDS } from '../integrations/secrets/masks.ts';
import { secretForm } from '../integrations/secrets/secret-fields.ts';
import { formatAccess } from '../rbac/grants.ts';
import { MANIFEST_KINDS, type ManifestKind } from '../redis/keys.ts';
import { grantName } from './changes.ts';
import type { Section } from './manifest.ts';

/** One grant, as a manifest says it. */
export interface ExportedGrant {
  readonly subject: string;
  readonly target: string;
  readonly access: readonly string[];
}

/** What Redis holds and a manifest of it does not. */
export interface LeftOut {
  /** `members` of a group that has no record. */
  readonly kind: Section | 'members';
  readonly name: string;
  /** A path within the record, such as `configuration.api_key`; '' for the whole. */
  readonly field: string;
  readonly reason: string;
  /** `secret`: a mask stands in its place; where nothing is stored, it is to be given by hand. `unusable`: it counts for nothing where it is, either. */
  readonly why: 'secret' | 'unusable';
}

export interface Exported {
  readonly records: ReadonlyMap<ManifestKind, ReadonlyMap<string, Readonly<Record<string, unknown>>>>;
  readonly grants: readonly ExportedGrant[];
  readonly leftOut: readonly LeftOut[];
}

const MASKED_REASON = 'the mask in its place keeps what is stored; where nothing is, give it by hand';

/**
 * The manifests that would recreate these records in an empty Redis, in a stable order. Left out, and told: secrets but
 * those that are references, with a mask in their place that apply takes for what is stored; what cannot be read, and what names records that are not there. An application's `uid` belongs
 * to its access keys, which stay where they are, as the keys of tokens do.
 */
export function exportManifests(snapshot: Snapshot): Exported {
  const leftOut: LeftOut[] = [];
  const omit = (kind: LeftOut['kind'], name: string, field: string, reason: string, why: LeftOut['why'] = 'unusable') =>
    void leftOut.push({ kind, name, field, reason, why });
  const records = new Map<ManifestKind, Map<string, Record<string, unknown>>>();
  const isThere = ({ kind, name }: RecordReference): boolean => records.get(kind)?.has(name) === true;

  for (const kind of MANIFEST_KINDS) {
    const table = new Map<string, Record<string, unknown>>();
    records.set(kind, table);
    for (const [name, { raw, lookup }] of sorted(snapshot.parts.tables[kind] as RecordTable<ManifestKind>)) {
      if (lookup.kind !== 'found') {
        omit(kind, name, '', `it cannot be read: ${lookup.fault.message}`);
        continue;
      }
      const model = kind === 'models' ? recordOfModel(name) : undefined;
      if (model !== undefined && !isThere(model)) {
        omit(kind, name, '', missing(model));
        continue;
      }
      table.set(name, JSON.parse(raw) as Record<string, unknown>);
    }
  }
  for (const [name, record] of tableOf('integrations')) withoutSecrets(name, record);
  for (const [name, record] of tableOf('prompts')) withoutLooseLinks(name, record);
  for (const [, record] of tableOf('applications')) delete record['uid'];
  for (const [group, members] of sorted(snapshot.parts.members)) withMembers(group, members);
  return { records, grants: exportedGrants(), leftOut };

  function tableOf(kind: ManifestKind): Map<string, Record<string, unknown>> {
    return records.get(kind) ?? new Map();
  }

  function withoutSecrets(name: string, record: Record<string, unknown>): void {
    const configuration = { ...(record['configuration'] as Record<string, unknown>) };
    for (const field of MASKED_FIELDS) {
      const value = configuration[field];
      const form = typeof value === 'string' ? secretForm(value) : 'bare';
      const isReference = field !== 'awsAccountId' && (form === 'environment' || form === 'file');
      if (!hasValue(value) || isReference) continue;
      configuration[field] = MASK;
      omit('integrations', name, `configuration.${field}`, MASKED_REASON, 'secret');
    }
    record['configuration'] = configuration;
  }

  function withoutLooseLinks(name: string, record: Record<string, unknown>): void {
    const links = record['integrations'];
    if (!Array.isArray(links)) return;
    const kept = (links as string[]).filter((link) => {
      const model = { kind: 'models' as const, name: link };
      if (!isThere(model)) omit('prompts', name, 'integrations', missing(model));
      return isThere(model);
    });
    if (kept.length < links.length) record['integrations'] = kept;
  }

  function withMembers(group: string, members: ReadonlySet<string>): void {
    const record = tableOf('groups').get(group);
    if (record === undefined) return omit('members', group, '', missing({ kind: 'groups', name: group }));
    record['members'] = [...members].sort().filter((member) => {
      const application = recordOfMember(member);
      if (application !== undefined && !isThere(application)) omit('groups', group, 'members', missing(application));
      return application === undefined || isThere(application);
    });
  }

  function exportedGrants(): ExportedGrant[] {
    const grants: ExportedGrant[] = [];
    for (const [subject, bad] of sorted(snapshot.parts.badGrants)) {
      for (const [target, { fault }] of bad) omit('grants', grantName(subject, target), '', fault.message);
    }
    for (const [subject, targets] of sorted(snapshot.parts.grants)) {
      for (const [target, access] of sorted(targets)) {
        const loose = [recordOfSubject(subject), recordOfTarget(target)].find(
          (record) => record !== undefined && !isThere(record),
        );
        if (loose === undefined) grants.push({ subject, target, access: formatAccess(access).split(',') });
        else omit('grants', grantName(subject, target), '', missing(loose));
      }
    }
    return grants;
  }
}

function missing(record: RecordReference): string {
  return `${describeRecord(record)} is not there, or not in this export`;
}

/** By name, in the order of Unicode: the same whatever the machine's language. */
function sorted<T>(table: Iterable<readonly [string, T]>): (readonly [string, T])[] {
  return [...table].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
