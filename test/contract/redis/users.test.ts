import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onPath } from '../../../devservers/install.ts';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { USER_ROLES, type UserRole } from '../../../src/redis/users.ts';
import { runCli } from '../../support/cli.ts';

/** Forms of REDIS_PREFIX: the default, one of a Cluster, and one that is a pattern to Redis unless it is taken literally. */
const PREFIXES = ['cohere:', '{cohere}:', 'a*[b]?\\"c:'];

type Call = readonly [command: string, ...args: string[]];
/** `P` stands for the prefix. */
interface Row {
  readonly call: Call;
  readonly may: readonly UserRole[];
}

const row = (may: Row['may'], ...call: Call): Row => ({ call, may });
const ALL = USER_ROLES;
const NOBODY: readonly UserRole[] = [];
const RUNTIME = ['worker', 'admin'] as const;
const WRITERS = ['admin', 'operator'] as const;
const CHANGES = ['admin', 'operator', 'viewer'] as const;
/** What a script asks of Redis counts as if its caller did. */
const lua = (text: string, ...keys: string[]): Call => ['EVAL', text, String(keys.length), ...keys];

/** What nobody needs, and what would lead around the rights on keys. */
const FORBIDDEN: readonly Call[] = [
  ['FLUSHALL'],
  ['FLUSHDB'],
  ['SWAPDB', '0', '1'],
  ['KEYS', '*'],
  ['RANDOMKEY'],
  ['MONITOR'],
  ['SHUTDOWN', 'NOSAVE'],
  ['SAVE'],
  ['CONFIG', 'GET', '*'],
  ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru'],
  ['ACL', 'LIST'],
  ['ACL', 'WHOAMI'],
  ['ACL', 'SETUSER', 'default', 'on', 'nopass', '~*', '+@all'],
  ['SCRIPT', 'FLUSH'],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['FUNCTION', 'LOAD', 'x'],
  ['FCALL', 'f', '0'],
  ['MODULE', 'LIST'],
  ['REPLICAOF', 'NO', 'ONE'],
  ['MIGRATE', 'localhost', '1', 'x', '0', '10'],
  ['CLIENT', 'LIST'],
  ['CLIENT', 'KILL', 'TYPE', 'normal'],
  ['CLIENT', 'PAUSE', '1'],
  ['LATENCY', 'RESET'],
  ['SLOWLOG', 'GET'],
  ['RENAME', 'Padmin:signing', 'Prun:x'],
  ['SORT', 'Prun:x', 'BY', 'nosort', 'GET', 'Padmin:*'],
  ['OBJECT', 'ENCODING', 'Padmin:signing'],
  ['RESTORE', 'Prun:x', '0', 'x'],
];

const TABLE: readonly Row[] = [
  ...['integrations', 'models', 'prompts', 'groups', 'applications', 'users', 'roles'].flatMap((kind) => [
    row(WRITERS, 'HSET', `P${kind}`, 'x', '{}'),
    row(WRITERS, 'HDEL', `P${kind}`, 'x'),
    row(['admin'], 'DEL', `P${kind}`),
    row(WRITERS, 'UNLINK', `P${kind}`),
    row(ALL, 'EVAL_RO', "return redis.call('HSCAN', KEYS[1], '0')", '1', `P${kind}`),
  ]),
  row(WRITERS, 'SADD', 'Pmembers:analysts', 'mallory'),
  row(WRITERS, 'SREM', 'Pmembers:analysts', 'mallory'),
  row(WRITERS, 'HSET', 'Pgrants:USER:mallory', 'INTEGRATION_PROVIDER:main', 'EXECUTE'),
  row(WRITERS, ...lua("return redis.call('HSET', KEYS[1], 'x', '{}')", 'Pusers')),
  row(WRITERS, ...lua("return redis.call('HSET', 'Pusers', 'x', '{}')")),
  row(NOBODY, 'EVAL_RO', "return redis.call('HSET', KEYS[1], 'x', '{}')", '1', 'Pusers'),
  row(ALL, 'EVAL_RO', "return redis.call('SSCAN', KEYS[1], '0')", '1', 'Pmembers:analysts'),

  // What proves a token: workers read it, and only the API and its commands make it.
  ...['access-keys', 'token-keys'].flatMap((kind) => [
    row(['admin'], 'HSET', `P${kind}`, 'x', '{}'),
    row(ALL, 'EVAL_RO', "return redis.call('HSCAN', KEYS[1], '0')", '1', `P${kind}`),
  ]),
  ...['signing', 'key-hashes', 'bootstrap'].flatMap((name) => [
    row(['admin'], 'HGET', `Padmin:${name}`, 'x'),
    row(['admin'], 'HGETALL', `Padmin:${name}`),
    row(['admin'], 'HSET', `Padmin:${name}`, 'x', 'y'),
    row(['admin'], ...lua("return redis.call('HGET', KEYS[1], 'x')", `Padmin:${name}`)),
    row(['admin'], ...lua(`return redis.call('HGET', 'Padmin:${name}', 'x')`)),
    row(['admin'], 'EVAL_RO', "return redis.call('HSCAN', KEYS[1], '0')", '1', `Padmin:${name}`),
    row(['admin'], 'WATCH', `Padmin:${name}`),
    row(NOBODY, 'COPY', `Padmin:${name}`, 'Prun:x'),
    row(NOBODY, 'DUMP', `Padmin:${name}`),
  ]),

  // The stream of changes: a worker can neither write nor read nor empty it.
  row(WRITERS, 'XADD', 'Paudit', '*', 'a', 'b'),
  row(NOBODY, 'XTRIM', 'Paudit', 'MAXLEN', '1000'),
  row(CHANGES, 'XRANGE', 'Paudit', '-', '+'),
  row(CHANGES, 'XREVRANGE', 'Paudit', '+', '-'),
  row(['admin'], 'DEL', 'Paudit'),
  row(WRITERS, 'UNLINK', 'Paudit'),

  row(RUNTIME, 'SET', 'Prun:canary', '1'),
  row(CHANGES, 'XRANGE', 'Prun:denials', '-', '+'),
  row(RUNTIME, 'XADD', 'Prun:denials', '*', 'a', 'b'),
  row(RUNTIME, 'ZADD', 'Prun:lane:x:leases', '1', 'a'),
  row(['worker'], 'MGET', 'Prun:answer:x'),
  row(RUNTIME, 'GET', 'Prun:answer:x'),
  row(RUNTIME, 'SUBSCRIBE', '__redis__:invalidate'),

  // Beyond the prefix: as little as if there were nothing.
  row(NOBODY, 'GET', 'other:x'),
  row(NOBODY, 'SET', 'other:x', '1'),
  row(NOBODY, 'HSET', 'other:integrations', 'x', '{}'),
  row(NOBODY, ...lua("return redis.call('GET', KEYS[1])", 'other:x')),
  row(NOBODY, ...lua("return redis.call('GET', 'other:x')")),
  row(NOBODY, 'SUBSCRIBE', 'news'),
  row(NOBODY, 'PUBLISH', '__redis__:invalidate', 'x'),
  row(NOBODY, 'PSUBSCRIBE', '*'),

  ...FORBIDDEN.map((call) => row(NOBODY, ...call)),
];

const redisCli = onPath('redis-cli') ?? '';

/** What a command is told; what a script is, by Redis 7.2 and by 7.0; and what a script that only reads. */
const REFUSED =
  /NOPERM|ACL failure in script|The user executing the script can't|Write commands are not allowed from read-only/;

describe.each(PREFIXES)('the users that acl makes for the prefix %s', (prefix) => {
  let server: Server;
  let all: Redis;

  beforeAll(async () => {
    server = await startRedis();
    all = new Redis(server.url);
    const { stdout } = await runCli(['acl'], { REDIS_PREFIX: prefix });
    const piped = spawnSync(redisCli, ['-u', server.url], { input: stdout, encoding: 'utf8' });
    expect(piped.stdout.trim().split(/\n+/)).toEqual(USER_ROLES.map(() => 'OK'));
    for (const role of USER_ROLES) await all.call('ACL', 'SETUSER', `cohere-${role}`, '>sesame');
  });
  afterAll(async () => {
    all?.disconnect();
    await server?.stop();
  });

  const inLua = prefix.replaceAll(/[\\']/g, '\\$&');
  const filledIn = (word: string) => word.replace(/^P(?=[a-z])/, () => prefix).replaceAll("'P", () => `'${inLua}`);

  async function ask(role: UserRole, [command, ...args]: Call): Promise<'may' | 'NOPERM'> {
    // A connection of its own: what some ask for changes what it may do next.
    const redis = new Redis(server.port, { username: `cohere-${role}`, password: 'sesame' });
    try {
      await redis.call(command, args.map(filledIn));
      return 'may';
    } catch (error) {
      return REFUSED.test(String(error)) ? 'NOPERM' : 'may';
    } finally {
      redis.disconnect();
    }
  }

  it.each(TABLE.map((one) => [one.call.join(' '), one] as const))('%s', async (_, { call, may }) => {
    const answers = await Promise.all(USER_ROLES.map(async (role) => [role, await ask(role, call)]));
    const expected = USER_ROLES.map((role) => [role, may.includes(role) ? 'may' : 'NOPERM']);
    expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(expected));
  });
});

it('takes a prefix literally that Redis would take for a pattern', async () => {
  await using server = disposable(await startRedis());
  const { stdout } = await runCli(['acl', 'admin', '--nopass'], { REDIS_PREFIX: 'a*[b]?:' });
  spawnSync(redisCli, ['-u', server.url], { input: stdout });
  const redis = new Redis(server.port, { username: 'cohere-admin' });
  expect(await redis.set('a*[b]?:run:x', '1')).toBe('OK');
  for (const key of ['abbx:run:x', 'a*b?:run:x', 'axx[b]?:run:x', 'a*[b]x:run:x']) {
    await expect(redis.set(key, '1'), key).rejects.toThrow('NOPERM');
  }
  redis.disconnect();
});

it('gives lines of an aclfile that make the same users as the commands do', async () => {
  await using server = disposable(await startRedis());
  for (const REDIS_PREFIX of PREFIXES) {
    const redis = new Redis(server.port);
    await redis.acl('DELUSER', ...USER_ROLES.map((role) => `cohere-${role}`));
    const piped = await runCli(['acl'], { REDIS_PREFIX });
    spawnSync(redisCli, ['-u', server.url], { input: piped.stdout });
    const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-acl-'));
    const aclfile = join(folder, 'users.acl');
    const written = await runCli(['acl', '--format', 'file'], { REDIS_PREFIX });
    expect(written.stdout.startsWith('user default off\n')).toBe(true);
    await writeFile(aclfile, written.stdout.replace('user default off', 'user default on nopass ~* &* +@all'));
    await using other = disposable(await startRedis({ args: ['--aclfile', aclfile] }));
    const byFile = new Redis(other.port);
    expect(await usersOf(byFile)).toEqual(await usersOf(redis));
    expect(await usersOf(redis)).toHaveLength(USER_ROLES.length);
    for (const connection of [redis, byFile]) connection.disconnect();
    await rm(folder, { recursive: true });
  }
});

it('changes rights and leaves passwords, and what a client is about, where a user is there already', async () => {
  await using server = disposable(await startRedis());
  const redis = new Redis(server.port);
  await redis.acl('SETUSER', 'w', 'on', '>old', '~*', '&*', '+@all', '(~other:* +@all)');
  const client = new Redis(server.port, { username: 'w', password: 'old' });
  await client.set('other:x', '1');
  const piped = async (...args: string[]) => {
    const { stdout } = await runCli(['acl', 'worker', '--user', 'w', ...args], { REDIS_PREFIX: 'cohere:' });
    return spawnSync(redisCli, ['-u', server.url], { input: stdout, encoding: 'utf8' }).stdout;
  };
  expect(await piped()).toContain('OK');
  await expect(client.get('other:x')).rejects.toThrow('NOPERM');
  expect(await client.set('cohere:run:canary', '1')).toBe('OK');
  const again = new Redis(server.port, { username: 'w', password: 'old' });
  expect(await again.get('cohere:run:canary')).toBe('1');
  const sha256 = createHash('sha256').update('new').digest('hex');
  expect(await piped('--hash', sha256)).toContain('OK');
  await expect(redis.call('AUTH', 'w', 'old')).rejects.toThrow('WRONGPASS');
  expect(await redis.call('AUTH', 'w', 'new')).toBe('OK');
  for (const connection of [redis, client, again]) connection.disconnect();
});

/** Redis lists what is granted in an order of its own. */
async function usersOf(redis: Redis): Promise<string[][]> {
  const lines = (await redis.acl('LIST')) as string[];
  return lines.filter((line) => !line.includes(' default ')).map((line) => line.split(' ').sort());
}

function disposable(server: Server): Server & AsyncDisposable {
  return { ...server, [Symbol.asyncDispose]: () => server.stop() };
}
