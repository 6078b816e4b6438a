import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { parseConfig } from '../config.ts';
import { ServiceError } from '../errors.ts';
import { aclRules, type RedisPlace, redisUser, USER_ROLES, type UserRole } from '../redis/users.ts';
import type { Terminal } from './terminal.ts';

/** `commands`: to pipe into redis-cli. `file`: lines of the file that Redis' `aclfile` names. */
export type AclFormat = 'commands' | 'file';

/** How the user proves itself; undefined: a new user lets nobody in yet, one that is there keeps its passwords. */
export type AclPassword = { readonly kind: 'hash'; readonly sha256: string } | { readonly kind: 'none' } | undefined;

export interface AclQuestion extends RedisPlace {
  /** Empty: all of them, as a whole file. */
  readonly roles: readonly UserRole[];
  /** The name of the one user asked for. Default: `cohere-ROLE`. */
  readonly user: string | undefined;
  readonly password: AclPassword;
  readonly format: AclFormat;
}

/** `acl`: of the environment it reads where Redis is and the prefix. */
export async function writeRules(
  asked: Pick<AclQuestion, 'format' | 'roles'> & {
    readonly user?: string;
    readonly hash?: string;
    readonly passwordStdin: boolean;
    readonly nopass: boolean;
    readonly stdin: NodeJS.ReadableStream;
  },
  terminal: Terminal,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { roles, user, format } = asked;
  const { prefix, cluster } = parseConfig(variables).redis;
  return runAcl({ prefix, cluster, roles, user, format, password: await passwordOf(asked) }, terminal);
}

async function passwordOf({
  hash,
  passwordStdin,
  nopass,
  stdin,
}: Parameters<typeof writeRules>[0]): Promise<AclPassword> {
  if (nopass) return { kind: 'none' };
  if (hash !== undefined) return givenHash(hash);
  return passwordStdin ? hashOfPassword(await text(stdin)) : undefined;
}

/** Redis itself takes more; these need no quotes anywhere. */
const USER_NAME = /^[\w.@:-]+$/;

/**
 * Prints the rules of Redis' users: it asks no Redis. Throws USAGE where a name or a password is given for several users at
 * once, or cannot be used, CONFIG_INVALID for a prefix that no rule can hold.
 */
export function runAcl({ prefix, cluster, roles, user, password, format }: AclQuestion, terminal: Terminal): number {
  if (roles.length !== 1 && (user !== undefined || password !== undefined)) {
    throw new ServiceError('USAGE', `A name or a password is for one user: say which, ${USER_ROLES.join(', ')}`);
  }
  if (user !== undefined && !USER_NAME.test(user)) {
    throw new ServiceError('USAGE', '--user takes letters, digits, "_", ".", "@", ":" and "-"');
  }
  // Redis takes no space in a rule, and its file knows no quotes.
  if (/[\s\p{Cc}]/u.test(prefix)) {
    throw new ServiceError('CONFIG_INVALID', 'REDIS_PREFIX: holds white space, which no rule of an ACL can', {
      field: 'REDIS_PREFIX',
    });
  }
  const users = (roles.length === 0 ? USER_ROLES : roles).map((role) => ({
    role,
    name: user ?? `cohere-${role}`,
    rules: [...passwordRules(password), ...aclRules(redisUser(role, { prefix, cluster }))],
  }));
  // A file that does not name it leaves it with every right and no password.
  if (format === 'file' && roles.length === 0) terminal.say('user default off');
  for (const { name, rules } of users) {
    const words = [name, ...rules];
    terminal.say(format === 'file' ? `user ${words.join(' ')}` : `ACL SETUSER ${words.map(quoted).join(' ')}`);
  }
  if (password === undefined) {
    terminal.warn(
      'Without a password a new user lets nobody in; one that is there keeps its own. See --password-stdin.',
    );
  }
  if (format === 'commands') {
    terminal.warn('The user default keeps its rights. Once nobody connects as it: redis-cli ACL SETUSER default off');
  }
  terminal.result({ users });
  return 0;
}

/** What is typed or piped in, as the hash that Redis keeps. Throws USAGE where there is none. */
function hashOfPassword(typed: string): AclPassword {
  const password = typed.replace(/\r?\n$/, '');
  if (password === '') throw new ServiceError('USAGE', '--password-stdin: standard input holds no password');
  return { kind: 'hash', sha256: createHash('sha256').update(password).digest('hex') };
}

/** Throws USAGE for what is no SHA-256. It is not repeated: it may be the password itself. */
function givenHash(text: string): AclPassword {
  const sha256 = text.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw new ServiceError('USAGE', '--hash takes the SHA-256 of the password: 64 hexadecimal digits');
  }
  return { kind: 'hash', sha256 };
}

function passwordRules(password: AclPassword): string[] {
  if (password === undefined) return [];
  return password.kind === 'none' ? ['resetpass', 'nopass'] : ['resetpass', `#${password.sha256}`];
}

/** As redis-cli reads a line: outside of quotes everything but quotes stands for itself. */
function quoted(word: string): string {
  return /["']/.test(word) ? `"${word.replaceAll(/[\\"]/g, '\\$&')}"` : word;
}
