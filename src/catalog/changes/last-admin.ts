import { ServiceError } from '../../errors.ts';
import { isAdmin } from '../../rbac/decision.ts';
import { applicationUser, type Subject, user } from '../../rbac/subject.ts';
import {
  type Edit,
  type FieldEdit,
  isFieldEdit,
  isKeyEdit,
  isWrite,
  stillMember,
  unchanged,
} from '../../redis/edits.ts';
import type { KeyNames } from '../../redis/keys.ts';
import type { LiveCatalog } from '../live-catalog.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Admins, adminsAfter, type ChangedHolders, NO_CHANGE } from './admins.ts';
import type { CatalogWriter } from './writer.ts';

/**
 * A writer that refuses what would lock everybody out: after it nobody would have the role ADMIN, or no application that
 * has it an access key that is switched on, where there was one before. Whoever is left is made sure of in the same step, so
 * that two administrators cannot remove each other at once. Throws LAST_ADMIN.
 */
export function keepingAnAdmin({
  writer,
  catalog,
  names,
}: {
  readonly writer: CatalogWriter;
  readonly catalog: Pick<LiveCatalog, 'refresh'>;
  readonly names: KeyNames;
}): CatalogWriter {
  return {
    async change(keys, plan) {
      const kept: typeof plan = (snapshot) => {
        const { edits, result } = plan(snapshot);
        return { edits: [...edits, ...whoIsLeft(snapshot, names, edits)], result };
      };
      try {
        return await writer.change(keys, kept);
      } catch (error) {
        if (!(error instanceof ServiceError) || error.code !== 'LAST_ADMIN') throw error;
        // There may be another by now, in records that this change does not look at.
        await catalog.refresh((['users', 'applications', 'groups', 'access-keys'] as const).map(names.hash));
        return await writer.change(keys, kept);
      }
    },
  };
}

/** Nothing where no ADMIN is touched. Throws LAST_ADMIN. */
export function whoIsLeft(snapshot: Snapshot, names: KeyNames, edits: readonly Edit[]): Edit[] {
  if (!edits.some((edit) => touchesAdmin(snapshot, names, edit))) return [];
  const after = afterEdits(snapshot, names, edits);
  const [holdersBefore, holdersAfter] = [adminsAfter(snapshot, NO_CHANGE), adminsAfter(snapshot, after)];
  const keyBefore = firstKey(snapshot, holdersBefore, NO_CHANGE, () => undefined);
  const keyAfter = firstKey(snapshot, holdersAfter, after, after.accessKey);
  if (keyAfter === undefined && keyBefore !== undefined) {
    throw new ServiceError(
      'LAST_ADMIN',
      'Nobody could get in with the role ADMIN any more: give it to another application, with an access key, before',
    );
  }
  const left = keyAfter?.admin ?? holdersAfter.keys().next().value;
  if (left === undefined) {
    if (holdersBefore.size === 0) return [];
    throw new ServiceError('LAST_ADMIN', 'Nobody would have the role ADMIN any more: give it to somebody else before');
  }
  const sure = madeSure(snapshot, names, left, holdersAfter.get(left), keyAfter?.id);
  const said = new Set(edits.map(placeOf));
  return sure.filter((edit) => !said.has(placeOf(edit)));
}

function touchesAdmin(snapshot: Snapshot, names: KeyNames, edit: Edit): boolean {
  const at = names.parse(edit.key);
  if (at === undefined || !isWrite(edit)) return false;
  const among = (subject: Subject): boolean => isAdmin(snapshot, subject);
  switch (at.kind) {
    case 'members':
      return !isFieldEdit(edit) && (isKeyEdit(edit) || !edit.isMember) && among({ type: 'GROUP', id: at.group });
    case 'users':
      return isFieldEdit(edit) && among(user(edit.field));
    case 'groups':
      return isFieldEdit(edit) && among({ type: 'GROUP', id: edit.field });
    case 'applications':
      return isFieldEdit(edit) && among(applicationUser(edit.field));
    case 'access-keys': {
      const key = isFieldEdit(edit) ? snapshot.accessKey(edit.field) : undefined;
      return key !== undefined && among(applicationUser(key.application));
    }
    default:
      return false;
  }
}

interface AfterEdits extends ChangedHolders {
  /** Null: deleted or switched off. Undefined: as it stands. */
  accessKey(id: string): null | undefined;
}

function afterEdits(snapshot: Snapshot, names: KeyNames, edits: readonly Edit[]): AfterEdits {
  const writes = edits.filter(isFieldEdit).filter(isWrite);
  const at = (key: string, field: string): FieldEdit | undefined =>
    writes.findLast((edit) => edit.key === key && edit.field === field);
  return {
    names: (kind) => writes.filter(({ key }) => key === names.hash(kind)).map(({ field }) => field),
    record(kind, name) {
      const edit = at(names.hash(kind), name);
      if (edit === undefined) return undefined;
      return edit.after === undefined ? null : (JSON.parse(edit.after) as unknown);
    },
    members(group) {
      const key = names.members(group);
      const changes = edits.flatMap((edit) => (!isFieldEdit(edit) && isWrite(edit) && edit.key === key ? [edit] : []));
      if (changes.length === 0) return undefined;
      const members = new Set(snapshot.parts.members.get(group));
      for (const change of changes) {
        if (isKeyEdit(change)) members.clear();
        else if (change.isMember) members.add(change.member);
        else members.delete(change.member);
      }
      return members;
    },
    accessKey(id) {
      const edit = at(names.hash('access-keys'), id);
      if (edit === undefined) return undefined;
      return edit.after !== undefined && (JSON.parse(edit.after) as { enabled: boolean }).enabled ? undefined : null;
    },
  };
}

interface AdminKey {
  readonly id: string;
  /** As `Admins` names them. */
  readonly admin: string;
}

function firstKey(...parts: Parameters<typeof adminKeys>): AdminKey | undefined {
  for (const key of adminKeys(...parts)) return key;
  return undefined;
}

/** The access keys by which somebody gets in as ADMIN, and who. */
export function* adminKeys(
  snapshot: Snapshot,
  admins: Admins,
  change: ChangedHolders,
  after: (id: string) => null | undefined,
): Iterable<AdminKey> {
  for (const id of snapshot.names('access-keys')) {
    const key = snapshot.accessKey(id);
    if (key?.enabled !== true || after(id) === null || !admins.has(`applications ${key.application}`)) continue;
    if (change.record('applications', key.application) === null) continue;
    if (snapshot.application(key.application)?.uid !== key.applicationUid) continue;
    yield { id, admin: `applications ${key.application}` };
  }
}

/** That what makes somebody ADMIN stands still. */
function madeSure(
  snapshot: Snapshot,
  names: KeyNames,
  admin: string,
  group: string | undefined,
  accessKey: string | undefined,
): Edit[] {
  const isApplication = admin.startsWith('applications ');
  const name = admin.slice(admin.indexOf(' ') + 1);
  const record = (kind: 'users' | 'applications' | 'groups' | 'access-keys', field: string): Edit =>
    unchanged(names.hash(kind), field, snapshot.parts.tables[kind].get(field)?.raw);
  return [
    ...(isApplication || group === undefined ? [record(isApplication ? 'applications' : 'users', name)] : []),
    ...(group === undefined
      ? []
      : [record('groups', group), stillMember(names.members(group), isApplication ? `app:${name}` : name)]),
    ...(accessKey === undefined ? [] : [record('access-keys', accessKey)]),
  ];
}

function placeOf(edit: Edit): string {
  if (isKeyEdit(edit)) return JSON.stringify([edit.key]);
  return JSON.stringify([edit.key, isFieldEdit(edit) ? edit.field : edit.member]);
}
