import fc from 'fast-check';
import type { KeyContent } from '../../../src/catalog/read-keys.ts';
import type { Target } from '../../../src/rbac/decision.ts';
import { ACCESSES, type Access } from '../../../src/rbac/grants.ts';
import type { AccessWorld } from '../../../src/rbac/holders.ts';
import type { Subject } from '../../../src/rbac/subject.ts';

/** Few names of everything, so that what is drawn meets. Some are chosen to be taken for something else. */
const USERS = ['alice', 'bob', 'g', 'claims'];
const APPLICATIONS = ['claims', 'alice'];
const GROUPS = ['g', 'ADMIN', 'alice', 'h'];
const ROLES = ['ADMIN', 'USER', 'g', 'curator'];
const NAMES = [
  ...['INTEGRATION_PROVIDER:p', 'INTEGRATION:p:m', 'INTEGRATION:p:m:0', 'PROMPT:t', 'APPLICATION:claims'],
  ...['TAG:tier:gold', 'TAG:m:0'],
];
const TAGS = [
  { key: 'tier', value: 'gold' },
  { key: 'm', value: '0' },
];
const UNKNOWN_TAGS = Array.from({ length: 20 }, (_, n) => ({ key: 'unknown', value: `${n}` }));

export const SUBJECTS: readonly Subject[] = [
  ...['nobody', '', ...USERS].map((id): Subject => ({ type: 'USER', id })),
  ...APPLICATIONS.map((id): Subject => ({ type: 'USER', id: `app:${id}` })),
  ...GROUPS.map((id): Subject => ({ type: 'GROUP', id })),
  ...ROLES.map((id): Subject => ({ type: 'ROLE', id })),
];

export const TARGETS: readonly Target[] = [
  { kind: 'integration', integration: 'p', tags: [] },
  { kind: 'model', integration: 'p', model: 'm', tags: TAGS },
  { kind: 'model', integration: 'p', model: 'm:0', tags: [...UNKNOWN_TAGS, ...TAGS] },
  { kind: 'model', integration: 'unknown', model: 'm', tags: UNKNOWN_TAGS },
  { kind: 'prompt', prompt: 't', tags: TAGS },
  { kind: 'application', application: 'claims', tags: [] },
];

export interface Question {
  readonly subject: Subject;
  readonly target: Target;
  /** Undefined: what a task needs. */
  readonly access: readonly Access[] | undefined;
  readonly mayBeAdmin: boolean;
}

export const question: fc.Arbitrary<Question> = fc.record({
  subject: fc.constantFrom(...SUBJECTS),
  target: fc.constantFrom(...TARGETS),
  access: fc.option(fc.shuffledSubarray([...ACCESSES], { minLength: 1, maxLength: 2 }), { nil: undefined }),
  mayBeAdmin: fc.boolean(),
});

/** ADMIN is rare, or it would settle nearly everything. */
const role = fc.oneof(
  { weight: 1, arbitrary: fc.constant('ADMIN') },
  { weight: 15, arbitrary: fc.constantFrom(...ROLES.slice(1)) },
);
const record = fc.oneof(
  { weight: 8, arbitrary: fc.array(role, { maxLength: 3 }).map((roles) => JSON.stringify({ roles })) },
  { weight: 1, arbitrary: fc.constantFrom('{', '{"roles":[1]}', '{"unknown":1}') },
);
const access = fc.oneof(
  { weight: 10, arbitrary: fc.shuffledSubarray([...ACCESSES], { minLength: 1 }).map((words) => words.join(',')) },
  { weight: 1, arbitrary: fc.constant('nonsense') },
);

const orWrong = (content: fc.Arbitrary<KeyContent>): fc.Arbitrary<KeyContent> =>
  fc.oneof(
    { weight: 12, arbitrary: content },
    { weight: 1, arbitrary: fc.constant({ kind: 'wrong', message: 'another type' } as const) },
  );
const hash = (fields: readonly string[], value: fc.Arbitrary<string>) =>
  orWrong(fc.dictionary(fc.constantFrom(...fields), value).map((held) => ({ kind: 'hash', fields: held }) as const));
const set = (members: readonly string[]) =>
  orWrong(fc.subarray([...members]).map((held) => ({ kind: 'set', members: held }) as const));
const keys = (names: readonly string[], content: fc.Arbitrary<KeyContent>) =>
  fc.tuple(fc.constantFrom(...names), content);

/** What one step finds changed: keys of the catalog, and all that they hold now. */
export const step: fc.Arbitrary<ReadonlyMap<string, KeyContent>> = fc
  .array(
    fc.oneof(
      keys(['users'], hash([...USERS, 'app:claims'], record)),
      keys(['applications'], hash(APPLICATIONS, record)),
      keys(['groups'], hash(GROUPS, record)),
      keys(
        GROUPS.map((group) => `members:${group}`),
        set([...USERS, ...APPLICATIONS.map((id) => `app:${id}`)]),
      ),
      {
        weight: 3,
        arbitrary: keys(
          [...SUBJECTS.map(({ type, id }) => `grants:${type}:${id}`), 'grants:nonsense:alice', 'grants:alice'],
          hash([...NAMES, 'nonsense'], access),
        ),
      },
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((changed) => new Map(changed.map(([name, content]) => [`cohere:${name}`, content])));

/** The same world, in which whoever holds a grant is found by walking. */
export function withoutIndex(world: AccessWorld): AccessWorld {
  return {
    user: (id) => world.user(id),
    group: (id) => world.group(id),
    application: (id) => world.application(id),
    role: (id) => world.role(id),
    groupsOf: (id) => world.groupsOf(id),
    grantsOf: (subject) => world.grantsOf(subject),
  };
}
