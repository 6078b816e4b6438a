import type { Command } from 'commander';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

export function bootstrapCommand(line: CommandLine): Command {
  return command(
    'bootstrap',
    "makes the first administrator's access key, once",
    `
It needs REDIS_URL, and the ENCRYPTION_KEYS with which the admin API runs. The secret is shown once.
Exit code 0: it is made; 1: there is an administrator's key already, and the message says how to get another; 2: wrong usage;
3: Redis did not answer.

Examples:
  ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)" bedrock-cohere bootstrap
  bedrock-cohere bootstrap --output json`,
  )
    .addOption(outputOption())
    .action(async (flags: OutputOption) => {
      const { bootstrapOnce } = await import('../commands/bootstrap.ts');
      line.end(await bootstrapOnce(terminalFor(line, flags), line.variables));
    });
}
