import { describe, expect, it } from 'vitest';
import type { Change } from '../../../src/manifests/changes.ts';
import { INTEGRATION, type Installation, install, resultOf, runOnTerminal } from './installation.ts';

const ADMIN = { roles: ['ADMIN'] };

async function seeded(): Promise<Installation> {
  const here = await install();
  const { redis, names } = here;
  await here.put('users', 'root', ADMIN);
  await here.put('users', 'alice', {});
  await here.put('groups', 'analysts', { roles: ['USER'] });
  await here.put('groups', 'others', {});
  await redis.sadd(names.members('analysts'), 'alice', 'bob');
  await redis.sadd(names.members('others'), 'alice');
  await redis.hset(names.grants('USER:alice'), 'PROMPT:p', 'READ');
  await redis.hset(names.grants('GROUP:analysts'), { 'PROMPT:p': 'READ', 'INTEGRATION:i:m': 'EXECUTE' });
  await here.put('integrations', 'i', INTEGRATION);
  await here.put('models', 'i:m', {});
  await redis.hset(`${names.prefix}run:ledger`, 'w', 'task');
  await redis.hset(`${names.prefix}admin:keys`, 'k', 'hash');
  return here;
}

const titles = (changes: readonly Change[]) => changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);
const changesOf = (ran: Parameters<typeof resultOf>[0]) => titles(resultOf<{ changes: Change[] }>(ran).changes).sort();

describe('without --prune', () => {
  it('nothing is deleted, also where a kind is named and empty', async () => {
    await using here = await seeded();
    const before = await here.contents();
    expect((await here.apply('users: {}\ngroups: {}\ngrants: []', '--yes')).code).toBe(0);
    expect(await here.contents()).toEqual(before);
  });
});

describe('--prune', () => {
  it('without a terminal and without --yes is wrong usage: exit code 2 and nothing changed, new records neither', async () => {
    await using here = await seeded();
    const before = await here.contents();
    const { code, stdout, stderr } = await here.apply('groups: { analysts: { roles: [USER] }, new: {} }', '--prune');
    expect(code).toBe(2);
    expect(stderr).toContain('--yes');
    expect(stdout).toContain('- groups others');
    expect(await here.contents()).toEqual(before);
  });

  it('needs no --yes where nothing is to be deleted, nor for --dry-run', async () => {
    await using here = await seeded();
    expect((await here.apply('roles: { r: {} }', '--prune')).code).toBe(0);
    expect((await here.apply('groups: {}', '--prune', '--dry-run')).code).toBe(0);
    expect(await here.redis.hlen(here.names.hash('groups'))).toBe(2);
  });

  it('deletes only of the kinds that manifests name', async () => {
    await using here = await seeded();
    const before = await here.contents();
    const ran = await here.apply('models: {}', '--prune', '--yes', '--output', 'json');
    expect(ran.code).toBe(0);
    expect(changesOf(ran)).toEqual(['delete grants GROUP:analysts → INTEGRATION:i:m', 'delete models i:m']);
    const { models: _, ...rest } = before;
    expect(await here.contents()).toEqual({ ...rest, 'grants:GROUP:analysts': { 'PROMPT:p': 'READ' } });
  });

  it('deletes a grant of a subject that holds an arrow, and of another that reads the same none', async () => {
    await using here = await install();
    await here.put('prompts', 'p', { template: 'Hi' });
    await here.redis.hset(here.names.grants('USER:a → PROMPT:b'), 'PROMPT:p', 'READ');
    await here.redis.hset(here.names.grants('USER:a'), 'PROMPT:b → PROMPT:p', 'READ');
    const manifest =
      'prompts: { p: { template: Hi } }\ngrants: [{ subject: "USER:b", target: "PROMPT:p", access: [READ] }]';
    expect((await here.apply(manifest, '--prune', '--yes')).code).toBe(0);
    expect(Object.keys(await here.contents()).sort()).toEqual(['grants:USER:b', 'prompts']);
  });

  it('takes the models of an integration with it, and their grants: made anew they are nobody’s', async () => {
    await using here = await seeded();
    await here.put('prompts', 'p', { template: 'Hi', integrations: ['i:m'] });
    expect((await here.apply('integrations: {}', '--prune', '--yes')).code).toBe(0);
    expect(await here.contents()).toMatchObject({
      prompts: { p: '{"template":"Hi","integrations":[]}' },
      'grants:GROUP:analysts': { 'PROMPT:p': 'READ' },
    });
    expect(Object.keys(await here.contents())).not.toContain('models');
    const again = `integrations: { i: ${JSON.stringify(INTEGRATION)} }\nmodels: { "i:m": {} }`;
    expect((await here.apply(again)).code).toBe(0);
    expect((await here.run(['can', 'alice', 'i:m'])).code).toBe(1);
  });

  it("takes a deleted group's members and grants with it, and a user's grants and memberships", async () => {
    await using here = await seeded();
    const ran = await here.apply(
      'users: { root: { roles: [ADMIN] } }\ngroups: { others: {} }',
      '--prune',
      '--yes',
      '--output',
      'json',
    );
    expect(ran.code).toBe(0);
    expect(changesOf(ran)).toEqual([
      'delete grants GROUP:analysts → INTEGRATION:i:m',
      'delete grants GROUP:analysts → PROMPT:p',
      'delete grants USER:alice → PROMPT:p',
      'delete groups analysts',
      'delete members analysts',
      'delete members others',
      'delete users alice',
    ]);
    expect(Object.keys(await here.contents())).toEqual([
      'admin:keys',
      'groups',
      'integrations',
      'models',
      'run:ledger',
      'users',
    ]);
  });

  it('a second time finds nothing to change', async () => {
    await using here = await seeded();
    const manifest = 'users: { root: { roles: [ADMIN] } }\ngroups: {}\ngrants: []\nintegrations: {}\nmodels: {}';
    expect((await here.apply(manifest, '--prune', '--yes')).code).toBe(0);
    const { stdout } = await here.apply(manifest, '--prune', '--output', 'json');
    expect(stdout).toBe('{"changes":[]}\n');
  });

  it('refuses a grant that the manifest gives on what it deletes, and deletes nothing', async () => {
    await using here = await seeded();
    const before = await here.contents();
    const grant = 'grants: [{ subject: "USER:alice", target: "INTEGRATION:i:m", access: [EXECUTE] }]';
    const { code, stderr } = await here.apply(`models: {}\n${grant}`, '--prune', '--yes');
    expect(code).toBe(1);
    expect(stderr).toContain('m.yaml:2:35: the grant of USER:alice on INTEGRATION:i:m: the model i:m does not exist');
    expect(await here.contents()).toEqual(before);
  });
});

describe('--prune on a terminal', () => {
  it.each([
    ['y', 0, 1],
    ['n', 1, 2],
    ['', 1, 2],
  ])('asks; "%s" ends with exit code %i', async (answer, expected, left) => {
    await using here = await seeded();
    const file = await here.manifest('m.yaml', 'groups: { analysts: { roles: [USER] } }');
    const { code, shown } = await runOnTerminal(['apply', '-f', file, '--prune'], here.env, answer);
    expect(shown).toMatch(/groups others[\s\S]*Delete \d+ entries\? \[y\/N\]/);
    expect([code, await here.redis.hlen(here.names.hash('groups'))]).toEqual([expected, left]);
  });
});

describe('--prune on a terminal, left without an answer', () => {
  it.each([
    ['Ctrl+C', '\u0003'],
    ['Ctrl+D', '\u0004'],
  ])('by %s writes nothing: exit code 1', async (_, key) => {
    await using here = await seeded();
    const before = await here.contents();
    const file = await here.manifest('m.yaml', 'groups: { analysts: { roles: [USER] } }');
    const { code, shown } = await runOnTerminal(['apply', '-f', file, '--prune'], here.env, key);
    expect([code, shown]).toEqual([1, expect.stringContaining('Nothing was written.')]);
    expect(shown).not.toContain('a fault of this program');
    expect(await here.contents()).toEqual(before);
  });
});

describe('the last ADMIN', () => {
  it('is never deleted, and keeps its grants and memberships; the others go', async () => {
    await using here = await seeded();
    const { redis, names } = here;
    await redis.hset(names.grants('USER:root'), 'PROMPT:p', 'READ');
    await redis.sadd(names.members('others'), 'root');
    const ran = await here.apply('users: {}', '--prune', '--yes');
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('users root stays');
    expect(ran.stderr).not.toContain('users alice stays');
    expect(await redis.hgetall(names.hash('users'))).toEqual({ root: JSON.stringify(ADMIN) });
    expect(await redis.hgetall(names.grants('USER:root'))).toEqual({ 'PROMPT:p': 'READ' });
    expect(await redis.smembers(names.members('others'))).toEqual(['root']);
  });

  it('that is all there is to delete is said, and nothing is asked', async () => {
    await using here = await seeded();
    const ran = await here.apply('users: { alice: {} }', '--prune', '--output', 'json');
    expect([ran.code, ran.stdout]).toEqual([0, '{"changes":[]}\n']);
    expect(ran.stderr).toContain('users root stays');
  });

  it('by a group keeps group and membership', async () => {
    await using here = await seeded();
    await here.put('groups', 'admins', ADMIN);
    await here.redis.sadd(here.names.members('admins'), 'alice');
    const ran = await here.apply('users: {}\ngroups: {}', '--prune', '--yes', '--output', 'json');
    expect(ran.code).toBe(0);
    const held = await here.contents();
    expect(Object.keys(held['groups'] as object)).toEqual(['admins']);
    expect(held['members:admins']).toEqual(['alice']);
    expect((await here.run(['can', 'alice', 'i:m'])).code).toBe(0);
  });

  it('goes where another stays', async () => {
    await using here = await seeded();
    const ran = await here.apply('users: { alice: { roles: [ADMIN] } }', '--prune', '--yes');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(await here.redis.hkeys(here.names.hash('users'))).toEqual(['alice']);
  });
});
