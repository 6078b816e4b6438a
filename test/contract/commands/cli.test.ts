import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { bareEnvironment, cliFromSource } from '../../../devservers/cli-from-source.ts';
import { type CliResult, runCli } from '../../support/cli.ts';
import { INTEGRATION, type Installation, install, runOnTerminal } from './installation.ts';

const ESCAPE = String.fromCharCode(27);

describe('--help', () => {
  it.each([[[]], [['apply']]])('of %j goes to stdout: exit code 0', async (words) => {
    const { code, stdout, stderr } = await runCli([...words, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`Usage: bedrock-cohere${words.map((word) => ` ${word}`).join('')}`);
  });
});

describe('completion', () => {
  it('is printed for a shell that there is: exit code 0; for another it is wrong usage', async () => {
    const { code, stdout } = await runCli(['completion', 'bash']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('complete -F _bedrock_cohere bedrock-cohere\n')]);
    const other = await runCli(['completion', 'csh']);
    expect([other.code, other.stdout]).toEqual([2, '']);
  });
});

describe('wrong usage is exit code 2, explained on stderr, with nothing on stdout', () => {
  it.each([
    ['no command', [], 'Usage: bedrock-cohere'],
    ['an unknown command, with the nearest known one', ['aply'], 'Did you mean apply?'],
    ['an unknown option, with the nearest known one', ['apply', '-f', 'x', '--prun'], 'Did you mean --prune?'],
    ['apply without -f', ['apply'], '-f, --file'],
    ['-f without a file', ['apply', '-f'], '-f, --file'],
    ['an unknown form of output', ['check', '--output', 'yaml'], 'text, json'],
    ['more words than a command takes', ['check', 'everything'], 'too many arguments'],
  ])('%s', async (_, args, words) => {
    const { code, stdout, stderr } = await runCli(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });
});

describe('an unusable environment', () => {
  const env = {
    REDIS_URL: 'http://:sesame@redis',
    CONDUCTOR_SERVER_URL: 'conductor:8080',
    CONDUCTOR_AUTH_SECRET: 'open-sesame',
    ENCRYPTION_KEYS: 'k1:c2VzYW1l',
    MAX_IN_FLIGHT: 'many',
    RBAC_MODE: 'lax',
    TASK_TYPES: 'LLM_TEXT_COMPLET',
  };
  it.each(['worker', 'check', 'can'])(
    'ends %s with exit code 2, naming every fault at once and no secret',
    async (command) => {
      const { code, stdout, stderr } = await runCli(command === 'can' ? ['can', 'alice', 'prod'] : [command], env);
      expect([code, stdout]).toEqual([2, '']);
      const faulty = Object.keys(env).map((name) => (name === 'CONDUCTOR_AUTH_SECRET' ? 'CONDUCTOR_AUTH_KEY' : name));
      for (const name of faulty) expect(stderr).toContain(`${name}: `);
      expect(stderr).toContain('Did you mean "LLM_TEXT_COMPLETE"?');
      expect(stderr).not.toMatch(/sesame|c2VzYW1l/);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
  );

  it('names the hash tag that a prefix on Redis Cluster needs', async () => {
    const { code, stderr } = await runCli(['can', 'a', 'b'], { REDIS_URL: 'redis+cluster://127.0.0.1:1' });
    expect(code).toBe(2);
    expect(stderr).toContain('REDIS_PREFIX: ');
  });

  it('is no hindrance for an empty variable, which counts as absent', async () => {
    await using here = await install();
    const { code } = await here.run(['can', 'a', 'b'], { RBAC_MODE: '', CONDUCTOR_AUTH_KEY: '' });
    expect(code).toBe(1);
  });
});

describe('a Redis that says no', () => {
  it('to a database that it does not have is exit code 3: never another database', async () => {
    await using here = await install();
    const url = new URL(here.env['REDIS_URL'] ?? '');
    const { code, stderr } = await here.run(['can', 'a', 'b'], { REDIS_URL: `redis://${url.host}/99` });
    expect([code, stderr]).toEqual([3, expect.stringContaining('DB index is out of range')]);
  });

  it('to a wrong password is exit code 3, and the password is not said', async () => {
    await using here = await install();
    const url = new URL(here.env['REDIS_URL'] ?? '');
    const { code, stderr } = await here.run(['can', 'a', 'b'], { REDIS_URL: `redis://me:sesame@${url.host}` });
    expect(code).toBe(3);
    expect(stderr).toContain(`Redis at ${url.host} cannot be reached`);
    expect(stderr).not.toContain('sesame');
  });

  it('to a password with an @ in it does not show the rest of it', async () => {
    const { stderr } = await runCli(['can', 'a', 'b'], { REDIS_URL: 'redis://:open@sesame@127.0.0.1:1' });
    expect(stderr).not.toContain('sesame');
  });

  it('to a command is one line and exit code 3', async () => {
    await using here = await install();
    const user = here.names.prefix.replace(':', '');
    await here.redis.acl('SETUSER', user, 'on', '>sesame', '~*', '&*', '+@all', '-hscan');
    const url = new URL(here.env['REDIS_URL'] ?? '');
    const { code, stderr } = await here.run(['can', 'a', 'b'], { REDIS_URL: `redis://${user}:sesame@${url.host}` });
    await here.redis.acl('DELUSER', user);
    expect([code, stderr.trim().split('\n').length]).toEqual([3, 1]);
  });
});

describe('on a terminal', () => {
  it.each<[string, NodeJS.ProcessEnv, boolean]>([
    ['there are colours', {}, true],
    ['there are none where NO_COLOR asks for none', { NO_COLOR: '1' }, false],
  ])('%s', async (_, env, expected) => {
    await using here = await install();
    const { shown } = await runOnTerminal(['can', 'alice', 'prod'], { ...here.env, TERM: 'xterm-256color', ...env });
    expect(shown).toContain('denied');
    expect(shown.includes(ESCAPE)).toBe(expected);
  });
});

describe('--output json of a command that fails', () => {
  it('is one JSON value, too, and the words are on stderr all the same', async () => {
    await using here = await install();
    const file = await here.manifest('m.yaml', 'users: { a: { nam: x } }\nuser: {}');
    const bad = await here.run(['apply', '-f', file, '--output', 'json']);
    expect([bad.code, JSON.parse(bad.stdout)]).toEqual([
      1,
      {
        error: {
          ...{ code: 'MANIFEST_INVALID', message: '2 faults in the manifests; nothing was changed' },
          retryable: false,
        },
        faults: [
          { file, line: 1, column: 15, message: expect.stringContaining('users.a.nam: unknown key') },
          { file, line: 2, column: 1, message: expect.stringContaining('"user" is not one of') },
        ],
      },
    ]);
    expect(bad.stderr).toContain('2 faults in the manifests');
    const usage = await here.run(['export', '--output=json', '--kind', 'model']);
    expect([usage.code, JSON.parse(usage.stdout)]).toEqual([
      2,
      { error: { code: 'USAGE', message: expect.stringMatching(/^option '--kind/) } },
    ]);
  });

  it('says which Redis cannot be reached; check says it as a finding', async () => {
    const env = { REDIS_URL: 'redis://me:sesame@127.0.0.1:1' };
    const message = expect.stringMatching(/^Redis at 127\.0\.0\.1:1 cannot be reached \(REDIS_URL\): /);
    const exported = await runCli(['export', '--output', 'json'], env);
    expect([exported.code, JSON.parse(exported.stdout)]).toEqual([
      3,
      { error: { code: 'UNREACHABLE', message, retryable: true } },
    ]);
    const checked = await runCli(['check', '--output', 'json'], env);
    expect([checked.code, JSON.parse(checked.stdout)]).toEqual([
      3,
      { findings: [{ severity: 'error', key: 'redis', field: '', message }] },
    ]);
    for (const { stdout, stderr } of [exported, checked]) expect(stdout + stderr).not.toContain('sesame');
  });
});

describe('where stdout does not take it', () => {
  /** Runs `export` within a line of the shell, as "$@". */
  async function exportWithin(here: Installation, line: string, ...options: string[]) {
    const { command, args } = cliFromSource(['export', ...options]);
    const child = spawn('bash', ['-c', line, 'bash', command, ...args], { env: bareEnvironment(here.env) });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stderr, code] = await Promise.all([text(child.stderr), ended]);
    return { code, stderr };
  }

  it.each([[[]], [['--output', 'json']]])('whole, a command says so: exit code 1 (%j)', async (options: string[]) => {
    await using here = await install();
    await here.put('users', 'alice', { name: 'A'.repeat(1_500) });
    const full = await exportWithin(here, '"$@" > /dev/full', ...options);
    expect(full).toEqual({ code: 1, stderr: expect.stringMatching(/^bedrock-cohere: .*stdout.*ENOSPC.*\n$/) });
    // A file that may grow to 1 KiB takes a part of it without a word.
    const file = await here.manifest('out', '');
    const short = await exportWithin(here, `ulimit -f 1; "$@" > ${file}`, ...options);
    expect(short).toEqual({ code: 1, stderr: expect.stringMatching(/^bedrock-cohere: .*stdout.*EFBIG.*\n$/) });
  });

  it('since its reader has what it wanted, nothing is said', async () => {
    await using here = await install();
    await here.put('users', 'alice', { name: 'A'.repeat(300_000) });
    expect(await exportWithin(here, '"$@" | head -c 1 > /dev/null; exit "${PIPESTATUS[0]}"')).toEqual({
      code: 0,
      stderr: '',
    });
  });
});

describe('where the output is not a terminal', () => {
  it.each([{}, { NO_COLOR: '1' }, { TERM: 'xterm-256color' }])('there are no escape codes: %j', async (env) => {
    await using here = await install();
    await here.put('users', 'alice', { name: 'A' });
    await here.put('groups', 'g', 'no JSON');
    const manifest = 'users: { alice: { name: B }, bob: {} }\nroles: { r: {} }';
    const file = await here.manifest('m.yaml', manifest);
    const ran: CliResult[] = [];
    ran.push(await here.run(['apply', '-f', file], env));
    ran.push(await here.run(['can', 'alice', 'prod'], env));
    await here.put('integrations', 'prod', INTEGRATION);
    ran.push(await here.run(['check', '--offline'], env));
    expect(ran.map(({ code }) => code)).toEqual([0, 1, 1]);
    for (const { stdout, stderr } of ran) expect(stdout + stderr).not.toContain(ESCAPE);
  });
});
