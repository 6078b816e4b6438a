import { type Command, Option } from 'commander';
import { SECTIONS, type Section } from '../manifests/manifest.ts';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

interface ExportFlags extends OutputOption {
  readonly file: string;
  readonly kind?: readonly Section[];
}

export function exportCommand(line: CommandLine): Command {
  return command(
    'export',
    'writes the manifests that would recreate what Redis holds, without secrets',
    `
For a secret stands ********, with which apply keeps what is stored; where nothing is, give it by hand, as a comment says.
References (env:NAME, file:NAME) stay. Access keys and the keys of tokens are never exported. The order is stable, so that the
file can live in a repository.
Exit code 0: all is exported; 1: something is left out because it counts for nothing, such as a record that cannot be read;
2: wrong usage; 3: Redis did not answer.

Examples:
  bedrock-cohere export -f catalog.yaml
  bedrock-cohere export --kind groups --kind grants
  bedrock-cohere export --output json | tail -n 1`,
  )
    .option('-f, --file <path>', 'where to write; - for standard output', '-')
    .addOption(new Option('--kind <kind...>', 'only these; default: all').choices(SECTIONS))
    .addOption(outputOption())
    .action(async (flags: ExportFlags) => {
      const { exportCatalog } = await import('../commands/export.ts');
      const question = { file: flags.file, kinds: flags.kind ?? [], terminal: terminalFor(line, flags) };
      line.end(await exportCatalog(question, line));
    });
}
