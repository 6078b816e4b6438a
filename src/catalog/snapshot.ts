import type { AccessKey, TokenKey } from '../identity/records.ts';
import type { Integration } from '../integrations/integration.ts';
import type { Model } from '../integrations/model.ts';
import type { Prompt } from '../prompts/prompt.ts';
import type { Access, TargetId } from '../rbac/grants.ts';
import type { AccessWorld, FoundGrant, Sought } from '../rbac/holders.ts';
import type { Application, Group, Role, User } from '../rbac/records.ts';
import type { Subject, SubjectId } from '../rbac/subject.ts';
import { HASH_KINDS, type HashKind } from '../redis/keys.ts';
import type { AccessIndex } from './access/access-index.ts';
import { EMPTY_INDEX } from './access/edit.ts';
import type { Membership } from './members-intake.ts';
import { PersistentMap } from './persistent-map.ts';
import type { BadGrant, Entry, Lookup, RecordFault, RecordKinds } from './records.ts';
import { accessText } from './shared-grants.ts';

export type RecordTable<K extends HashKind> = PersistentMap<Entry<RecordKinds[K]>>;
export type RecordTables = { readonly [K in HashKind]: RecordTable<K> };
export type SubjectGrants = ReadonlyMap<TargetId, ReadonlySet<Access>>;

/** Everything a snapshot is made of, as read from Redis. What has not changed is shared with the snapshot before. */
export interface SnapshotParts {
  readonly tables: RecordTables;
  /** Of each table those records that cannot be read. */
  readonly tableFaults: { readonly [K in HashKind]: readonly RecordFault[] };
  /** Group id → ids of its members. */
  readonly members: PersistentMap<ReadonlySet<string>>;
  /** Member → its groups: the same, seen from the other side. */
  readonly memberships: PersistentMap<Membership>;
  /** Subject → its grants by target; those alone that can be read. */
  readonly grants: PersistentMap<SubjectGrants>;
  /** Subject → its grants that cannot be read, by field. */
  readonly badGrants: PersistentMap<ReadonlyMap<string, BadGrant>>;
  /** Keys of the catalog that hold something else than they should, such as a string in place of a hash. */
  readonly keyFaults: PersistentMap<RecordFault>;
  /** Records, memberships and grants once more, as decisions look at them. */
  readonly access: AccessIndex;
}

export const NOTHING: SnapshotParts = {
  tables: ofEachKind(() => new PersistentMap<Entry<never>>()),
  tableFaults: ofEachKind((): readonly RecordFault[] => []),
  members: new PersistentMap(),
  memberships: new PersistentMap(),
  grants: new PersistentMap(),
  badGrants: new PersistentMap(),
  keyFaults: new PersistentMap(),
  access: EMPTY_INDEX,
};

const NO_GRANTS: SubjectGrants = new Map();
const NO_GROUPS: readonly string[] = [];

/** A grant as it stands in Redis, whether it can be read or not. */
export interface GrantText {
  readonly subject: string;
  readonly target: string;
  readonly text: string;
}

export interface GrantOn {
  readonly subject: SubjectId;
  readonly target: TargetId;
  readonly access: ReadonlySet<Access>;
}

/** All records at one moment, immutable: whatever is decided from one snapshot is consistent in itself. */
export class Snapshot implements AccessWorld {
  readonly parts: SnapshotParts;

  constructor(parts: SnapshotParts) {
    this.parts = parts;
  }

  /** True when nothing can be run: a worker then polls nothing, so that an emptied Redis fails no backlog. */
  get empty(): boolean {
    return this.parts.tables.integrations.size === 0;
  }

  lookup<K extends HashKind>(kind: K, name: string): Lookup<RecordKinds[K]> {
    return (this.parts.tables[kind] as RecordTable<K>).get(name)?.lookup ?? { kind: 'absent' };
  }

  integration(name: string): Lookup<Integration> {
    return this.lookup('integrations', name);
  }

  model(integration: string, model: string): Lookup<Model> {
    return this.lookup('models', `${integration}:${model}`);
  }

  prompt(name: string): Lookup<Prompt> {
    return this.lookup('prompts', name);
  }

  user(id: string): User | undefined {
    return found(this.lookup('users', id));
  }

  group(id: string): Group | undefined {
    return found(this.lookup('groups', id));
  }

  application(id: string): Application | undefined {
    return found(this.lookup('applications', id));
  }

  role(id: string): Role | undefined {
    return found(this.lookup('roles', id));
  }

  accessKey(id: string): AccessKey | undefined {
    return found(this.lookup('access-keys', id));
  }

  tokenKey(id: string): TokenKey | undefined {
    return found(this.lookup('token-keys', id));
  }

  /**
   * Every application with its id and the patterns of its workflows. One whose record cannot be read still claims its
   * workflows, as far as the patterns can be made out: else a broken record would turn a task over to another application.
   */
  *applications(): Iterable<readonly [string, Pick<Application, 'workflows'>]> {
    for (const [id, { raw, lookup }] of this.parts.tables.applications) {
      yield [id, lookup.kind === 'found' ? lookup.record : { workflows: patternsIn(raw) }];
    }
  }

  names(kind: HashKind): Iterable<string> {
    return this.parts.tables[kind].keys();
  }

  /** In the order of their ids. */
  groupsOf(userId: string): readonly string[] {
    return this.parts.memberships.get(userId)?.groups ?? NO_GROUPS;
  }

  grantsOf(subject: SubjectId): SubjectGrants {
    return this.parts.grants.get(subject) ?? NO_GRANTS;
  }

  findGrant(subject: Subject, sought: Sought): FoundGrant | undefined {
    return this.parts.access.findGrant(subject, sought);
  }

  /** Every grant on one of these targets, as they are come upon: it walks over all subjects, and may be left at any time. */
  *subjectsOn(targets: Iterable<TargetId>): Iterable<GrantOn> {
    const sought = [...targets];
    for (const [subject, grants] of this.parts.grants) {
      for (const target of sought) {
        const access = grants.get(target);
        if (access !== undefined) yield { subject: subject as SubjectId, target, access };
      }
    }
  }

  /** Every grant as Redis holds it, those of one subject together, as they are come upon. */
  *grantTexts(): Iterable<GrantText> {
    const { grants, badGrants } = this.parts;
    for (const [subject, targets] of grants) {
      for (const [target, access] of targets) yield { subject, target, text: accessText(access) };
      yield* badTexts(subject, badGrants.get(subject));
    }
    for (const [subject, bad] of badGrants) if (!grants.has(subject)) yield* badTexts(subject, bad);
  }

  /** How one grant stands in Redis, whether it can be read or not. */
  grantText(subject: string, target: string): string | undefined {
    const access = this.parts.grants.get(subject)?.get(target as TargetId);
    return access === undefined ? this.parts.badGrants.get(subject)?.get(target)?.raw : accessText(access);
  }

  /** Every record that cannot be read: keys first, then records in the order of their kinds, then grants. */
  *faults(): Iterable<RecordFault> {
    yield* this.parts.keyFaults.values();
    for (const kind of HASH_KINDS) yield* this.parts.tableFaults[kind];
    for (const bad of this.parts.badGrants.values()) for (const { fault } of bad.values()) yield fault;
  }

  /** Whether both have the very same faults, without a look at each. False does not say that they differ. */
  hasFaultsOf({ parts }: Snapshot): boolean {
    const { keyFaults, badGrants, tableFaults } = this.parts;
    return (
      keyFaults === parts.keyFaults &&
      badGrants === parts.badGrants &&
      HASH_KINDS.every((kind) => tableFaults[kind] === parts.tableFaults[kind])
    );
  }
}

function ofEachKind<T>(make: () => T): { readonly [K in HashKind]: T } {
  return Object.fromEntries(HASH_KINDS.map((kind) => [kind, make()])) as { [K in HashKind]: T };
}

function* badTexts(subject: string, bad: ReadonlyMap<string, BadGrant> | undefined): Iterable<GrantText> {
  for (const [target, { raw }] of bad ?? []) yield { subject, target, text: raw };
}

function patternsIn(raw: string): string[] {
  try {
    const { workflows } = JSON.parse(raw) as { workflows?: unknown };
    return Array.isArray(workflows) ? workflows.filter((pattern) => typeof pattern === 'string') : [];
  } catch {
    return [];
  }
}

function found<T>(lookup: Lookup<T>): T | undefined {
  return lookup.kind === 'found' ? lookup.record : undefined;
}
