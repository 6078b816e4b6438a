import type { HashKind } from '../redis/keys.ts';

/** One record, membership list or grant that differs between Redis and the manifests. */
export interface Change {
  readonly action: 'create' | 'update' | 'delete';
  readonly kind: HashKind | 'members' | 'grants';
  /** A record's name; a group's for members; `SUBJECT → TARGET` for a grant. */
  readonly name: string;
  /** As it is; null where it is created. Records as objects, members as a sorted list, grants as `READ,EXECUTE`. */
  readonly before: unknown;
  /** As it will be; null where it is deleted. */
  readonly after: unknown;
}

/** A grant's name in a diff; a subject holds no space, since Redis keys of grants are typed by hand. */
export function grantName(subject: string, target: string): string {
  return `${subject} → ${target}`;
}

export function splitGrantName(name: string): { subject: string; target: string } {
  const [subject = '', target = ''] = name.split(/ → (.*)/s);
  return { subject, target };
}
