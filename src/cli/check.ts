import type { Command } from 'commander';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

export function checkCommand(line: CommandLine): Command {
  return command(
    'check',
    'reads everything as a worker would and says what is wrong',
    `
It needs the variables of a worker, where the worker runs. Each finding names a key and a field of Redis, and the next step.
Exit code 0: nothing found; 1: findings; 2: wrong usage; 3: Redis, Conductor or STS did not answer.

Examples:
  bedrock-cohere check
  bedrock-cohere check --offline --output json`,
  )
    .option('--offline', 'look only at the records: ask neither Conductor nor AWS', false)
    .addOption(outputOption())
    .action(async ({ offline, ...flags }: OutputOption & { offline: boolean }) => {
      const { check } = await import('../commands/check.ts');
      line.end(await check({ offline, terminal: terminalFor(line, flags), variables: line.variables }));
    });
}
