/** What commands change is on record, and `audit` shows it. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { bareEnvironment, cliFromSource } from '../../../devservers/cli-from-source.ts';
import type { ChangeRecord } from '../../../src/audit/records.ts';
import { startCli } from '../../support/cli.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { redisUrlAs } from '../../support/redis-user.ts';
import { changesIn } from '../../support/trail.ts';
import { type Installation, install, resultOf, runOnTerminal } from '../commands/installation.ts';

const MANIFEST = `
integrations:
  main: { type: aws_bedrock_cohere, configuration: { connectionType: ACCESS_KEY, region: us-east-1, user: AKIA, api_key: SEKRET } }
groups: { analysts: { description: Analysts, members: [alice, bob] } }
grants: [{ subject: "GROUP:analysts", target: "INTEGRATION_PROVIDER:main", access: [EXECUTE] }]
`;
const plain = ({ action, kind, name }: ChangeRecord) => `${action} ${kind} ${name}`;
const changes = ({ redis, names }: Installation) => changesIn(redis, names);

describe('what apply changes', () => {
  it('is on record, by one id and who says to have run it, with no secret, bare or sealed', async () => {
    await using here = await install();
    expect((await here.apply(MANIFEST)).code).toBe(0);
    const [first, ...rest] = await changes(here);
    expect([first, ...rest].map((record) => record && plain(record))).toEqual([
      'create integrations main',
      'create groups analysts',
      'create grants GROUP:analysts → INTEGRATION_PROVIDER:main',
      'update members analysts',
    ]);
    expect(new Set([first, ...rest].map((record) => record?.change)).size).toBe(1);
    expect(first).toMatchObject({ via: 'bedrock-cohere apply', label: expect.stringContaining('@') });

    const sealing = { ENCRYPTION_KEYS: encryptionKeys('k1') };
    const sealed = ['apply', '-f', await here.manifest('n.yaml', MANIFEST.replace('bob', 'carol'))];
    expect((await here.run(sealed, sealing)).code).toBe(0);
    expect((await here.run(sealed, sealing)).code).toBe(0);
    const again = (await changes(here)).slice(4);
    expect(again).toMatchObject([
      { action: 'update', kind: 'integrations', rewritten: ['configuration.api_key'] },
      { action: 'update', kind: 'members', before: ['bob'], after: ['carol'] },
    ]);
    expect(again).toHaveLength(2);
    const all = JSON.stringify(await here.redis.xrange(here.names.audit, '-', '+'));
    for (const hidden of ['SEKRET', 'enc:v1']) expect(all).not.toContain(hidden);
  });

  it('is not, where it is only shown, or is wrong', async () => {
    await using here = await install();
    await here.apply(MANIFEST, '--dry-run');
    await here.apply(`${MANIFEST}\nunheard: {}`);
    expect(await changes(here)).toEqual([]);
  });

  it('masks what redis-cli left that cannot be read', async () => {
    await using here = await install();
    await here.put('integrations', 'main', '{"configuration":{"api_key":"SEKRET-of-old"');
    expect((await here.apply(MANIFEST)).code).toBe(0);
    expect((await changes(here))[0]).toMatchObject({ action: 'update', kind: 'integrations', before: '********' });
    expect(JSON.stringify(await here.redis.xrange(here.names.audit, '-', '+'))).not.toContain('SEKRET');
  });

  it('of 10,000 records is one change, in reasonable time', async () => {
    await using here = await install();
    const users = Array.from({ length: 10_000 }, (_, n) => `  user-${n}: { name: "User ${n}" }`);
    expect((await here.apply(`users:\n${users.join('\n')}\n`)).code).toBe(0);
    const records = await changes(here);
    expect(records).toHaveLength(10_000);
    expect(new Set(records.map(({ change }) => change)).size).toBe(1);
  }, 60_000);
});

describe('bootstrap', () => {
  it('is on record, once, without the key’s secret', async () => {
    await using here = await install();
    const run = () => here.run(['bootstrap', '--output', 'json'], { ENCRYPTION_KEYS: encryptionKeys('k1') });
    const made = await run();
    expect(made.code).toBe(0);
    expect((await run()).code).toBe(1);
    const { id, secret } = resultOf<{ id: string; secret: string }>(made);
    const records = await changes(here);
    expect(records.map(({ kind }) => kind)).toEqual(['token-keys', 'bootstrap', 'applications', 'access-keys']);
    expect(records.at(-1)).toMatchObject({ name: id, via: 'bedrock-cohere bootstrap' });
    expect(JSON.stringify(await here.redis.xrange(here.names.audit, '-', '+'))).not.toContain(secret);
  });
});

describe('audit', () => {
  it('shows what changed, the oldest first, for people and for programs', async () => {
    await using here = await install();
    await here.apply(MANIFEST);
    await here.apply(MANIFEST.replace('Analysts', 'Risk').replace('bob', 'carol').replace('us-east-1', 'eu-west-1'));
    const shown = await here.run(['audit']);
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    for (const line of [
      /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}\+ integrations main {2}\S+@\S+, bedrock-cohere apply$/m,
      / {4}configuration.api_key: "\*{8}"$/m,
      / {4}configuration.region: "us-east-1" → "eu-west-1"$/m,
      / {4}description: "Analysts" → "Risk"$/m,
      / {4}\+ carol\n {4}- bob$/m,
    ]) {
      expect(shown.stdout).toMatch(line);
    }
    const { records } = resultOf<{ records: ChangeRecord[] }>(await here.run(['audit', '--output', 'json']));
    expect(records).toEqual(await changes(here));
    const last = resultOf<{ records: ChangeRecord[] }>(await here.run(['audit', '--limit', '2', '--output', 'json']));
    expect(last.records).toEqual(records.slice(-2));
    const filters = ['--kind', 'members', '--since', '1h', '--name', 'analysts', '--action', 'update'];
    const some = resultOf<{ records: ChangeRecord[] }>(await here.run(['audit', ...filters, '--output', 'json']));
    expect(some.records.map(plain)).toEqual(['update members analysts', 'update members analysts']);
    const who = ['--subject', records[0]?.label ?? ''];
    expect(
      resultOf<{ records: ChangeRecord[] }>(await here.run(['audit', ...who, '--output', 'json'])).records,
    ).toEqual(records);
    expect((await here.run(['audit', '--since', '2100-01-01'])).stdout).toBe('Nothing is on record that fits.\n');
  });

  it('shows denials', async () => {
    await using here = await install();
    const denial = { subject: 'USER:bob', source: 'creator', target: 'main:m', missing: 'EXECUTE', mode: 'audit' };
    await here.redis.xadd(here.names.denials, '*', ...Object.entries({ ...denial, taskId: 't1' }).flat());
    const counted = { ...denial, count: '41', since: '2026-11-26T12:00:00.000Z' };
    await here.redis.xadd(here.names.denials, '*', ...Object.entries(counted).flat());
    const { stdout } = await here.run(['audit', '--denials']);
    expect(stdout).toMatch(/would be denied {2}USER:bob → main:m: EXECUTE {2}\(creator, t1\)$/m);
    expect(stdout).toMatch(/, 41 more in the minute from 2026-11-26T12:00:00.000Z$/m);
  });

  it('lets no name move the cursor or begin a line', async () => {
    await using here = await install();
    const name = 'a\u001b[2J\n2026-01-01 forged';
    await here.redis.xadd(here.names.audit, '*', 'action', 'create', 'kind', 'users', 'name', name, 'via', name);
    const { shown } = await runOnTerminal(['audit'], here.env);
    expect(shown).toContain('a\\x1b[2J\\x0a2026-01-01 forged');
    expect(shown.trim().split('\n')).toHaveLength(1);
  });

  it.each([
    [['--kind', 'integration'], 'Did you mean "integrations"?'],
    [['--denials', '--kind', 'users'], '--kind and --action are of changes'],
    [['--since', 'yesterday'], '--since "yesterday" is not'],
    [['--limit', 'all'], '--limit "all" is not'],
    [['--action', 'made'], 'create, update, delete'],
  ])('is exit code 2 with %s', async (args, words) => {
    await using here = await install();
    const { code, stdout, stderr } = await here.run(['audit', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });

  it('is exit code 3 where Redis is away', async () => {
    await using here = await install();
    expect((await here.run(['audit'], { REDIS_URL: 'redis://127.0.0.1:1' })).code).toBe(3);
  });
});

describe('audit by a user of Redis that may not read the streams', () => {
  it('says so, and how it may; not that nothing was written', async () => {
    await using here = await install();
    const url = await redisUrlAs('worker', here.env['REDIS_URL'] ?? '', here.names.prefix);
    for (const flags of [[], ['--denials']]) {
      const { code, stderr } = await here.run(['audit', ...flags], { REDIS_URL: url });
      expect([code, stderr]).toEqual([3, expect.stringMatching(/Redis refuses: NOPERM .*bedrock-cohere acl writes/)]);
      expect(stderr).not.toContain('written');
    }
  });
});

describe('audit --follow', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('goes on with what comes, each once, until %s', async (signal) => {
    await using here = await install();
    const write = (n: number) =>
      here.redis.xadd(
        here.names.audit,
        '*',
        'action',
        'create',
        'kind',
        n % 2 === 0 ? 'users' : 'roles',
        'name',
        `n${n}`,
      );
    for (let n = 0; n < 6; n += 1) await write(n);
    const cli = await startCli(['audit', '--follow', '--limit', '2', '--kind', 'users', '--output', 'json'], here.env);
    try {
      const seen = async () => (await cli.lines()).map((line) => (JSON.parse(line) as ChangeRecord).name);
      await expect.poll(seen, { timeout: 20_000 }).toEqual(['n2', 'n4']);
      for (let n = 6; n < 1_306; n += 1) await write(n);
      const expected = ['n2', 'n4', ...Array.from({ length: 650 }, (_, n) => `n${n * 2 + 6}`)];
      await expect.poll(seen, { timeout: 20_000 }).toEqual(expected);
      cli.kill(signal);
      expect((await cli.exited).code).toBe(0);
      expect(await cli.stderr()).toBe('');
    } finally {
      await cli.stop();
      await cli.remove();
    }
  });

  it.each([[['--follow']], [[]]])('ends where nobody reads on (%j)', async (more) => {
    await using here = await install();
    for (let n = 0; n < 500; n += 1) await here.redis.xadd(here.names.audit, '*', 'action', 'create', 'name', `n${n}`);
    const { command, args } = cliFromSource(['audit', '--limit', '500', ...more]);
    const child = spawn(command, args, { env: bareEnvironment(here.env) });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const complaints = text(child.stderr);
    child.stdout.once('data', () => child.stdout.destroy());
    const writing = setInterval(
      () => void here.redis.xadd(here.names.audit, '*', 'action', 'create', 'name', 'more'),
      50,
    );
    expect(await ended).toBe(0);
    clearInterval(writing);
    expect(await complaints).toBe('');
  });
});
