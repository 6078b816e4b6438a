import type { Application, Group, User } from '../rbac/records.ts';
import { applicationIdOf, applicationUser, type Subject, user } from '../rbac/subject.ts';
import type { HashKind, KeyNames } from '../redis/keys.ts';
import { editIndex } from './access/edit.ts';
import { grantsIntake } from './grants-intake.ts';
import type { Intake } from './intake.ts';
import { membersIntake } from './members-intake.ts';
import { createPacer, type Pacer } from './pacer.ts';
import { PersistentMap } from './persistent-map.ts';
import type { KeyContent, KeyPiece } from './read-keys.ts';
import type { Entry, RecordFault } from './records.ts';
import type { SnapshotParts } from './snapshot.ts';
import { type TableState, tableIntake } from './table-intake.ts';

/** Elements taken in before it is asked how late it is. Even, since fields and values come in pairs. */
const ITEMS_A_STEP = 50;

export interface Rebuilding {
  /** Pieces of one key follow each other, up to its last. Gives way to the event loop whenever it has worked for 3 ms. */
  take(pieces: readonly KeyPiece[]): Promise<void>;
  /** The new parts; the very parts it began with where nothing has changed at all. */
  done(): SnapshotParts;
}

/**
 * The parts of a snapshot with some keys' contents replaced. Records whose text has not changed keep their identity
 * and cost no parsing; everything else is shared with the parts given, which stay as they are. What it costs is in
 * proportion to the keys that are taken in, not to the catalog.
 */
export function createRebuilding(before: SnapshotParts, names: KeyNames, pacer: Pacer = createPacer()): Rebuilding {
  const tables: Record<string, PersistentMap<Entry<unknown>>> = { ...before.tables };
  const tableFaults: Record<HashKind, readonly RecordFault[]> = { ...before.tableFaults };
  const members = before.members.edit();
  const memberships = before.memberships.edit();
  const grants = before.grants.edit();
  const badGrants = before.badGrants.edit();
  const keyFaults = before.keyFaults.edit();
  const access = editIndex(before.access);
  let replaced = false;
  /** Takes in the key whose last piece has not come yet. */
  let open: Intake | undefined;

  function intakeOf(key: string): Intake | undefined {
    const place = names.parse(key);
    if (place === undefined) return undefined;
    switch (place.kind) {
      case 'members':
        return membersIntake(place.group, { members, memberships, access });
      case 'grants':
        return grantsIntake(key, place.subject, { grants, badGrants, access });
      default: {
        const kind: HashKind = place.kind;
        const replace = ({ table, faults }: TableState): void => {
          tables[kind] = table;
          tableFaults[kind] = faults;
          replaced = true;
        };
        return tableIntake(kind, key, tables[kind] ?? new PersistentMap(), replace, (field, entry) => {
          const holder = holderOf(kind, field);
          if (holder !== undefined) access.setRecord(holder, rolesIn(entry));
        });
      }
    }
  }

  async function takePiece({ key, content, last }: KeyPiece): Promise<void> {
    if (content.kind === 'wrong') {
      open = intakeOf(key);
      if (open !== undefined && keyFaults.get(key)?.message !== content.message) {
        keyFaults.set(key, { key, field: '', message: content.message });
      }
    } else {
      open ??= intakeOf(key);
      const { items } = content;
      for (let from = 0; from < items.length; from += ITEMS_A_STEP) {
        open?.add(items, from, Math.min(from + ITEMS_A_STEP, items.length));
        if (pacer.due()) await pacer.giveWay();
      }
      keyFaults.delete(key);
    }
    if (!last) return;
    for (const _ of open?.close() ?? []) if (pacer.due()) await pacer.giveWay();
    open = undefined;
    if (pacer.due()) await pacer.giveWay();
  }

  return {
    async take(pieces) {
      for (const piece of pieces) await takePiece(piece);
    },
    done() {
      const next: SnapshotParts = {
        tables: replaced ? (tables as unknown as SnapshotParts['tables']) : before.tables,
        tableFaults: replaced ? tableFaults : before.tableFaults,
        members: members.done(),
        memberships: memberships.done(),
        grants: grants.done(),
        badGrants: badGrants.done(),
        keyFaults: keyFaults.done(),
        access: access.done(),
      };
      const parts = Object.keys(next) as (keyof SnapshotParts)[];
      return parts.every((part) => next[part] === before[part]) ? before : next;
    },
  };
}

/** The same for contents that are at hand. */
export async function rebuild(
  parts: SnapshotParts,
  names: KeyNames,
  contents: ReadonlyMap<string, KeyContent>,
): Promise<SnapshotParts> {
  const rebuilding = createRebuilding(parts, names);
  for (const [key, content] of contents) await rebuilding.take([pieceOf(key, content)]);
  return rebuilding.done();
}

function pieceOf(key: string, content: KeyContent): KeyPiece {
  if (content.kind === 'wrong') return { key, content, last: true };
  const items = content.kind === 'set' ? content.members : Object.entries(content.fields).flat();
  return { key, content: { kind: 'items', items }, last: true };
}

/** Whose roles a record says. */
function holderOf(kind: HashKind, name: string): Subject | undefined {
  switch (kind) {
    case 'users':
      // An application's user is known by the record of the application alone.
      return applicationIdOf(user(name)) === undefined ? user(name) : undefined;
    case 'applications':
      return applicationUser(name);
    case 'groups':
      return { type: 'GROUP', id: name };
    default:
      return undefined;
  }
}

function rolesIn(entry: Entry<unknown> | undefined): readonly string[] | undefined {
  return entry?.lookup.kind === 'found' ? (entry.lookup.record as User | Application | Group).roles : undefined;
}
