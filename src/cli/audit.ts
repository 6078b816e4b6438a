import { type Command, Option } from 'commander';
import type { AuditFlags } from '../commands/audit.ts';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

export function auditCommand(line: CommandLine): Command {
  return command(
    'audit',
    'shows who changed what, or with --denials who was denied what',
    `
The oldest comes first. With --output json the last line is {records: […]}; with --follow every record is a line.
Exit code 0: shown, be it nothing; 2: wrong usage; 3: Redis did not answer.

Examples:
  bedrock-cohere audit --kind grants --since 7d
  bedrock-cohere audit --denials --follow --output json`,
  )
    .option('--follow', 'go on with what comes, until a signal', false)
    .option('--denials', 'denials in place of changes', false)
    .option('--kind <kind>', 'only changes of integrations, grants, members, …')
    .addOption(new Option('--action <action>', 'only such changes').choices(['create', 'update', 'delete']))
    .option('--name <name>', 'only of this record; of a grant its subject or target; of denials the target')
    .option('--subject <who>', 'only by USER:x, an access key or user@host; of denials the subject')
    .option('--since <time>', '30s, 15m, 1h, 7d, or a time such as 2026-11-26T12:00Z')
    .option('--limit <n>', 'how many of the last ones', '50')
    .addOption(outputOption())
    .action(async (flags: AuditFlags & OutputOption) => {
      const { showAudit } = await import('../commands/audit.ts');
      line.end(await showAudit(flags, terminalFor(line, flags), line));
    });
}
