import type { AccessKey, TokenKey } from '../identity/records.ts';
import type { Integration } from '../integrations/integration.ts';
import type { Model } from '../integrations/model.ts';
import type { Prompt } from '../prompts/prompt.ts';
import type { AccessWorld } from '../rbac/decision.ts';
import type { Access, TargetId } from '../rbac/grants.ts';
import type { Application, Group, Role, User } from '../rbac/records.ts';
import type { SubjectId } from '../rbac/subject.ts';
import type { HashKind } from '../redis/keys.ts';
import type { Entry, Grant, Lookup, RecordFault, RecordKinds } from './records.ts';

export type RecordTable<K extends HashKind> = ReadonlyMap<string, Entry<RecordKinds[K]>>;
export type RecordTables = { readonly [K in HashKind]: RecordTable<K> };

/** Everything a snapshot is made of, as read from Redis. */
export interface SnapshotParts {
  readonly tables: RecordTables;
  /** Group id → ids of its members. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** Subject → its grants by target. */
  readonly grants: ReadonlyMap<string, ReadonlyMap<string, Entry<Grant>>>;
  /** Keys of the catalog that hold something else than they should, such as a string in place of a hash. */
  readonly keyFaults: ReadonlyMap<string, RecordFault>;
}

export const NOTHING: SnapshotParts = {
  tables: {
    integrations: new Map(),
    models: new Map(),
    prompts: new Map(),
    groups: new Map(),
    applications: new Map(),
    users: new Map(),
    roles: new Map(),
    'access-keys': new Map(),
    'token-keys': new Map(),
  },
  members: new Map(),
  grants: new Map(),
  keyFaults: new Map(),
};

const NO_GRANTS: ReadonlyMap<TargetId, ReadonlySet<Access>> = new Map();

/** All records at one moment, immutable: whatever is decided from one snapshot is consistent in itself. */
export class Snapshot implements AccessWorld {
  readonly parts: SnapshotParts;
  /** Built at the first question, since most snapshots are replaced without being asked. */
  #groupsByMember: ReadonlyMap<string, readonly string[]> | undefined;
  readonly #grants = new Map<string, ReadonlyMap<TargetId, ReadonlySet<Access>>>();

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

  groupsOf(userId: string): readonly string[] {
    if (this.#groupsByMember === undefined) {
      const index = new Map<string, string[]>();
      for (const [group, members] of this.parts.members) {
        for (const member of members) {
          const groups = index.get(member);
          if (groups === undefined) index.set(member, [group]);
          else groups.push(group);
        }
      }
      this.#groupsByMember = index;
    }
    return this.#groupsByMember.get(userId) ?? [];
  }

  grantsOf(subject: SubjectId): ReadonlyMap<TargetId, ReadonlySet<Access>> {
    const known = this.#grants.get(subject);
    if (known !== undefined) return known;
    const entries = this.parts.grants.get(subject);
    if (entries === undefined) return NO_GRANTS;
    const grants = new Map<TargetId, ReadonlySet<Access>>();
    for (const entry of entries.values()) {
      if (entry.lookup.kind === 'found') grants.set(entry.lookup.record.target, entry.lookup.record.access);
    }
    this.#grants.set(subject, grants);
    return grants;
  }

  /** Every grant on one of these targets that can be read. */
  *subjectsOn(
    targets: Iterable<TargetId>,
  ): Iterable<{ subject: SubjectId; target: TargetId; access: ReadonlySet<Access> }> {
    const wanted = [...targets];
    for (const [subject, grants] of this.parts.grants) {
      for (const target of wanted) {
        const lookup = grants.get(target)?.lookup;
        if (lookup?.kind === 'found') yield { subject: subject as SubjectId, target, access: lookup.record.access };
      }
    }
  }

  /** Every record that cannot be read, in the order of the keys. */
  *faults(): Iterable<RecordFault> {
    yield* this.parts.keyFaults.values();
    for (const table of Object.values(this.parts.tables)) yield* faultsIn(table);
    for (const grants of this.parts.grants.values()) yield* faultsIn(grants);
  }
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

function* faultsIn(entries: ReadonlyMap<string, Entry<unknown>>): Iterable<RecordFault> {
  for (const { lookup } of entries.values()) if (lookup.kind === 'invalid') yield lookup.fault;
}
