import { Argument, type Command, Option } from 'commander';
import type { AclFormat } from '../commands/acl.ts';
import { RUN_BY, USER_ROLES, type UserRole } from '../redis/users.ts';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

interface AclFlags extends OutputOption {
  readonly user?: string;
  readonly hash?: string;
  readonly passwordStdin: boolean;
  readonly nopass: boolean;
  readonly format: AclFormat;
}

export function aclCommand(line: CommandLine): Command {
  return command(
    'acl',
    "writes the rules of Redis' users: what of it a worker, an admin and commands may read and write",
    `
The rules are for REDIS_PREFIX; where REDIS_URL names a Cluster, for a Cluster. No Redis is asked. Redis 7 or newer takes them.
Which user runs what:
${USER_ROLES.map((role) => `  ${role.padEnd(10)}${RUN_BY[role].join(', ')}`).join('\n')}
An admin may run an operator's commands, too, and both a viewer's.

Examples:
  openssl rand -hex 32 | tee worker.password | bedrock-cohere acl worker --password-stdin | redis-cli
  bedrock-cohere acl --format file > redis-users.acl`,
  )
    .addArgument(new Argument('[role...]', 'whose; default: all of them').choices(USER_ROLES))
    .option('--user <name>', "the user's name; default: cohere-ROLE")
    .option('--password-stdin', 'its password comes from standard input; only the hash is written', false)
    .addOption(new Option('--hash <sha256>', 'its password is the one of this SHA-256').conflicts('passwordStdin'))
    .addOption(new Option('--nopass', 'it needs no password').conflicts(['passwordStdin', 'hash']).default(false))
    .addOption(
      new Option('--format <format>', "commands to pipe into redis-cli, or lines of Redis' aclfile")
        .choices(['commands', 'file'] satisfies AclFormat[])
        .default('commands'),
    )
    .addOption(outputOption())
    .action(async (roles: readonly UserRole[], flags: AclFlags) => {
      const { writeRules } = await import('../commands/acl.ts');
      line.end(await writeRules({ ...flags, roles, stdin: line.stdin }, terminalFor(line, flags), line.variables));
    });
}
