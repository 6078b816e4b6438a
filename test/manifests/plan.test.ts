import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planChanges } from '../../src/manifests/plan.ts';
import { snapshotOf, type World, wantedOf } from './worlds.ts';

const plan = async (world: World, manifest: string, prune = false) =>
  planChanges(await snapshotOf(world), wantedOf(manifest), { prune });

describe('a plan', () => {
  it('creates what is not there, as the manifest says it', async () => {
    expect(await plan({}, 'users: { alice: { name: Alice } }')).toEqual([
      { action: 'create', kind: 'users', name: 'alice', before: null, after: { name: 'Alice' } },
    ]);
  });

  it('updates what differs and leaves alone what does not, whatever the order of its keys', async () => {
    const records = { users: { alice: '{"name":"Alice","uuid":"1"}', bob: '{"name":"Bob"}' } };
    expect(await plan({ records }, 'users: { alice: { uuid: "1", name: Alice }, bob: { name: Robert } }')).toEqual([
      { action: 'update', kind: 'users', name: 'bob', before: { name: 'Bob' }, after: { name: 'Robert' } },
    ]);
  });

  it('writes the order of a list', async () => {
    const records = { applications: { a: { workflows: ['x', 'y'] } } };
    expect(await plan({ records }, 'applications: { a: { workflows: [y, x] } }')).toHaveLength(1);
  });

  it('leaves an application the uid by which its access keys know it', async () => {
    const records = { applications: { a: { uid: 'u', workflows: ['x'] }, b: { uid: 'u', workflows: ['x'] } } };
    expect(await plan({ records }, 'applications: { a: { workflows: [x] }, b: { workflows: [y] } }')).toEqual([
      {
        ...{ action: 'update', kind: 'applications', name: 'b' },
        before: { uid: 'u', workflows: ['x'] },
        after: { uid: 'u', workflows: ['y'] },
      },
    ]);
    expect(await plan({ records }, 'applications: { a: { workflows: [x], uid: other } }')).toHaveLength(1);
    expect(await plan({ records: { applications: { a: '"x"' } } }, 'applications: { a: {} }')).toHaveLength(1);
  });

  it('replaces a record that cannot be read', async () => {
    expect(await plan({ records: { users: { alice: '{"na' } } }, 'users: { alice: {} }')).toEqual([
      { action: 'update', kind: 'users', name: 'alice', before: '{"na', after: {} },
    ]);
  });

  it('takes absent and said defaults as different records: Redis holds what is written', async () => {
    const records = { models: { 'p:m': {} } };
    expect(await plan({ records }, 'models: { "p:m": { enabled: true } }')).toHaveLength(1);
  });

  it('touches no members where a manifest lists none', async () => {
    expect(await plan({ records: { groups: { g: {} } }, members: { g: ['alice'] } }, 'groups: { g: {} }')).toEqual([]);
  });

  it('sets members exactly as they are listed, whatever their order', async () => {
    const world = { records: { groups: { g: {}, h: {} } }, members: { g: ['bob', 'alice'], h: ['bob', 'carol'] } };
    expect(await plan(world, 'groups: { g: { members: [alice, bob] }, h: { members: [alice, bob] } }')).toEqual([
      { action: 'update', kind: 'members', name: 'h', before: ['bob', 'carol'], after: ['alice', 'bob'] },
    ]);
  });

  it('empties a group whose list is empty, once', async () => {
    const records = { groups: { g: {} } };
    const manifest = 'groups: { g: { members: [] } }';
    expect(await plan({ records, members: { g: ['alice'] } }, manifest)).toEqual([
      { action: 'update', kind: 'members', name: 'g', before: ['alice'], after: [] },
    ]);
    expect(await plan({ records }, manifest)).toEqual([]);
  });

  it('sets a grant as Redis holds it, and leaves alone one of the same words in another order', async () => {
    const manifest = 'grants: [{ subject: "USER:a", target: "PROMPT:p", access: [READ, EXECUTE] }]';
    const grant = { subject: 'USER:a', target: 'PROMPT:p' };
    const change = { kind: 'grants', name: 'USER:a → PROMPT:p', ...grant, after: 'READ,EXECUTE' };
    expect(await plan({}, manifest)).toEqual([{ action: 'create', before: null, ...change }]);
    expect(await plan({ grants: { 'USER:a': { 'PROMPT:p': 'READ,EXECUTE' } } }, manifest)).toEqual([]);
    expect(await plan({ grants: { 'USER:a': { 'PROMPT:p': 'EXECUTE, READ,READ' } } }, manifest)).toEqual([]);
    for (const other of ['READ', 'RUN']) {
      expect(await plan({ grants: { 'USER:a': { 'PROMPT:p': other } } }, manifest)).toEqual([
        { action: 'update', before: other, ...change },
      ]);
    }
  });
});

describe('a plan that prunes', () => {
  const world = {
    records: { users: { alice: {}, bob: {} }, roles: { r: {} } },
    grants: { 'USER:alice': { 'PROMPT:p': 'READ', 'PROMPT:q': 'READ' } },
  };

  it('deletes of the kinds that manifests name, and of no other', async () => {
    expect(await plan(world, 'users: { alice: {} }', true)).toEqual([
      { action: 'delete', kind: 'users', name: 'bob', before: {}, after: null },
    ]);
  });

  it('deletes everything of a kind that is named and empty', async () => {
    const changes = await plan(world, 'users: {}\nroles: {}\ngrants:', true);
    expect(changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`)).toEqual([
      'delete users alice',
      'delete users bob',
      'delete roles r',
    ]);
  });

  it('deletes grants only where manifests name grants', async () => {
    const kept = 'grants: [{ subject: "USER:alice", target: "PROMPT:p", access: [READ] }]';
    expect(await plan(world, kept, true)).toEqual([
      {
        action: 'delete',
        kind: 'grants',
        name: 'USER:alice → PROMPT:q',
        ...{ subject: 'USER:alice', target: 'PROMPT:q', before: 'READ', after: null },
      },
    ]);
  });

  it('deletes nothing without being asked to', async () => {
    expect(await plan(world, 'users: {}\ngrants: []')).toEqual([]);
  });
});

describe('a plan that was carried out', () => {
  const name = fc.stringMatching(/^[a-z]{1,3}$/);
  const table = fc.dictionary(name, fc.record({ name: fc.string() }), { maxKeys: 4 });

  it('leaves nothing to plan, whatever was there and whatever is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(table, table, fc.boolean(), async (before, wanted, prune) => {
        const manifest = JSON.stringify({ users: wanted });
        const redis = new Map<string, unknown>(Object.entries(before));
        for (const change of await plan({ records: { users: before } }, manifest, prune)) {
          if (change.after === null) redis.delete(change.name);
          else redis.set(change.name, change.after);
        }
        const users = Object.fromEntries(redis);
        expect(await plan({ records: { users } }, manifest, prune)).toEqual([]);
        expect(users).toEqual(prune ? wanted : { ...before, ...wanted });
      }),
      { numRuns: 200 },
    );
  });
});
