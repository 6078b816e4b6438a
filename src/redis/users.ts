/**
 * Users of Redis, each with the least that its commands need: which keys, which channel, which commands of Redis. What is
 * sent is held against this by test/e2e/redis-users.test.ts, by the wire. Needs Redis 7: older ones know no rights to read alone.
 */
import { escapeGlob, HASH_KINDS, type HashKind, keyNames } from './keys.ts';

export const USER_ROLES = ['worker', 'admin', 'operator', 'viewer'] as const;
export type UserRole = (typeof USER_ROLES)[number];

/** The commands of ours that need no more than this user. An `admin` may run an operator's, too, and both a viewer's. */
export const RUN_BY: Readonly<Record<UserRole, readonly string[]>> = {
  worker: ['worker', 'run'],
  admin: ['admin', 'bootstrap', 'secrets'],
  operator: ['apply'],
  viewer: ['audit', 'can', 'check', 'export'],
};

export interface RedisUser {
  /** Patterns as an ACL takes them: `~…` to read and write, `%R~…` to read alone. */
  readonly keys: readonly string[];
  /** `&…`. */
  readonly channels: readonly string[];
  /** Commands and `command|subcommand`, in lower case, each once. AUTH, HELLO, QUIT and RESET are open to everybody. */
  readonly commands: readonly string[];
}

export interface RedisPlace {
  /** REDIS_PREFIX. */
  readonly prefix: string;
  /** Whether REDIS_URL names a Cluster, whose client asks who serves which slots, and where nobody is told of changes. */
  readonly cluster: boolean;
}

/** To connect, and to look whether Redis is there and throws nothing away. */
const CONNECT = ['client|setname', 'info', 'select'];
/** What a client of a Cluster asks besides: who serves which slots. */
const CONNECT_TO_CLUSTER = ['asking', 'cluster|info', 'cluster|slots'];
/** To hear of changes: see `src/catalog/tracking.ts`. Only of a server that is no Cluster. */
const FOLLOW = ['client|id', 'client|tracking', 'ping', 'subscribe', 'unsubscribe'];
/** To read records: see `src/catalog/read-keys.ts`. */
const READ = ['eval_ro', 'evalsha_ro', 'exec', 'exists', 'hscan', 'multi', 'scan', 'sscan', 'watch'];
/** To read the streams of changes and denials. */
const READ_STREAMS = ['xrange', 'xrevrange'];
/** To write records, and in the same step that they were written: see `src/manifests/apply.ts` and `src/redis/commit.ts`. */
const WRITE = [
  ...['eval', 'evalsha', 'hdel', 'hget', 'hlen', 'hset', 'sadd', 'scard', 'sismember', 'srem', 'time', 'type'],
  ...['unlink', 'unwatch', 'xadd', 'xlen'],
];
/** To read and make the key that signs tokens: see `src/identity/signing.ts`. */
const SIGN = ['hgetall', 'hkeys'];
/** What replicas share about calls of models, and what is counted of those: see `src/cluster/lanes` and `src/telemetry`. */
const CALLS = [
  ...['del', 'eval', 'evalsha', 'exists', 'expire', 'get', 'hdel', 'hexists', 'hgetall', 'hincrby', 'hmget', 'hset'],
  ...[
    'hsetnx',
    'pexpire',
    'pexpireat',
    'sadd',
    'set',
    'smembers',
    'srem',
    'time',
    'xadd',
    'zadd',
    'zcard',
    'zcount',
    'zrange',
  ],
  ...['zrangebyscore', 'zrem', 'zremrangebyscore', 'zscore'],
];
/** Who holds which task, and which wait: see `src/cluster/ledger-store.ts` and `src/cluster/lanes/tickets.ts`. */
const LEDGER = ['hget', 'mget', 'zrank'];

/** Answers that are kept: see `src/cluster/answer-cache.ts`. */
const CACHE = ['hstrlen', 'unlink'];

const COMMANDS: Readonly<Record<UserRole, readonly string[]>> = {
  worker: [...READ, ...CALLS, ...LEDGER, ...CACHE],
  admin: [...READ, ...READ_STREAMS, ...WRITE, ...SIGN, ...CALLS],
  operator: [...READ, ...READ_STREAMS, ...WRITE],
  viewer: [...READ, ...READ_STREAMS],
};

/** Tokens are proved by these: whoever may write them may make themselves anybody. */
const PROOFS: readonly HashKind[] = ['access-keys', 'token-keys'];

export function redisUser(role: UserRole, { prefix, cluster }: RedisPlace): RedisUser {
  const names = keyNames(prefix);
  const hears = !cluster && (role === 'worker' || role === 'admin');
  const readable = [...HASH_KINDS.map((kind) => escapeGlob(names.hash(kind))), ...names.familyPatterns];
  const proofs = PROOFS.map((kind) => escapeGlob(names.hash(kind)));
  const changes = escapeGlob(names.audit);
  const denials = escapeGlob(names.denials);
  const keys: Readonly<Record<UserRole, readonly string[]>> = {
    worker: [...readable.map(toRead), `~${escapeGlob(`${prefix}run:`)}*`],
    admin: [`~${escapeGlob(prefix)}*`],
    operator: [
      ...readable.map((key) => (proofs.includes(key) ? toRead(key) : `~${key}`)),
      ...[`~${changes}`, toRead(denials)],
    ],
    viewer: [...readable, changes, denials].map(toRead),
  };
  const commands = [...CONNECT, ...(cluster ? CONNECT_TO_CLUSTER : []), ...(hears ? FOLLOW : []), ...COMMANDS[role]];
  return {
    keys: keys[role],
    channels: hears ? ['&__redis__:invalidate'] : [],
    commands: [...new Set(commands)].sort(),
  };
}

/**
 * The same as words of ACL SETUSER, after which the user has these rights and no others. Passwords it has stay: the rules
 * of a new version can be set while its clients run.
 */
export function aclRules({ keys, channels, commands }: RedisUser): string[] {
  const granted = commands.map((command) => `+${command}`);
  return ['on', 'resetkeys', ...keys, 'resetchannels', ...channels, 'clearselectors', '-@all', ...granted];
}

function toRead(pattern: string): string {
  return `%R~${pattern}`;
}
