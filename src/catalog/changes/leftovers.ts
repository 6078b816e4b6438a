import { applicationTarget, integrationTarget, promptTarget, type TargetId } from '../../rbac/grants.ts';
import { applicationUser, subjectId, user } from '../../rbac/subject.ts';
import { ANY, type Edit } from '../../redis/edits.ts';
import type { KeyNames, ManifestKind } from '../../redis/keys.ts';
import type { Snapshot } from '../snapshot.ts';

/** A record that is deleted, or made where none was. */
export interface RecordName {
  readonly kind: ManifestKind;
  readonly name: string;
}

/**
 * Everything that would speak for another record of the same name: the grants of a subject, the grants on a target,
 * memberships, roles that are held, links between prompts and models, access keys. It goes with a record that is deleted, and
 * is swept away where one is made whose name was used before, so that nobody inherits rights. A user needs no record: what
 * was granted before there was one is not swept away when it is made.
 */
export function leftoversOf(snapshot: Snapshot, names: KeyNames, gone: readonly RecordName[]): Edit[] {
  const named = new Set(gone.map(({ kind, name }) => `${kind} ${name}`));
  const isGone = (kind: ManifestKind, name: string): boolean => named.has(`${kind} ${name}`);
  const subjects = new Set<string>(gone.flatMap(subjectsOf));
  const targets = gone.flatMap(targetsOf);
  const edits = new Map<string, Edit>();
  const drop = (key: string, field: string): void => {
    edits.set(JSON.stringify([key, field]), { key, field, before: ANY, after: undefined });
  };

  const dropKey = (key: string): void => {
    edits.set(JSON.stringify([key]), { key, isGone: true });
  };

  for (const subject of subjects) if (snapshot.parts.grants.has(subject)) dropKey(names.grants(subject));
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
  for (const [id, { lookup }] of snapshot.parts.tables['access-keys']) {
    if (lookup.kind !== 'found' || !isGone('applications', lookup.record.application)) continue;
    drop(names.hash('access-keys'), id);
    drop(names.admin.keyHashes, id);
  }
  for (const edit of [...promptsWithout(snapshot, names, isGone), ...holdersWithout(snapshot, names, isGone)]) {
    edits.set(JSON.stringify([edit.key, edit.field]), edit);
  }
  return [...edits.values()];
}

type IsGone = (kind: ManifestKind, name: string) => boolean;

/** Prompts that are associated with a model that is gone. */
function* promptsWithout(snapshot: Snapshot, names: KeyNames, isGone: IsGone) {
  for (const [name, { raw, lookup }] of snapshot.parts.tables.prompts) {
    if (lookup.kind !== 'found' || isGone('prompts', name)) continue;
    const kept = lookup.record.integrations.filter((model) => !isGone('models', model));
    if (kept.length === lookup.record.integrations.length) continue;
    yield { key: names.hash('prompts'), field: name, before: raw, after: withField(raw, 'integrations', kept) };
  }
}

/** Users, groups and applications that hold a role that is gone. */
function* holdersWithout(snapshot: Snapshot, names: KeyNames, isGone: IsGone) {
  for (const kind of ['users', 'groups', 'applications'] as const) {
    for (const [name, { raw, lookup }] of snapshot.parts.tables[kind]) {
      if (lookup.kind !== 'found' || isGone(kind, name)) continue;
      const { roles } = lookup.record;
      const kept = roles.filter((role) => !isGone('roles', role));
      if (kept.length === roles.length) continue;
      yield { key: names.hash(kind), field: name, before: raw, after: withField(raw, 'roles', kept) };
    }
  }
}

function withField(raw: string, field: string, value: unknown): string {
  return JSON.stringify({ ...(JSON.parse(raw) as object), [field]: value });
}

function subjectsOf({ kind, name }: RecordName): string[] {
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

function targetsOf({ kind, name }: RecordName): TargetId[] {
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
