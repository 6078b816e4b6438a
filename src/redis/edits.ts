/** Whatever stands there. */
export const ANY = Symbol('any');

/** One field of a hash: a record or a grant. */
export interface FieldEdit {
  readonly key: string;
  readonly field: string;
  /** The text that must stand there still for anything to be written; undefined: nothing may stand there. */
  readonly before: string | undefined | typeof ANY;
  /** Undefined: the field is deleted. The same as `before`: it is only made sure of. */
  readonly after: string | undefined;
}

/** One member of a set: written whether or not it is there already. */
export interface MemberEdit {
  readonly key: string;
  readonly member: string;
  readonly isMember: boolean;
  /** Nothing is written; it is only made sure that this is so still. */
  readonly onlyMadeSure?: true;
}

/** A whole key that goes, whatever it holds. */
export interface KeyEdit {
  readonly key: string;
  readonly isGone: true;
}

export type Edit = FieldEdit | MemberEdit | KeyEdit;

/** That a record is still what it was when the change was planned. */
export function unchanged(key: string, field: string, raw: string | undefined): FieldEdit {
  return { key, field, before: raw, after: raw };
}

export function isKeyEdit(edit: Edit): edit is KeyEdit {
  return 'isGone' in edit;
}

/** That somebody is still a member. */
export function stillMember(key: string, member: string): MemberEdit {
  return { key, member, isMember: true, onlyMadeSure: true };
}

/** Whether it writes anything, rather than making sure of it. */
export function isWrite(edit: Edit): boolean {
  if (isKeyEdit(edit)) return true;
  return isFieldEdit(edit) ? edit.before !== edit.after : edit.onlyMadeSure !== true;
}

export function isFieldEdit(edit: Edit): edit is FieldEdit {
  return 'field' in edit;
}
