import { describe, expect, it } from 'vitest';
import { leftoversOf, type RecordName } from '../../../src/catalog/changes/leftovers.ts';
import { type Edit, isFieldEdit, isKeyEdit } from '../../../src/redis/edits.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { snapshotOf, type World } from '../../manifests/worlds.ts';

const INTEGRATION = {
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
};
const KEY = { application: 'claims', applicationUid: 'u', enabled: true, createdAt: 1 };

const WORLD: World = {
  records: {
    integrations: { main: INTEGRATION },
    models: { 'main:a': {}, 'main:b': {} },
    prompts: { greet: { template: 'Hi', integrations: ['main:a', 'main:b'] } },
    groups: { analysts: { roles: ['reader', 'USER'] }, others: {} },
    applications: { claims: { roles: ['reader'] }, billing: {} },
    users: { alice: { roles: ['reader'] }, bob: {} },
    roles: { reader: {} },
    'access-keys': { k1: KEY, k2: { ...KEY, application: 'billing' } },
  },
  members: { analysts: ['alice', 'app:claims'], others: ['alice', 'bob'] },
  grants: {
    'GROUP:analysts': { 'INTEGRATION:main:a': 'READ', 'INTEGRATION_PROVIDER:main': 'EXECUTE' },
    'USER:alice': { 'INTEGRATION:main:a': 'EXECUTE', 'PROMPT:greet': 'READ' },
    'USER:app:claims': { 'APPLICATION:claims': 'READ' },
    'ROLE:reader': { 'PROMPT:greet': 'READ' },
    'USER:bob': { 'APPLICATION:claims': 'UPDATE' },
  },
};

/** `key field`, `key <member`, `key` alone: what goes or is rewritten. */
function shown(edit: Edit): string {
  const key = edit.key.slice('t:'.length);
  if (isKeyEdit(edit)) return key;
  if (!isFieldEdit(edit)) return `${key} <${edit.member}`;
  return edit.after === undefined ? `${key} ${edit.field}` : `${key} ${edit.field} = ${edit.after}`;
}

const leftovers = async (...gone: RecordName[]) =>
  leftoversOf(await snapshotOf(WORLD), keyNames('t:'), gone)
    .map(shown)
    .sort();

describe('what goes with a record', () => {
  it('of a model: grants on it, and its links to prompts', async () => {
    expect(await leftovers({ kind: 'models', name: 'main:a' })).toEqual([
      'grants:GROUP:analysts INTEGRATION:main:a',
      'grants:USER:alice INTEGRATION:main:a',
      'prompts greet = {"template":"Hi","integrations":["main:b"]}',
    ]);
  });

  it('of an integration: grants on it, its models, and what goes with those', async () => {
    expect(await leftovers({ kind: 'integrations', name: 'main' })).toEqual([
      'grants:GROUP:analysts INTEGRATION:main:a',
      'grants:GROUP:analysts INTEGRATION_PROVIDER:main',
      'grants:USER:alice INTEGRATION:main:a',
      'models main:a',
      'models main:b',
      'prompts greet = {"template":"Hi","integrations":[]}',
    ]);
  });

  it('of a prompt: grants on it', async () => {
    expect(await leftovers({ kind: 'prompts', name: 'greet' })).toEqual([
      'grants:ROLE:reader PROMPT:greet',
      'grants:USER:alice PROMPT:greet',
    ]);
  });

  it('of a group: its grants and its members', async () => {
    expect(await leftovers({ kind: 'groups', name: 'analysts' })).toEqual([
      'grants:GROUP:analysts',
      'members:analysts',
    ]);
  });

  it('of a user: its grants, and that it is a member anywhere', async () => {
    expect(await leftovers({ kind: 'users', name: 'alice' })).toEqual([
      'grants:USER:alice',
      'members:analysts <alice',
      'members:others <alice',
    ]);
  });

  it('of an application: its grants, those on it, memberships, and its access keys with their hashes', async () => {
    expect(await leftovers({ kind: 'applications', name: 'claims' })).toEqual([
      'access-keys k1',
      'admin:key-hashes k1',
      'grants:USER:app:claims',
      'grants:USER:bob APPLICATION:claims',
      'members:analysts <app:claims',
    ]);
  });

  it('of a role: its grants, and that anybody has it', async () => {
    expect(await leftovers({ kind: 'roles', name: 'reader' })).toEqual([
      'applications claims = {"roles":[]}',
      'grants:ROLE:reader',
      'groups analysts = {"roles":["USER"]}',
      'users alice = {"roles":[]}',
    ]);
  });

  it('of several is named once, and nothing of the others', async () => {
    const both = await leftovers({ kind: 'models', name: 'main:a' }, { kind: 'users', name: 'alice' });
    expect(both).toContain('grants:USER:alice');
    expect(new Set(both).size).toBe(both.length);
    expect(await leftovers()).toEqual([]);
  });
});
