import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { accessHeld, decide, isAdmin } from '../../rbac/decision.ts';
import type { Access } from '../../rbac/grants.ts';
import { type Permission, permissionsOf } from '../../rbac/permissions.ts';
import { type Subject, subjectId } from '../../rbac/subject.ts';
import { type Asked, nameOf, recordOf, withTags } from './targets.ts';

/** Who makes a request, and what it may at this moment. Nothing of it is remembered from one request to the next. */
export interface Caller {
  readonly subject: Subject;
  /** Its id as records keep it in `createdBy`: `app:…`. */
  readonly id: string;
  readonly isAdmin: boolean;
  has(permission: Permission): boolean;
  may(access: Access, asked: Asked): boolean;
  held(asked: Asked): ReadonlySet<Access>;
  /** Has made it. A record that cannot be read was made by nobody. */
  created(asked: Asked): boolean;
}

/** `anonymous`: whoever sends no token. It has the grants of its subject, never the role ADMIN. */
export function callerOf(snapshot: Snapshot, subject: Subject, { anonymous = false } = {}): Caller {
  const admin = !anonymous && isAdmin(snapshot, subject);
  return {
    subject,
    id: subject.id,
    isAdmin: admin,
    has: (permission) => admin || (!anonymous && permissionsOf(snapshot, subject).has(permission)),
    may: (access, asked) =>
      admin ||
      decide(snapshot, subject, withTags(snapshot, asked), { access: [access], mayBeAdmin: !anonymous }).kind ===
        'allow',
    held: (asked) => accessHeld(snapshot, subject, withTags(snapshot, asked)),
    created(asked) {
      const found = recordOf(snapshot, asked);
      return !anonymous && found.kind === 'found' && found.record.createdBy === subject.id;
    },
  };
}

/** The same words whether the thing exists or not. */
export function refuse(caller: Caller, need: string, asked?: Asked): never {
  const what = asked === undefined ? '' : ` on ${nameOf(asked)}: unknown or not permitted`;
  throw new ServiceError('PERMISSION_DENIED', `${subjectId(caller.subject)} does not have ${need}${what}`);
}

export function demandAccess(caller: Caller, access: Access, asked: Asked): void {
  if (!caller.may(access, asked)) refuse(caller, access, asked);
}

/** Tags are grants, and grants are made by whoever made the thing itself. */
export function demandGrantor(caller: Caller, asked: Asked): void {
  if (!caller.isAdmin && !caller.created(asked)) refuse(caller, 'the right to grant', asked);
}
