import type { Command } from 'commander';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

export function secretsCommand(line: CommandLine): Command {
  const secrets = command(
    'secrets',
    'keeps the secrets in Redis under the keys of ENCRYPTION_KEYS',
    `
Examples:
  bedrock-cohere secrets rotate --dry-run
  bedrock-cohere secrets rotate`,
  );
  return secrets.addCommand(rotateCommand(line));
}

function rotateCommand(line: CommandLine): Command {
  return command(
    'rotate',
    'brings every secret in Redis under the newest key; may be run again at any time',
    `
ENCRYPTION_KEYS: the new key first, the old ones behind it; workers and admins have it before (docs/secrets.md).
Exit code 0: every secret is under the newest key; 1: some could not be brought there, each is named;
2: wrong usage; 3: Redis did not answer.

Examples:
  ENCRYPTION_KEYS="2026-12:$(openssl rand -base64 32),$ENCRYPTION_KEYS" bedrock-cohere secrets rotate --dry-run
  bedrock-cohere secrets rotate --output json`,
  )
    .option('--dry-run', 'say what would be done and write nothing', false)
    .addOption(outputOption())
    .action(async ({ dryRun, ...flags }: OutputOption & { dryRun: boolean }) => {
      const { rotate } = await import('../commands/secrets-rotate.ts');
      line.end(await rotate(dryRun, terminalFor(line, flags), line.variables));
    });
}
