import type { HashKind } from '../redis/keys.ts';

interface AnyChange {
  readonly action: 'create' | 'update' | 'delete';
  /** As it is; null where it is created. Records as objects, members as a sorted list, grants as `READ,EXECUTE`. */
  readonly before: unknown;
  /** As it will be; null where it is deleted. */
  readonly after: unknown;
}

export interface RecordChange extends AnyChange {
  readonly kind: HashKind | 'members';
  /** A record's name; a group's for members. */
  readonly name: string;
}

export interface GrantChange extends AnyChange {
  readonly kind: 'grants';
  /** `SUBJECT → TARGET`, to be shown: it cannot be taken apart, since either may hold an arrow. */
  readonly name: string;
  /** As in the name of the key in Redis. */
  readonly subject: string;
  /** The field in Redis. */
  readonly target: string;
}

/** One record, membership list or grant that differs between Redis and the manifests. */
export type Change = RecordChange | GrantChange;

/** A grant's name in a diff, for people. */
export function grantName(subject: string, target: string): string {
  return `${subject} → ${target}`;
}

/** By which changes of one plan are told apart. */
export function changeKey(change: Change): string {
  return change.kind === 'grants' ? grantKey(change.subject, change.target) : `${change.kind} ${change.name}`;
}

export function grantKey(subject: string, target: string): string {
  return JSON.stringify([subject, target]);
}
