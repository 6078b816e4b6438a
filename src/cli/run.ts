import { type Command, InvalidArgumentError, Option } from 'commander';
import { TASK_TYPES, type TaskType } from '../task-types.ts';
import { type CommandLine, command, type OutputOption, outputOption, terminalFor } from './command-line.ts';

interface RunFlags extends OutputOption {
  readonly taskType?: TaskType;
  readonly text?: string;
  readonly prompt?: string;
  readonly promptName?: string;
  readonly promptVersion?: string;
  readonly var: readonly string[];
  readonly input?: string;
  readonly as?: string;
}

export function runCommand(line: CommandLine): Command {
  return command(
    'run',
    'calls one model once, outside Conductor, to try an integration',
    `
It needs what a worker needs: REDIS_URL, ENCRYPTION_KEYS or the variables that secrets name, and AWS's own. The call stands in
the line of its model and counts as a task's does. Without --as nobody's grants are asked for.
Exit code 0: the model answered; 1: denied, or the model failed; 2: wrong usage, or the inputs are not usable; 3: Redis or AWS did
not answer.

Examples:
  bedrock-cohere run bedrock-prod:cohere.embed-v4:0 --text "The roof leaked"
  bedrock-cohere run bedrock-prod:amazon.nova-lite-v1:0 --prompt-name summarize --var text="The roof leaked" --as app:claims
  echo '{"prompt":"Say hello","maxTokens":20}' | bedrock-cohere run bedrock-prod:amazon.nova-lite-v1:0 --input - --output json`,
  )
    .argument('<model>', 'provider:model, as the integration and its model are named')
    .option('--text <text>', 'the text to embed')
    .option('--prompt <text>', 'the text to complete')
    .option('--prompt-name <name>', 'the prompt to complete')
    .option('--prompt-version <number>', 'its version; default: the highest')
    .option('--var <name=value>', 'a variable of the prompt; may be given again', gathered, [])
    .option('--input <file>', 'any inputs of the task as a JSON object, from a file, or - for standard input')
    .addOption(new Option('--task-type <type>', 'default: what the inputs are for').choices(TASK_TYPES))
    .option('--as <subject>', 'decide as this subject: USER:x, GROUP:x, ROLE:x or app:x; a bare x is a user')
    .addOption(outputOption())
    .action(async (model: string, { var: variables, ...flags }: RunFlags) => {
      const { runModel } = await import('../commands/run.ts');
      const { stdin } = line;
      line.end(
        await runModel(
          { ...flags, model, variables },
          { terminal: terminalFor(line, flags), stdin, variables: line.variables },
        ),
      );
    });
}

function gathered(value: string, before: readonly string[]): string[] {
  if (!/^[^=]+=/.test(value)) throw new InvalidArgumentError('It is not name=value.');
  return [...before, value];
}
