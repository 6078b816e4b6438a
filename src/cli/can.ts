import { type Command, Option } from 'commander';
import { ACCESSES, type Access } from '../rbac/grants.ts';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

export function canCommand(line: CommandLine): Command {
  return command(
    'can',
    'explains whether a subject may use, see or change an integration, a model, a prompt or an application',
    `
It decides by the records of this moment, as a worker would. With --output json the answer says by which grant, or which is missing.
Exit code 0: allowed; 1: denied; 2: wrong usage; 3: Redis did not answer.

Examples:
  bedrock-cohere can app:claims bedrock-prod:cohere.embed-v4:0
  bedrock-cohere can alice@example.com PROMPT:summarize --output json
  bedrock-cohere can GROUP:analysts bedrock-prod --access UPDATE`,
  )
    .argument('<subject>', 'USER:x, GROUP:x, ROLE:x or app:x; a bare x is a user')
    .argument('<target>', 'provider, provider:model, PROMPT:name or APPLICATION:id')
    .addOption(new Option('--access <access>', 'what it may do with the target; default: run tasks').choices(ACCESSES))
    .addOption(outputOption())
    .action(async (subject: string, target: string, { access, ...flags }: OutputOption & { access?: Access }) => {
      const { can } = await import('../commands/can.ts');
      line.end(await can({ subject, target, access }, terminalFor(line, flags), line.variables));
    });
}
