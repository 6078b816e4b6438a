import { splitQualified } from '../integrations/names.ts';
import { parseSubjectId } from '../rbac/subject.ts';
import type { ManifestKind } from '../redis/keys.ts';

/** A record that something else names. */
export interface RecordReference {
  readonly kind: ManifestKind;
  readonly name: string;
}

const TARGET_KINDS: ReadonlyMap<string, ManifestKind> = new Map([
  ['INTEGRATION', 'models'],
  ['INTEGRATION_PROVIDER', 'integrations'],
  ['PROMPT', 'prompts'],
  ['APPLICATION', 'applications'],
] as const);

/** What a grant's target names; undefined for a tag, and for what is kept and not interpreted. */
export function recordOfTarget(target: string): RecordReference | undefined {
  const [type = '', name = ''] = target.split(/:(.*)/s);
  const kind = TARGET_KINDS.get(type);
  return kind === undefined ? undefined : { kind, name };
}

/** The record without which a grant counts for nobody: a user needs none, nor does a role. */
export function recordOfSubject(id: string): RecordReference | undefined {
  const subject = parseSubjectId(id);
  if (subject?.type === 'GROUP') return { kind: 'groups', name: subject.id };
  return subject?.type === 'USER' ? recordOfMember(subject.id) : undefined;
}

/** The same for a member of a group. */
export function recordOfMember(member: string): RecordReference | undefined {
  return member.startsWith('app:') ? { kind: 'applications', name: member.slice('app:'.length) } : undefined;
}

/** The integration that a model is of. */
export function recordOfModel(qualified: string): RecordReference | undefined {
  const parts = splitQualified(qualified);
  return parts === undefined ? undefined : { kind: 'integrations', name: parts.integration };
}

/** What people call one record of a kind. */
export const RECORD_NOUNS: Readonly<Record<ManifestKind, string>> = {
  integrations: 'integration',
  models: 'model',
  prompts: 'prompt',
  groups: 'group',
  applications: 'application',
  users: 'user',
  roles: 'role',
};

/** `the model p:m`. */
export function describeRecord({ kind, name }: RecordReference): string {
  return `the ${RECORD_NOUNS[kind]} ${name}`;
}
