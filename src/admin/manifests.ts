import { createHash } from 'node:crypto';
import type { RecordReference } from '../catalog/references.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { MASK } from '../integrations/secrets/masks.ts';
import { sealBareSecrets } from '../integrations/secrets/seal-bare.ts';
import { SECRET_FIELDS } from '../integrations/secrets/secret-fields.ts';
import { acceptConfiguration } from '../integrations/secrets/written-configuration.ts';
import { makePlan } from '../manifests/apply.ts';
import type { Change } from '../manifests/changes.ts';
import type { ManifestFault, Wanted } from '../manifests/manifest.ts';
import { type ShownPlan, shownPlan } from '../manifests/shown-plan.ts';
import { isSystemRole } from '../rbac/permissions.ts';
import { auditFields } from '../record-fields.ts';
import { type Edit, unchanged } from '../redis/edits.ts';
import { type KeyNames, MANIFEST_KINDS, type ManifestKind } from '../redis/keys.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { Caller } from './access/caller.ts';
import { fieldsOf, rawOf, recordText } from './records.ts';

export interface PlannedManifest {
  readonly plan: ShownPlan;
  /** With any of these there is nothing to write. */
  readonly faults: readonly Pick<ManifestFault, 'record' | 'message'>[];
  /** The same for the same changes: what was shown is what is written, or nothing. */
  readonly digest: string;
  readonly edits: readonly Edit[];
}

/** What only we say of a record, whatever a manifest says of it. */
const OURS: ReadonlySet<string> = new Set([...Object.keys(auditFields), 'uid']);

/**
 * What a manifest changes when it comes over HTTP, by the rules for whoever writes there: secrets are sealed and never
 * references, system roles stay, who made a record and when is not the manifest's to say. The caller is ADMIN.
 */
export function planManifest(
  { names, keyring }: { readonly names: KeyNames; readonly keyring: Keyring },
  snapshot: Snapshot,
  caller: Caller,
  wanted: Wanted,
  { prune }: { readonly prune: boolean },
): PlannedManifest {
  const faults: Pick<ManifestFault, 'record' | 'message'>[] = [];
  const accepted = { ...wanted, records: new Map(wanted.records) };
  for (const kind of MANIFEST_KINDS) {
    const table = wanted.records.get(kind);
    if (table === undefined) continue;
    accepted.records.set(
      kind,
      new Map(
        [...table].map(([name, record]) => {
          const label = `${kind}.${name}`;
          const fault = (message: string, field = '') =>
            void faults.push({ record: label, message: `${label}${field && `.${field}`}: ${message}` });
          if (kind === 'roles' && isSystemRole(name)) fault('a role of the system, which cannot be made or changed');
          const body = kind === 'integrations' ? withAccepted(snapshot, name, record, keyring, fault) : record;
          return [name, { ...withoutOurs(body), ...oursIn(fieldsOf(snapshot, kind, name)) }] as const;
        }),
      ),
    );
  }
  const made = makePlan(snapshot, accepted, prune);
  faults.push(...made.dangling.map(({ record, message }) => ({ record, message })));
  const plan = shownPlan(made);
  return {
    plan,
    faults,
    digest: createHash('sha256').update(JSON.stringify(plan)).digest('hex'),
    edits: faults.length > 0 ? [] : editsOf(names, snapshot, caller, made.changes, wanted),
  };
}

function withAccepted(
  snapshot: Snapshot,
  name: string,
  record: Readonly<Record<string, unknown>>,
  keyring: Keyring,
  fault: (message: string, field: string) => void,
): Readonly<Record<string, unknown>> {
  const found = snapshot.integration(name);
  const stored = found.kind === 'found' ? found.record.configuration : undefined;
  const result = acceptConfiguration({
    ...{ name, stored, keyring, byAdmin: true },
    written: keepingSame(name, record, stored, keyring),
  });
  if (result.ok) return { ...record, configuration: result.configuration };
  for (const { field, message } of result.faults) fault(message, field);
  return record;
}

/** A secret that is stored already is kept, as if its mask were written: sealed anew it would be a change each time. */
function keepingSame(
  name: string,
  record: Readonly<Record<string, unknown>>,
  stored: Readonly<Record<string, unknown>> | undefined,
  keyring: Keyring,
): Readonly<Record<string, unknown>> {
  const written = record['configuration'] as Readonly<Record<string, unknown>>;
  if (stored === undefined) return written;
  const sealed = sealBareSecrets(name, record, { configuration: stored }, keyring);
  const after = sealed['configuration'] as Readonly<Record<string, unknown>>;
  const same = SECRET_FIELDS.filter((field) => written[field] !== after[field] && after[field] === stored[field]);
  return { ...written, ...Object.fromEntries(same.map((field) => [field, MASK])) };
}

function withoutOurs(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([field]) => !OURS.has(field)));
}

function oursIn(stored: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(stored ?? {}).filter(([field]) => OURS.has(field)));
}

function editsOf(
  names: KeyNames,
  snapshot: Snapshot,
  caller: Caller,
  changes: readonly Change[],
  { references }: Wanted,
): Edit[] {
  const edits = changes.flatMap((change) => editsFor(names, snapshot, caller, change));
  const said = new Set(changes.map(({ kind, name }) => `${kind} ${name}`));
  // What is named and stays as it is must be there still.
  const sure = new Map<string, Edit>();
  for (const { kind, name } of references satisfies readonly RecordReference[]) {
    const raw = rawOf(snapshot, kind, name);
    if (said.has(`${kind} ${name}`) || raw === undefined) continue;
    sure.set(`${kind} ${name}`, unchanged(names.hash(kind), name, raw));
  }
  return [...edits, ...sure.values()];
}

function editsFor(names: KeyNames, snapshot: Snapshot, caller: Caller, change: Change): Edit[] {
  const { kind, name, after } = change;
  if (change.kind === 'grants') {
    const { subject, target } = change;
    const before = snapshot.grantText(subject, target);
    return [{ key: names.grants(subject), field: target, before, after: after === null ? undefined : String(after) }];
  }
  if (kind === 'members') {
    const key = names.members(name);
    if (after === null) return [{ key, isGone: true }];
    const [old, fresh] = [snapshot.parts.members.get(name) ?? new Set<string>(), new Set(after as string[])];
    const gone = [...old].filter((member) => !fresh.has(member)).map((member) => ({ key, member, isMember: false }));
    return [...gone, ...[...fresh].map((member) => ({ key, member, isMember: true }))];
  }
  const record = kind as ManifestKind;
  return [
    {
      key: names.hash(record),
      field: name,
      before: rawOf(snapshot, record, name),
      after: after === null ? undefined : textOf(snapshot, caller, record, name, after as Record<string, unknown>),
    },
  ];
}

function textOf(
  snapshot: Snapshot,
  caller: Caller,
  kind: ManifestKind,
  name: string,
  after: Readonly<Record<string, unknown>>,
): string {
  const stored = fieldsOf(snapshot, kind, name);
  // The plan takes away a creator who goes, which the record that stands there does not know.
  const before = stored && { ...stored, createdBy: after['createdBy'] };
  return recordText(kind, after, { caller, before });
}

/** The keys that a manifest is compared with. */
export function keysOf(names: KeyNames, { members, grants }: Wanted): string[] {
  return [
    ...MANIFEST_KINDS.map((kind) => names.hash(kind)),
    ...[...members.keys()].map((group) => names.members(group)),
    ...[...grants.keys()].map((subject) => names.grants(subject)),
  ];
}
