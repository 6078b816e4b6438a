import { applicationTarget, integrationTarget, promptTarget, type TargetId } from '../../rbac/grants.ts';
import { isSystemRole } from '../../rbac/permissions.ts';
import { applicationUser, subjectId, user } from '../../rbac/subject.ts';
import { ANY, type Edit } from '../../redis/edits.ts';
import { type KeyNames, MANIFEST_KINDS, type ManifestKind } from '../../redis/keys.ts';
import type { Snapshot } from '../snapshot.ts';

/** A record that is deleted, or made where none was. */
export interface RecordName {
  readonly kind: ManifestKind;
  readonly name: string;
}

/** A record, or something else that a change names, which then has no grants of its own. */
interface NamedThing {
  readonly kind: string;
  readonly name: string;
}

/**
 * Everything that would speak for another record of the same name: the grants of a subject, the grants on a target,
 * memberships, roles that are held, links between prompts and models, access keys, models without their integration, that
 * something was created by it. It goes with a record that is deleted, and is swept away where one is made whose name was
 * used before, so that nobody inherits rights. A user needs no record: what was granted before there was one is not swept
 * away when it is made.
 */
export function leftoversOf(snapshot: Snapshot, names: KeyNames, deleted: readonly RecordName[]): Edit[] {
  const orphans = modelsOf(snapshot, deleted);
  const gone = [...deleted, ...orphans];
  const named = new Set(gone.map(({ kind, name }) => `${kind} ${name}`));
  const isGone = (kind: ManifestKind, name: string): boolean => named.has(`${kind} ${name}`);
  const subjects = new Set<string>(gone.flatMap(subjectsOf));
  const targets = gone.flatMap(targetsOf);
  const edits = new Map<string, Edit>();
  // A record goes as it was when this was planned, and so on record; of what else goes nobody needs to know before.
  const drop = (key: string, field: string, before: string | typeof ANY = ANY): void => {
    edits.set(JSON.stringify([key, field]), { key, field, before, after: undefined });
  };

  const dropKey = (key: string): void => {
    edits.set(JSON.stringify([key]), { key, isGone: true });
  };

  const { grants, badGrants } = snapshot.parts;
  for (const subject of subjects) if (grants.has(subject) || badGrants.has(subject)) dropKey(names.grants(subject));
  for (const { subject, target } of snapshot.subjectsOn(targets)) {
    if (!subjects.has(subject)) drop(names.grants(subject), target);
  }
  const users = new Set([...subjects].filter((id) => id.startsWith('USER:')).map((id) => id.slice('USER:'.length)));
  for (const [group, members] of snapshot.parts.members) {
    if (isGone('groups', group)) dropKey(names.members(group));
    else
      for (const member of [...users].filter((id) => members.has(id))) {
        edits.set(JSON.stringify([group, member]), { key: names.members(group), member, isMember: false });
      }
  }
  for (const [id, { raw, lookup }] of snapshot.parts.tables['access-keys']) {
    if (lookup.kind !== 'found' || !isGone('applications', lookup.record.application)) continue;
    drop(names.hash('access-keys'), id, raw);
    drop(names.admin.keyHashes, id);
  }
  for (const { name } of orphans) drop(names.hash('models'), name, snapshot.parts.tables.models.get(name)?.raw);
  // Of the other kinds nobody speaks but grants, and many of them may be made at once.
  const isMentioned = gone.some(({ kind }) => kind === 'models' || kind === 'roles') || users.size > 0;
  for (const { kind, name, raw, after } of isMentioned ? mentionsOf(snapshot, isGone, users) : []) {
    edits.set(JSON.stringify([kind, name, 'mention']), { key: names.hash(kind), field: name, before: raw, after });
  }
  return [...edits.values()];
}

/** Models that an integration leaves behind: those of one that is deleted with them are named twice, which does not matter. */
export function modelsOf(snapshot: Snapshot, gone: readonly NamedThing[]): RecordName[] {
  const prefixes = gone.filter(({ kind }) => kind === 'integrations').map(({ name }) => `${name}:`);
  if (prefixes.length === 0) return [];
  return [...snapshot.names('models')]
    .filter((model) => prefixes.some((prefix) => model.startsWith(prefix)))
    .map((name) => ({ kind: 'models' as const, name }));
}

type IsGone = (kind: ManifestKind, name: string) => boolean;

/** A record that names what is gone: as it stands, and as it is without that. */
export interface Mention extends RecordName {
  readonly raw: string;
  readonly after: string;
}

/**
 * Records that name what is gone: prompts their models, whoever has roles those, and what was created its creator. A
 * system role is there without a record, and so is held without one.
 */
export function* mentionsOf(snapshot: Snapshot, isGone: IsGone, users: ReadonlySet<string>): Iterable<Mention> {
  for (const kind of MANIFEST_KINDS) {
    for (const [name, { raw, lookup }] of snapshot.parts.tables[kind]) {
      if (lookup.kind !== 'found' || isGone(kind, name)) continue;
      const { record } = lookup;
      const changes: Record<string, unknown> = {};
      if ('integrations' in record) keepIn(changes, 'integrations', record.integrations, (id) => !isGone('models', id));
      if ('roles' in record) keepIn(changes, 'roles', record.roles, (id) => isSystemRole(id) || !isGone('roles', id));
      if (users.has(record.createdBy ?? '')) changes['createdBy'] = undefined;
      if (Object.keys(changes).length === 0) continue;
      const after = JSON.stringify({ ...(JSON.parse(raw) as object), ...changes });
      yield { kind, name, raw, after };
    }
  }
}

function keepIn(
  changes: Record<string, unknown>,
  field: string,
  list: readonly string[],
  isKept: (id: string) => boolean,
): void {
  const kept = list.filter(isKept);
  if (kept.length < list.length) changes[field] = kept;
}

/** Whose grants are those of a record: as keys of grants name them. */
export function subjectsOf({ kind, name }: NamedThing): string[] {
  switch (kind) {
    case 'groups':
      return [subjectId({ type: 'GROUP', id: name })];
    case 'users':
      return [subjectId(user(name))];
    case 'applications':
      return [subjectId(applicationUser(name))];
    case 'roles':
      return [subjectId({ type: 'ROLE', id: name })];
    default:
      return [];
  }
}

/** What grants can be made on that is a record. */
export function targetsOf({ kind, name }: NamedThing): TargetId[] {
  switch (kind) {
    case 'integrations':
      return [integrationTarget(name)];
    case 'models':
      return [`INTEGRATION:${name}` as TargetId];
    case 'prompts':
      return [promptTarget(name)];
    case 'applications':
      return [applicationTarget(name)];
    default:
      return [];
  }
}
