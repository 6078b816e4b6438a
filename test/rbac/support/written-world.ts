import type { AccessWorld } from '../../../src/rbac/decision.ts';
import { type Access, parseAccess, type TargetId } from '../../../src/rbac/grants.ts';
import { applicationRecord, groupRecord, roleRecord, userRecord } from '../../../src/rbac/records.ts';
import type { SubjectId } from '../../../src/rbac/subject.ts';

/** A world as an administrator writes it: roles by user, application and group, permissions by role, members by group, grants by subject. */
export interface Written {
  readonly users?: Record<string, string[]>;
  readonly applications?: Record<string, string[]>;
  readonly groups?: Record<string, string[]>;
  readonly roles?: Record<string, string[]>;
  readonly members?: Record<string, string[]>;
  readonly grants?: Record<string, Record<string, string>>;
}

export function worldOf({
  users = {},
  applications = {},
  groups = {},
  roles = {},
  members = {},
  grants = {},
}: Written): AccessWorld {
  const record = <T>(table: Record<string, string[]>, id: string, read: (roles: string[] | undefined) => T) =>
    Object.hasOwn(table, id) ? read(table[id]) : undefined;
  return {
    user: (id) => record(users, id, (roles) => userRecord.parse({ roles })),
    group: (id) => record(groups, id, (roles) => groupRecord.parse({ roles })),
    application: (id) => record(applications, id, (roles) => applicationRecord.parse({ roles })),
    role: (id) => record(roles, id, (permissions) => roleRecord.parse({ permissions })),
    groupsOf: (id) =>
      Object.entries(members)
        .filter(([, ids]) => ids.includes(id))
        .map(([group]) => group),
    grantsOf: (subject: SubjectId) => {
      const held = Object.entries(grants[subject] ?? {}).map(([target, words]) => {
        const read = parseAccess(words);
        if ('fault' in read) throw new Error(read.fault);
        return [target as TargetId, read.access] as const;
      });
      return new Map<TargetId, ReadonlySet<Access>>(held);
    },
  };
}
