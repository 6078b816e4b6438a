/** Who a right can be given to. An application is a user whose id is `app:<application id>`. */
export type SubjectType = 'USER' | 'GROUP' | 'ROLE';

/** `USER:alice@example.com`, `USER:app:claims`, `GROUP:analysts` or `ROLE:reader`: also the tail of the key that holds its grants. */
export type SubjectId = string & { readonly __brand: 'SubjectId' };

export interface Subject {
  readonly type: SubjectType;
  /** The id without its type: `alice@example.com`, `app:claims`, `analysts`. */
  readonly id: string;
}

const TYPES: ReadonlySet<string> = new Set<SubjectType>(['USER', 'GROUP', 'ROLE']);
const APPLICATION = 'app:';

export function subjectId(subject: Subject): SubjectId {
  return `${subject.type}:${subject.id}` as SubjectId;
}

/** The ids of groups and roles, put together once: a decision asks for those of all its subject's groups. */
const KNOWN_IDS: Readonly<Record<'GROUP' | 'ROLE', Map<string, SubjectId>>> = { GROUP: new Map(), ROLE: new Map() };
/** Names come from records and from questions. Those of deleted records must not gather for ever. */
const MOST_KNOWN_IDS = 50_000;

/** The same as `subjectId`, and quick for a group or a role that was asked for before. */
export function holderId(type: SubjectType, id: string): SubjectId {
  if (type === 'USER') return subjectId({ type, id });
  const known = KNOWN_IDS[type];
  const found = known.get(id);
  if (found !== undefined) return found;
  if (known.size >= MOST_KNOWN_IDS) known.clear();
  const made = subjectId({ type, id });
  known.set(id, made);
  return made;
}

export function user(id: string): Subject {
  return { type: 'USER', id };
}

export function applicationUser(applicationId: string): Subject {
  return { type: 'USER', id: `${APPLICATION}${applicationId}` };
}

/** The application's id where the subject is one, else undefined. */
export function applicationIdOf(subject: Subject): string | undefined {
  return subject.type === 'USER' && subject.id.startsWith(APPLICATION)
    ? subject.id.slice(APPLICATION.length)
    : undefined;
}

export function isSubjectType(text: string): text is SubjectType {
  return TYPES.has(text);
}

/** Whether a subject's grants and memberships count only where it has a record: a user needs none, nor does a role. */
export function needsRecord(subject: Subject): boolean {
  return subject.type === 'GROUP' || applicationIdOf(subject) !== undefined;
}

/** `TYPE:id`, exactly. Undefined for anything else. */
export function parseSubjectId(text: string): Subject | undefined {
  const colon = text.indexOf(':');
  const type = text.slice(0, Math.max(colon, 0));
  const id = text.slice(colon + 1);
  if (!isSubjectType(type) || id === '') return undefined;
  return { type, id };
}

/** As people type it: `USER:x`, `GROUP:x`, `ROLE:x`, `app:x`; a bare `x` is a user. Undefined for an empty one. */
export function parseSubject(text: string): Subject | undefined {
  const exact = parseSubjectId(text);
  if (exact !== undefined) return exact;
  if (text === '' || text === APPLICATION || /^(USER|GROUP|ROLE):$/.test(text)) return undefined;
  return user(text);
}
