import { type Command, Option } from 'commander';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

interface ApplyFlags extends OutputOption {
  readonly file: readonly string[];
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly yes: boolean;
  readonly server?: string;
  readonly keyId?: string;
}

const KEY_ID = 'BEDROCK_COHERE_KEY_ID';

export function applyCommand(line: CommandLine): Command {
  return command(
    'apply',
    'brings Redis to what YAML manifests say; prints a diff first; all or nothing',
    `
Every fault of every manifest is listed with its file, line and column; then nothing is changed.
REDIS_URL says where; bare secrets are sealed where ENCRYPTION_KEYS is set. Nothing but --prune deletes.
Exit code 0: all is as the manifests say; 1: a manifest is not valid, or the answer was no; 2: wrong usage; 3: not reached.

Examples:
  bedrock-cohere apply -f examples/quickstart/ --dry-run
  BEDROCK_COHERE_KEY_SECRET="$(cat secret)" bedrock-cohere apply -f access.yaml --server https://admin.example.com --key-id k1
  cat access.yaml | bedrock-cohere apply -f - --output json`,
  )
    .requiredOption('-f, --file <path...>', 'manifests: files, folders of *.yaml, or - for standard input')
    .option('--dry-run', 'show the diff and write nothing', false)
    .option('--prune', 'also delete what no manifest names, of the kinds that they name', false)
    .option('--yes', 'delete without asking', false)
    .option('--server <url>', 'go through this admin API, with the role ADMIN there, and not to Redis')
    .addOption(
      new Option('--key-id <id>', 'the access key for --server; its secret is BEDROCK_COHERE_KEY_SECRET').env(KEY_ID),
    )
    .addOption(outputOption())
    .action(async ({ keyId, ...flags }: ApplyFlags, made: Command) => {
      const { applyFiles } = await import('../commands/apply.ts');
      const ask = flags.file.includes('-') ? undefined : line.ask;
      const terminal = terminalFor(line, flags);
      // Set for all commands, it does not say that this one is to go through an API.
      const isMeant = flags.server !== undefined || made.getOptionValueSource('keyId') === 'cli';
      const key = isMeant ? keyId : undefined;
      line.end(await applyFiles({ ...flags, keyId: key, paths: flags.file, ask, terminal }, line));
    });
}
