#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError, Option } from 'commander';
import { createTerminal, type Terminal } from './commands/terminal.ts';
import { type ErrorCode, ServiceError } from './errors.ts';
import { ACCESSES, type Access } from './rbac/grants.ts';

/** Everything else is loaded once it is known what to do: help and a mistyped flag need none of it. */
const main = () => import('./main.ts');

/** The one place where an error becomes an exit code: 1 denied, findings or a bad manifest; 2 wrong usage; 3 unreachable. */
const EXIT_CODES: Partial<Record<ErrorCode, number>> = { USAGE: 2, CONFIG_INVALID: 2, UNREACHABLE: 3 };

const ENVIRONMENT = `
Environment (all of it in docs/configuration.md):
  REDIS_URL              where the catalog is       (redis://localhost:6379)
  REDIS_PREFIX           before every key           (cohere:)
  CONDUCTOR_SERVER_URL   with or without /api       (http://localhost:8080)`;

interface OutputOption {
  readonly output: 'text' | 'json';
}

const outputOption = () =>
  new Option('--output <form>', 'text for people, or json: one JSON value as the last line of stdout')
    .choices(['text', 'json'])
    .default('text');

function terminalFor({ output }: OutputOption): Terminal {
  return createTerminal(process, output === 'json');
}

function buildProgram(end: (code: number) => void): Command {
  const program = new Command('bedrock-cohere')
    .description('Governed LLM tasks for any Conductor, on Cohere models in Amazon Bedrock.')
    .version(version(), '--version', 'print the version')
    .addHelpText('after', ENVIRONMENT)
    .showHelpAfterError('(bedrock-cohere --help shows every command)')
    .exitOverride();

  program
    .command('worker')
    .description('long-polls Conductor and runs LLM tasks, until SIGTERM')
    .addHelpText(
      'after',
      `
It is stateless: run any number of replicas. Health: /healthz, /readyz and /metrics on HTTP_PORT (9464).

Examples:
  CONDUCTOR_SERVER_URL=http://localhost:8080 REDIS_URL=redis://localhost:6379 bedrock-cohere worker
  TASK_TYPES=LLM_TEXT_COMPLETE=my_llm MAX_IN_FLIGHT=64 bedrock-cohere worker
${ENVIRONMENT}`,
    )
    .action(async () => {
      boundYoungMemory();
      end(await (await main()).runWorker());
    });

  program
    .command('admin')
    .description('serves the admin API over Redis, in the shapes of Orkes, until SIGTERM')
    .addHelpText(
      'after',
      `
It is stateless: run any number of replicas. It listens on ADMIN_HOST (127.0.0.1) and ADMIN_PORT (8090), needs
ENCRYPTION_KEYS, and describes itself at /docs and /openapi.json. The first access key comes from: bedrock-cohere bootstrap

Examples:
  ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)" bedrock-cohere admin
  ADMIN_HOST=0.0.0.0 ADMIN_ALLOWED_HOSTS=admin.example.com bedrock-cohere admin
${ENVIRONMENT}`,
    )
    .action(async () => {
      boundYoungMemory();
      end(await (await main()).runAdmin(version()));
    });

  program
    .command('apply')
    .description('brings Redis to what YAML manifests say; prints a diff first; all or nothing')
    .requiredOption('-f, --file <path...>', 'manifests: files, folders of *.yaml, or - for standard input')
    .option('--dry-run', 'show the diff and write nothing', false)
    .option('--prune', 'also delete what no manifest names, of the kinds that they name', false)
    .option('--yes', 'delete without asking', false)
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  bedrock-cohere apply -f examples/quickstart/ --dry-run
  cat access.yaml | bedrock-cohere apply -f - --output json`,
    )
    .action(async (options: OutputOption & { file: string[]; dryRun: boolean; prune: boolean; yes: boolean }) => {
      end(
        await (await main()).runApplyCommand({
          paths: options.file,
          dryRun: options.dryRun,
          prune: options.prune,
          yes: options.yes,
          terminal: terminalFor(options),
          ask: process.stdin.isTTY === true && !options.file.includes('-') ? askYesOrNo : undefined,
        }),
      );
    });

  program
    .command('can')
    .description(
      'explains whether a subject may use, see or change an integration, a model, a prompt or an application',
    )
    .argument('<subject>', 'USER:x, GROUP:x, ROLE:x or app:x; a bare x is a user')
    .argument('<target>', 'provider, provider:model, PROMPT:name or APPLICATION:id')
    .addOption(new Option('--access <access>', 'what it may do with the target; default: run tasks').choices(ACCESSES))
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Exit code 0: allowed; 1: denied.

Examples:
  bedrock-cohere can app:claims bedrock-prod:cohere.embed-v4:0
  bedrock-cohere can alice@example.com PROMPT:summarize --output json
  bedrock-cohere can GROUP:analysts bedrock-prod --access UPDATE`,
    )
    .action(async (subject: string, target: string, { access, ...options }: OutputOption & { access?: Access }) => {
      end(await (await main()).runCanCommand({ subject, target, access }, terminalFor(options)));
    });

  program
    .command('check')
    .description('reads everything as a worker would and says what is wrong')
    .option('--offline', 'look only at the records: ask neither Conductor nor AWS', false)
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Exit code 0: nothing found; 1: findings; 3: Redis, Conductor or STS did not answer.

Examples:
  bedrock-cohere check
  bedrock-cohere check --offline --output json`,
    )
    .action(async (options: OutputOption & { offline: boolean }) => {
      end(await (await main()).runCheckCommand({ offline: options.offline, terminal: terminalFor(options) }));
    });

  program
    .command('bootstrap')
    .description("makes the first administrator's access key, once")
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
It needs REDIS_URL, and the ENCRYPTION_KEYS with which the admin API runs. The secret is shown once.
Exit code 1: there is an administrator's key already; the message says how to get another.

Examples:
  ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)" bedrock-cohere bootstrap
  bedrock-cohere bootstrap --output json`,
    )
    .action(async (options: OutputOption) => {
      end(await (await main()).runBootstrapCommand(terminalFor(options)));
    });

  return program;
}

/** The package's own, which stands beside src and dist alike. */
function version(): string {
  const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

async function askYesOrNo(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}

/** Said in words, since what an older Node does not have shows only as a fault somewhere inside. */
function nodeIsTooOld(): string | undefined {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return undefined;
  return `bedrock-cohere needs Node 22.19 or newer, this is ${process.version}; in this folder, npx node runs the one among its packages`;
}

async function run(argv: readonly string[]): Promise<number> {
  const tooOld = nodeIsTooOld();
  if (tooOld !== undefined) {
    process.stderr.write(`${tooOld}\n`);
    return 2;
  }
  let code = 0;
  try {
    await buildProgram((ended) => {
      code = ended;
    }).parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof ServiceError)) {
      // Never the error as Node shows it: libraries hang commands and their arguments on theirs, which may be secrets.
      const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
      process.stderr.write(
        `bedrock-cohere: a fault of this program, please report it: ${name}: ${message}\n${stack ?? ''}\n`,
      );
      return 1;
    }
    process.stderr.write(`bedrock-cohere: ${error.message}\n`);
    return EXIT_CODES[error.code] ?? 1;
  }
}

/**
 * V8 lets the space for new objects grow while much of it survives a collection, as hundreds of tasks that wait for models
 * do: resident memory then doubles (docs/performance.md, memory). From here on it stays as it is. V8 reads the flag whenever
 * that space would grow, so that it may be set while the process runs; before the rest is loaded, which lets it grow, too.
 */
function boundYoungMemory(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

// Ends even where the SDK still holds a timer: everything of ours has been awaited by then.
const exitCode = await run(process.argv);
process.stdout.write('', () => process.exit(exitCode));
