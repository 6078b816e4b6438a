import type { Command } from 'commander';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

interface ApplyFlags extends OutputOption {
  readonly file: readonly string[];
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly yes: boolean;
}

export function applyCommand(line: CommandLine): Command {
  return command(
    'apply',
    'brings Redis to what YAML manifests say; prints a diff first; all or nothing',
    `
Examples:
  bedrock-cohere apply -f examples/quickstart/ --dry-run
  cat access.yaml | bedrock-cohere apply -f - --output json`,
  )
    .requiredOption('-f, --file <path...>', 'manifests: files, folders of *.yaml, or - for standard input')
    .option('--dry-run', 'show the diff and write nothing', false)
    .option('--prune', 'also delete what no manifest names, of the kinds that they name', false)
    .option('--yes', 'delete without asking', false)
    .addOption(outputOption())
    .action(async (flags: ApplyFlags) => {
      const { applyFiles } = await import('../commands/apply.ts');
      const ask = flags.file.includes('-') ? undefined : line.ask;
      const terminal = terminalFor(line, flags);
      line.end(await applyFiles({ ...flags, paths: flags.file, ask, terminal }, line));
    });
}
