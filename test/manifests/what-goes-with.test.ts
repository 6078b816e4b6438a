import { describe, expect, it } from 'vitest';
import { makePlan } from '../../src/manifests/apply.ts';
import type { Change, RecordChange } from '../../src/manifests/changes.ts';
import { planChanges } from '../../src/manifests/plan.ts';
import { whatGoesWith, whatIsSwept } from '../../src/manifests/what-goes-with.ts';
import { snapshotOf, type World, wantedOf } from './worlds.ts';

const gone = (kind: RecordChange['kind'], name: string): Change => ({
  action: 'delete',
  kind,
  name,
  before: {},
  after: null,
});
const along = async (world: World, ...changes: Change[]) =>
  whatGoesWith(await snapshotOf(world), changes)
    .map(
      ({ action, kind, name, after }) =>
        `${action} ${kind} ${name}${after === null ? '' : ` ${JSON.stringify(after)}`}`,
    )
    .sort();

describe('with a deleted', () => {
  it.each<[RecordChange['kind'], string, string]>([
    ['users', 'alice', 'USER:alice'],
    ['groups', 'analysts', 'GROUP:analysts'],
    ['applications', 'claims', 'USER:app:claims'],
    ['roles', 'reader', 'ROLE:reader'],
  ])('%s record %s go the grants of %s, and of nobody else', async (kind, name, subject) => {
    const grants = {
      [subject]: { 'PROMPT:p': 'READ' },
      'USER:other': { 'PROMPT:p': 'READ' },
      [`${subject}x`]: { 'PROMPT:p': 'READ' },
    };
    expect(await along({ grants }, gone(kind, name))).toEqual([`delete grants ${subject} → PROMPT:p`]);
  });

  it.each<[RecordChange['kind'], string, string, string]>([
    ['integrations', 'p', 'INTEGRATION_PROVIDER:p', 'INTEGRATION:p:m'],
    ['models', 'p:m', 'INTEGRATION:p:m', 'INTEGRATION_PROVIDER:p'],
    ['prompts', 'p', 'PROMPT:p', 'INTEGRATION_PROVIDER:p'],
    ['applications', 'p', 'APPLICATION:p', 'PROMPT:p'],
  ])('%s record %s go the grants on %s, and not those on %s', async (kind, name, target, other) => {
    const grants = { 'USER:a': { [target]: 'READ', [other]: 'READ' }, 'GROUP:g': { [target]: 'EXECUTE' } };
    expect(await along({ grants }, gone(kind, name))).toEqual([
      `delete grants GROUP:g → ${target}`,
      `delete grants USER:a → ${target}`,
    ]);
  });

  it('group go its members', async () => {
    expect(await along({ members: { g: ['alice'], h: ['alice'] } }, gone('groups', 'g'))).toEqual(['delete members g']);
  });

  it('user or application go its memberships; a group that it leaves empty has none', async () => {
    const members = { g: ['alice', 'bob'], h: ['alice'], i: ['app:claims', 'claims'], j: ['bob'] };
    expect(await along({ members }, gone('users', 'alice'), gone('applications', 'claims'))).toEqual([
      'delete members h',
      'update members g ["bob"]',
      'update members i ["claims"]',
    ]);
  });
});

describe('nothing goes along', () => {
  const world = { members: { g: ['alice'] }, grants: { 'USER:alice': { 'PROMPT:p': 'READ' } } };

  it('with what is made or changed', async () => {
    const change = { kind: 'users', name: 'alice', before: null, after: {} } as const;
    expect(await along(world, { action: 'create', ...change }, { action: 'update', ...change })).toEqual([]);
  });

  it('where the changes say already what becomes of it', async () => {
    const grant: Change = {
      action: 'update',
      kind: 'grants',
      name: 'USER:alice → PROMPT:p',
      subject: 'USER:alice',
      target: 'PROMPT:p',
      before: 'READ',
      after: 'EXECUTE',
    };
    const members: Change = {
      action: 'update',
      kind: 'members',
      name: 'g',
      before: ['alice'],
      after: ['alice', 'bob'],
    };
    expect(await along(world, gone('users', 'alice'), grant, members)).toEqual([]);
  });
});

describe('with a record that is made', () => {
  const left: World = {
    members: { analysts: ['alice', 'app:claims'], others: ['app:claims', 'bob'] },
    grants: {
      'GROUP:analysts': { 'PROMPT:greet': 'READ' },
      'USER:alice': { 'INTEGRATION:main:m': 'EXECUTE', 'INTEGRATION_PROVIDER:main': 'READ', 'PROMPT:greet': 'READ' },
      'USER:app:claims': { 'PROMPT:other': 'READ' },
      'ROLE:reader': { 'PROMPT:other': 'READ' },
    },
  };
  const swept = async (text: string, world = left): Promise<string[]> => {
    const [snapshot, wanted] = [await snapshotOf(world), wantedOf(text)];
    return whatIsSwept(snapshot, planChanges(snapshot, wanted, { prune: false }), wanted)
      .map(({ kind, name, after }) => `${kind} ${name}${after === null ? '' : ` ${JSON.stringify(after)}`}`)
      .sort();
  };
  const MAIN =
    'integrations: { main: { type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: us-east-1 } } }';

  it.each([
    [MAIN, ['grants USER:alice → INTEGRATION_PROVIDER:main']],
    ['models: { "main:m": {} }', ['grants USER:alice → INTEGRATION:main:m']],
    [
      'prompts: { greet: { template: Hi } }',
      ['grants GROUP:analysts → PROMPT:greet', 'grants USER:alice → PROMPT:greet'],
    ],
    ['groups: { analysts: {} }', ['grants GROUP:analysts → PROMPT:greet', 'members analysts']],
    [
      'applications: { claims: {} }',
      ['grants USER:app:claims → PROMPT:other', 'members analysts ["alice"]', 'members others ["bob"]'],
    ],
    ['roles: { reader: {} }', ['grants ROLE:reader → PROMPT:other']],
  ])('%s goes what an earlier one of the name left behind', async (text, expected) => {
    expect(await swept(text)).toEqual(expected);
  });

  it('stays what the manifests want themselves, changed or not', async () => {
    const grants = 'grants: [{ subject: "USER:alice", target: "PROMPT:greet", access: [READ] }]';
    expect(await swept(`prompts: { greet: { template: Hi } }\n${grants}`)).toEqual([
      'grants GROUP:analysts → PROMPT:greet',
    ]);
    expect(await swept('groups: { analysts: { members: [alice] } }')).toEqual(['grants GROUP:analysts → PROMPT:greet']);
    expect(
      await swept('groups: { analysts: { members: ["app:claims"] }, others: {} }\napplications: { claims: {} }'),
    ).toEqual(['grants GROUP:analysts → PROMPT:greet', 'grants USER:app:claims → PROMPT:other', 'members others']);
  });

  it('stays what is of a user, who needs no record', async () => {
    expect(await swept('users: { alice: {} }')).toEqual([]);
  });

  it('goes nothing where the record was there before', async () => {
    const records = { prompts: { greet: { template: 'Hi' } } };
    expect(await swept('prompts: { greet: { template: Hello } }', { ...left, records })).toEqual([]);
  });
});

describe('what names a record', () => {
  const INTEGRATION = {
    type: 'aws_bedrock_cohere',
    configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
  };
  const left: World = {
    records: {
      integrations: { other: INTEGRATION },
      models: { 'main:a': {}, 'main:b': {}, 'mainly:a': {} },
      prompts: { greet: { template: 'Hi', integrations: ['main:a', 'mainly:a'] }, old: { template: 'Hi' } },
      groups: { analysts: { roles: ['reader', 'USER', 'ADMIN'] } },
      applications: { claims: { roles: ['reader'] } },
      users: { alice: { roles: ['reader', 'writer'] }, bob: { createdBy: 'app:claims' } },
      'access-keys': { k: { application: 'claims', applicationUid: 'u', enabled: true, createdAt: 1 } },
    },
    grants: { 'USER:bob': { 'INTEGRATION:main:a': 'EXECUTE', 'INTEGRATION:mainly:a': 'EXECUTE' } },
  };
  const MAIN = `integrations: { main: ${JSON.stringify(INTEGRATION)} }`;
  const MAIN_GONE = [
    'delete grants USER:bob → INTEGRATION:main:a',
    'delete models main:a',
    'delete models main:b',
    'update prompts greet {"template":"Hi","integrations":["mainly:a"]}',
  ];
  const ROLE_GONE = [
    'update applications claims {"roles":[]}',
    'update groups analysts {"roles":["USER","ADMIN"]}',
    'update users alice {"roles":["writer"]}',
  ];
  const shown = (changes: readonly Change[]) =>
    changes
      .map(
        ({ action, kind, name, after }) =>
          `${action} ${kind} ${name}${after === null ? '' : ` ${JSON.stringify(after)}`}`,
      )
      .sort();
  const swept = async (text: string): Promise<string[]> => {
    const [snapshot, wanted] = [await snapshotOf(left), wantedOf(text)];
    return shown(whatIsSwept(snapshot, planChanges(snapshot, wanted, { prune: false }), wanted));
  };

  it.each<[RecordChange['kind'], string, string[]]>([
    ['integrations', 'main', MAIN_GONE],
    [
      'models',
      'mainly:a',
      [
        'delete grants USER:bob → INTEGRATION:mainly:a',
        'update prompts greet {"template":"Hi","integrations":["main:a"]}',
      ],
    ],
    ['roles', 'reader', ROLE_GONE],
    ['roles', 'ADMIN', []],
    ['applications', 'claims', ['update users bob {}']],
    ['prompts', 'old', []],
  ])('goes, or names it no more, with %s %s', async (kind, name, expected) => {
    expect(await along(left, gone(kind, name))).toEqual(expected);
  });

  it.each([
    [MAIN, MAIN_GONE],
    ['roles: { reader: { permissions: [] } }', ROLE_GONE],
    ['applications: { other: {} }', []],
  ])('is taken away where an earlier one left it behind and %s is made', async (text, expected) => {
    expect(await swept(text)).toEqual(expected);
  });

  it('stays where the manifests want it; what was granted on a model of an earlier integration does not', async () => {
    const wanted = `${MAIN}
models: { "main:a": {}, "main:b": {}, "mainly:a": {} }
prompts: { greet: { template: Hi, integrations: ["main:a", "mainly:a"] } }`;
    expect(await swept(wanted)).toEqual(['delete grants USER:bob → INTEGRATION:main:a']);
    expect(
      await swept(`${wanted}\ngrants: [{ subject: "USER:bob", target: "INTEGRATION:main:a", access: [EXECUTE] }]`),
    ).toEqual([]);
  });

  it('is refused where it is wanted and what it names is taken away', async () => {
    const wanted = wantedOf(`${MAIN}\nprompts: { greet: { template: Hi, integrations: ["main:a"] } }`);
    const { dangling } = makePlan(await snapshotOf(left), wanted, false);
    expect(dangling.map(({ message }) => message)).toEqual([
      expect.stringContaining('prompts.greet: the model main:a does not exist.'),
    ]);
  });

  it('is rewritten once where it names what is deleted and what is made', async () => {
    const [snapshot, wanted] = [await snapshotOf(left), wantedOf('roles: { reader: { permissions: [] } }')];
    const changes = [gone('roles', 'writer'), ...planChanges(snapshot, wanted, { prune: false })];
    const goes = whatGoesWith(snapshot, changes, wanted);
    expect(shown(goes)).toEqual(['update users alice {"roles":[]}']);
    expect(shown(whatIsSwept(snapshot, [...changes, ...goes], wanted))).toEqual(ROLE_GONE.slice(0, 2));
  });
});
