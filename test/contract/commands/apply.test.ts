import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Change } from '../../../src/manifests/changes.ts';
import { INTEGRATION, install, resultOf, runWithInput } from './installation.ts';

/** "Manifests" of the contract, to the letter. */
const CONTRACT = `
integrations: { bedrock-prod: { type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: us-east-1 } } }
models:       { "bedrock-prod:cohere.embed-v4:0": { configuration: { maxConcurrency: 8 } } }
groups:       { analysts: { description: Risk analysts, members: [alice@example.com, "app:claims"] } }
applications: { claims: { workflows: ["claims_*"] } }
grants:
  - { subject: "GROUP:analysts", target: "INTEGRATION:bedrock-prod:cohere.embed-v4:0", access: [READ, EXECUTE] }
`;

const HELD = {
  applications: { claims: '{"workflows":["claims_*"]}' },
  'grants:GROUP:analysts': { 'INTEGRATION:bedrock-prod:cohere.embed-v4:0': 'READ,EXECUTE' },
  groups: { analysts: '{"description":"Risk analysts"}' },
  integrations: {
    'bedrock-prod':
      '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  },
  'members:analysts': ['alice@example.com', 'app:claims'],
  models: { 'bedrock-prod:cohere.embed-v4:0': '{"configuration":{"maxConcurrency":8}}' },
};

interface Result {
  readonly changes: readonly Change[];
}
const titles = (changes: readonly Change[]) => changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);

describe("the contract's example", () => {
  it('ends up in Redis in the shapes of the contract, and a second time there is nothing to change', async () => {
    await using here = await install();
    const first = await here.apply(CONTRACT);
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(await here.contents()).toEqual(HELD);

    const second = await here.apply(CONTRACT, '--output', 'json');
    expect([second.code, second.stdout]).toEqual([0, '{"changes":[]}\n']);
    expect(await here.contents()).toEqual(HELD);
  });

  it('is shown and not written with --dry-run', async () => {
    await using here = await install();
    const { code, stdout } = await here.apply(CONTRACT, '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain('+ integrations bedrock-prod');
    expect(stdout).toContain('configuration.region: "us-east-1"');
    expect(stdout).toContain('+ members analysts');
    expect(await here.contents()).toEqual({});
  });

  it('gives access that `can` confirms', async () => {
    await using here = await install();
    await here.apply(CONTRACT);
    const { code } = await here.run(['can', 'app:claims', 'bedrock-prod:cohere.embed-v4:0']);
    expect(code).toBe(0);
  });
});

describe('a model in a manifest', () => {
  it('is shown with its state at Bedrock, warned of where its life has ended, and written all the same', async () => {
    await using here = await install();
    const { code, stdout, stderr } = await here.apply(`
integrations: { p: { type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: us-east-1 } } }
models:
  "p:cohere.embed-v4:0": {}
  "p:cohere.command-r-v1:0": {}
  "p:hosted": { configuration: { modelId: "arn:aws:bedrock:us-east-1:111122223333:imported-model/r", family: command-r } }
`);
    expect(code).toBe(0);
    expect(stdout).toContain('(at Bedrock: active, as of 2026-11-23)');
    expect(stdout).toContain('(at Bedrock: ended on 2026-08-19)');
    expect(stdout.match(/at Bedrock/g)).toHaveLength(2);
    expect(stderr).toBe(
      'models p:cohere.command-r-v1:0: the model reached its end of life on 2026-08-19; a living alternative is global.amazon.nova-2-lite-v1:0\n',
    );
    expect(await here.contents()).toHaveProperty(['models', 'p:cohere.command-r-v1:0']);
  });
});

describe('--output json', () => {
  it('is one JSON value, alone on stdout, that says every change with what was and what will be', async () => {
    await using here = await install();
    await here.put('users', 'alice', { name: 'Alice' });
    await here.redis.sadd(here.names.members('g'), 'bob');
    const { code, stdout } = await here.apply(
      'users: { alice: { name: Alicia }, carol: {} }\ngroups: { g: { members: [alice] } }',
      '--output',
      'json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      changes: [
        { action: 'create', kind: 'groups', name: 'g', before: null, after: {} },
        { action: 'update', kind: 'users', name: 'alice', before: { name: 'Alice' }, after: { name: 'Alicia' } },
        { action: 'create', kind: 'users', name: 'carol', before: null, after: {} },
        { action: 'update', kind: 'members', name: 'g', before: ['bob'], after: ['alice'] },
      ],
    });
    expect(await here.redis.smembers(here.names.members('g'))).toEqual(['alice']);
  });

  it('says with --dry-run what would be done', async () => {
    await using here = await install();
    const result = resultOf<Result>(await here.apply('roles: { r: {} }', '--dry-run', '--output', 'json'));
    expect(titles(result.changes)).toEqual(['create roles r']);
    expect(await here.contents()).toEqual({});
  });
});

describe('members', () => {
  it('stay as they are where the manifest lists none', async () => {
    await using here = await install();
    await here.put('groups', 'g', {});
    await here.redis.sadd(here.names.members('g'), 'alice');
    expect((await here.apply('groups: { g: { description: x } }')).code).toBe(0);
    expect(await here.redis.smembers(here.names.members('g'))).toEqual(['alice']);
  });

  it('are all removed by an empty list, and a second time there is nothing to change', async () => {
    await using here = await install();
    await here.redis.sadd(here.names.members('g'), 'alice');
    expect((await here.apply('groups: { g: { members: [] } }')).code).toBe(0);
    expect(await here.redis.exists(here.names.members('g'))).toBe(0);
    const { stdout } = await here.apply('groups: { g: { members: [] } }', '--output', 'json');
    expect(stdout).toBe('{"changes":[]}\n');
  });
});

describe('a bad manifest', () => {
  it('changes nothing, and every fault of every file is listed with its line; exit code 1', async () => {
    await using here = await install();
    const good = await here.manifest('a.yaml', 'users: { alice: {} }\n');
    const bad = await here.manifest('b.yaml', 'users:\n  bob: { nam: x }\nmodel: {}\n');
    const twice = await here.manifest('c.yaml', '\nusers: { alice: {} }\n');
    const broken = await here.manifest('d.yaml', 'users:\n\t- x\n');
    const { code, stdout, stderr } = await here.run([
      'apply',
      ...[good, bad, twice, broken].flatMap((file) => ['-f', file]),
    ]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`${bad}:2:10: users.bob.nam: unknown key. Did you mean "name"?`);
    expect(stderr).toContain(`${bad}:3:1: "model" is not one of`);
    expect(stderr).toContain(`${twice}:2:10: users.alice is already said at ${good}:1:10`);
    expect(stderr).toContain(`${broken}:2:1: `);
    expect(await here.contents()).toEqual({});
  });

  it('that names what does not exist changes nothing either, and that is listed beside the other faults', async () => {
    await using here = await install();
    await here.put('integrations', 'prod', INTEGRATION);
    const before = await here.contents();
    const dangling = 'models: { "prd:m": {}, "prod:m": {} }\ngroups: { g: { members: ["app:x"] } }\n';
    const first = await here.apply(dangling);
    expect([first.code, first.stdout]).toEqual([1, '']);
    expect(first.stderr).toContain(
      'm.yaml:1:11: models.prd:m: the integration prd does not exist. Did you mean "prod"?',
    );
    expect(first.stderr).toContain('m.yaml:2:26: groups.g: the application x does not exist.');
    expect(first.stderr).toContain('2 faults in the manifests; nothing was changed');
    const both = await here.apply(`${dangling}users: { a: { nam: x } }`, '--dry-run');
    expect(both.code).toBe(1);
    expect(both.stderr).toContain('3 faults in the manifests; nothing was changed');
    expect(both.stderr).toContain('m.yaml:3:15: users.a.nam: unknown key. Did you mean "name"?');
    expect(await here.contents()).toEqual(before);
  });

  it('lists what a record names that has a fault itself', async () => {
    await using here = await install();
    const { code, stderr } = await here.apply(
      'prompts: { p: { integrations: ["x:m"] } }\ngroups: { g: { x: 1, members: ["app:y"] } }',
    );
    expect(code).toBe(1);
    expect(stderr).toContain('prompts.p.template: missing');
    expect(stderr).toContain('m.yaml:1:32: prompts.p: the model x:m does not exist.');
    expect(stderr).toContain('groups.g.x: unknown key.');
    expect(stderr).toContain('m.yaml:2:32: groups.g: the application y does not exist.');
  });

  it('is refused also where Redis cannot be reached', async () => {
    await using here = await install();
    const file = await here.manifest('m.yaml', 'user: {}');
    const { code } = await here.run(['apply', '-f', file], { REDIS_URL: 'redis://127.0.0.1:1' });
    expect(code).toBe(1);
  });
});

describe('a role that gives nothing', () => {
  it('is warned of before it is written, again while it stays, and no more when it means something', async () => {
    await using here = await install();
    const first = await here.apply('users: { alice: { roles: [USR] } }');
    const warning = 'm.yaml:1:27: users.alice: the role USR gives nothing';
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining(warning)]);
    expect(first.stderr).toContain('Did you mean "USER"?');
    const again = await here.apply('users: { alice: { roles: [USR] } }', '--output', 'json');
    expect([again.stdout, again.stderr]).toEqual(['{"changes":[]}\n', expect.stringContaining(warning)]);
    const mended = await here.apply('users: { alice: { roles: [USR] } }\nroles: { USR: {} }');
    expect([mended.code, mended.stderr]).toEqual([0, '']);
  });
});

describe('the first example of docs/manifests.md', () => {
  it('can be applied to an empty Redis', async () => {
    await using here = await install();
    const docs = await readFile(new URL('../../../docs/manifests.md', import.meta.url), 'utf8');
    const { code, stderr } = await here.apply(/```yaml\n([\s\S]*?)```/.exec(docs)?.[1] ?? '');
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('does not exist')]);
  });
});

describe('-f', () => {
  it('takes several files, a folder of *.yaml and *.yml, and standard input', async () => {
    await using here = await install();
    const one = await here.manifest('one.yaml', 'users: { one: {} }');
    await here.manifest('two.yml', 'users: { two: {} }');
    await here.manifest('notes.txt', 'no: manifest');
    const args = ['apply', '-f', dirname(one), '-', '--output', 'json'];
    const ran = await runWithInput(args, here.env, 'users: { three: {} }');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(Object.keys(await here.redis.hgetall(here.names.hash('users'))).sort()).toEqual(['one', 'three', 'two']);
  });

  it('of manifests that name nothing warns, and changes nothing', async () => {
    await using here = await install();
    const { code, stderr } = await runWithInput(['apply', '-f', '-'], here.env, '');
    expect([code, stderr]).toEqual([0, 'no manifest names any record\n']);
    expect((await here.apply('groups: {}')).stderr).toBe('');
  });

  it('names standard input in a fault', async () => {
    await using here = await install();
    const { code, stderr } = await runWithInput(['apply', '-f', '-'], here.env, '\nuser: {}');
    expect(code).toBe(1);
    expect(stderr).toContain('(standard input):2:1: "user" is not one of');
  });

  it('that is not there is wrong usage: exit code 2, and nothing is written of the others', async () => {
    await using here = await install();
    const file = await here.manifest('m.yaml', 'users: { a: {} }');
    const { code, stderr } = await here.run(['apply', '-f', file, '-f', `${file}.missing`]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}.missing`);
    expect(await here.contents()).toEqual({});
  });

  it('that is an empty folder is wrong usage', async () => {
    await using here = await install();
    const file = await here.manifest('notes.txt', '');
    const { code, stderr } = await here.run(['apply', '-f', dirname(file)]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('no *.yaml')]);
  });

  it('takes the examples of the quickstart', async () => {
    await using here = await install();
    const folder = fileURLToPath(new URL('../../../examples/quickstart', import.meta.url));
    const { code, stderr } = await here.run(['apply', '-f', folder]);
    expect([code, stderr]).toEqual([0, '']);
    expect((await here.run(['can', 'app:quickstart', 'PROMPT:summarize'])).code).toBe(0);
  });
});

describe('a record of a name that was used before', () => {
  it('inherits no grant, without being asked, and the diff says so', async () => {
    await using here = await install();
    await here.redis.hset(here.names.grants('USER:mallory'), 'PROMPT:greet', 'EXECUTE');
    await here.redis.hset(here.names.grants('USER:alice'), 'PROMPT:greet', 'READ');
    const { code, stdout } = await here.apply(
      'prompts: { greet: { template: Hi } }\ngrants: [{ subject: "USER:alice", target: "PROMPT:greet", access: [READ] }]',
    );
    expect(code).toBe(0);
    expect(stdout).toContain('- grants USER:mallory → PROMPT:greet (left behind by an earlier record)');
    expect(await here.contents()).toEqual({
      prompts: { greet: '{"template":"Hi"}' },
      'grants:USER:alice': { 'PROMPT:greet': 'READ' },
    });
  });
});

describe('an unreachable Redis', () => {
  it('is exit code 3, named without its password', async () => {
    await using here = await install();
    const file = await here.manifest('m.yaml', 'users: { a: {} }');
    const { code, stderr } = await here.run(['apply', '-f', file], { REDIS_URL: 'redis://me:sesame@127.0.0.1:1' });
    expect(code).toBe(3);
    expect(stderr).toContain('127.0.0.1:1');
    expect(stderr).not.toContain('sesame');
  });
});
