import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bareEnvironment, cliFromSource } from '../../../devservers/cli-from-source.ts';
import { aclRules, redisUser, USER_ROLES } from '../../../src/redis/users.ts';

function acl(args: readonly string[], { input = '', env = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { command, args: words } = cliFromSource(['acl', ...args]);
  return spawnSync(command, words, { input, env: bareEnvironment(env), encoding: 'utf8' });
}

const PLACE = { prefix: 'cohere:', cluster: false };

describe('bedrock-cohere acl', () => {
  it('writes a command of Redis for every user, and says what is still to be done', () => {
    const { stdout, stderr, status } = acl([]);
    expect(stdout.trim().split('\n')).toEqual(
      USER_ROLES.map((role) => `ACL SETUSER cohere-${role} ${aclRules(redisUser(role, PLACE)).join(' ')}`),
    );
    expect(stderr).toContain('--password-stdin');
    expect(stderr).toContain('ACL SETUSER default off');
    expect(status).toBe(0);
  });

  it('names the user as it is told, for the prefix of the environment', () => {
    const { stdout } = acl(['viewer', '--user', 'auditor', '--format', 'file'], { env: { REDIS_PREFIX: 'prod:' } });
    expect(stdout).toMatch(/^user auditor on .*%R~prod:grants:\*/);
    expect(stdout).not.toContain('cohere');
  });

  it('writes of a password its hash alone', () => {
    const password = 'sesame-4711';
    const sha256 = createHash('sha256').update(password).digest('hex');
    const { stdout, stderr, status } = acl(['worker', '--password-stdin'], { input: `${password}\n` });
    expect(status).toBe(0);
    expect(stdout).toContain(`ACL SETUSER cohere-worker resetpass #${sha256} on `);
    expect(stdout + stderr).not.toContain(password);
    expect(acl(['worker', '--hash', sha256.toUpperCase()]).stdout).toBe(stdout);
  });

  it('asks of a Cluster who serves what, and to be told of changes only elsewhere', () => {
    const env = { REDIS_URL: 'redis+cluster://redis:6379', REDIS_PREFIX: '{cohere}:' };
    const onCluster = acl(['worker'], { env }).stdout;
    const elsewhere = acl(['worker']).stdout;
    for (const rule of ['+cluster|slots', '+cluster|info', '+asking']) {
      expect([onCluster.includes(rule), elsewhere.includes(rule)], rule).toEqual([true, false]);
    }
    for (const rule of ['+client|tracking', '+subscribe', '&__redis__:invalidate']) {
      expect([onCluster.includes(rule), elsewhere.includes(rule)], rule).toEqual([false, true]);
    }
  });

  it('gives programs the rules as words', () => {
    const { stdout } = acl(['operator', '--nopass', '--output', 'json']);
    const rules = ['resetpass', 'nopass', ...aclRules(redisUser('operator', PLACE))];
    expect(JSON.parse(stdout)).toEqual({ users: [{ role: 'operator', name: 'cohere-operator', rules }] });
  });

  it.each<[string, string[], { input?: string; env?: NodeJS.ProcessEnv }, string]>([
    ['a role that is none', ['root'], {}, 'worker, admin, operator, viewer'],
    ['a name for several', ['--user', 'x'], {}, 'is for one user'],
    ['a password for several', ['worker', 'admin', '--nopass'], {}, 'is for one user'],
    ['a name that breaks the line', ['worker', '--user', 'x on ~* +@all'], {}, '--user takes letters'],
    ['no password on standard input', ['worker', '--password-stdin'], { input: '\n' }, 'holds no password'],
    ['a password in the place of its hash', ['worker', '--hash', 'sesame-4711'], {}, '64 hexadecimal digits'],
    ['two passwords', ['worker', '--nopass', '--password-stdin'], { input: 'x' }, 'cannot be used with'],
    ['a format that is none', ['--format', 'yaml'], {}, 'commands, file'],
    ['a prefix that no rule can hold', [], { env: { REDIS_PREFIX: 'my app:' } }, 'REDIS_PREFIX: holds white space'],
    ['a prefix with a line of its own', [], { env: { REDIS_PREFIX: 'a\nuser x on nopass:' } }, 'REDIS_PREFIX'],
  ])('refuses %s as wrong usage, and writes nothing', (_, args, given, words) => {
    const { stdout, stderr, status } = acl(args, given);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).not.toContain('sesame-4711');
  });
});
