import { Command, Help, type Option } from 'commander';
import { aclCommand } from './acl.ts';
import { adminCommand } from './admin.ts';
import { applyCommand } from './apply.ts';
import { auditCommand } from './audit.ts';
import { bootstrapCommand } from './bootstrap.ts';
import { canCommand } from './can.ts';
import { checkCommand } from './check.ts';
import { type CommandLine, ENVIRONMENT } from './command-line.ts';
import { completionCommand } from './completion.ts';
import { exportCommand } from './export.ts';
import { nameNearestChoices } from './nearest-choice.ts';
import { runCommand } from './run.ts';
import { secretsCommand } from './secrets.ts';
import { workerCommand } from './worker.ts';

/** In the order of `--help`. Each loads what it runs when it runs: help and a mistyped flag need none of it. */
const COMMANDS = [
  ...[workerCommand, adminCommand, applyCommand, exportCommand, canCommand, checkCommand, runCommand],
  ...[bootstrapCommand, auditCommand, secretsCommand, aclCommand],
];

const FIRST_STEPS = `
First steps:
  bedrock-cohere apply -f examples/guide --dry-run        what manifests would change in Redis
  bedrock-cohere apply -f examples/guide                  write it
  bedrock-cohere check                                    is everything well?
  bedrock-cohere can app:claims bedrock-prod:cohere.embed-v4:0
                                                          may they, and by which grant?
  bedrock-cohere run bedrock-prod:cohere.embed-v4:0 --text Hello
                                                          call a model once
  bedrock-cohere worker                                   run Conductor's tasks
Each command shows its flags and examples with --help.
`;

/** The executable's commands and flags. What people typed wrong is thrown, as commander's errors. */
export function buildProgram(line: CommandLine): Command {
  const program = new Command('bedrock-cohere')
    .description('Governed LLM tasks for any Conductor, on Cohere models in Amazon Bedrock.')
    .version(line.version, '--version', 'print the version')
    .addHelpText('after', `${FIRST_STEPS}${ENVIRONMENT}`)
    .configureHelp({ optionDescription: describeOption })
    .showHelpAfterError('(bedrock-cohere --help shows every command)')
    .exitOverride();
  for (const create of COMMANDS) program.addCommand(inheriting(create(line), program));
  program.addCommand(inheriting(completionCommand(line, program), program));
  return program;
}

const HELP = new Help();

/** As commander says it, but for the default of a flag that is simply not given. */
function describeOption(option: Option): string {
  const { defaultValue } = option;
  const isAbsence = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0);
  const shown = isAbsence ? Object.assign(Object.create(option) as Option, { defaultValue: undefined }) : option;
  return HELP.optionDescription(shown);
}

/** A command that says what was typed wrong as the program does, and so do the commands within it. */
function inheriting(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  nameNearestChoices(command);
  for (const inner of command.commands) inheriting(inner, command);
  return command;
}
