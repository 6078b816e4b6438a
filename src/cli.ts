#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { CommanderError } from 'commander';
import { buildProgram } from './cli/program.ts';
import { type ErrorCode, errorData, ServiceError } from './errors.ts';
import { printable } from './visible.ts';

/** The one place where an error becomes an exit code: 1 denied, findings or a bad manifest; 2 wrong usage; 3 unreachable. */
const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  ...{ USAGE: 2, CONFIG_INVALID: 2, INPUT_INVALID: 2 },
  ...{ UNREACHABLE: 3, BEDROCK_UNAVAILABLE: 3 },
};

/** The package's own, which stands beside src and dist alike. */
function version(): string {
  const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

async function askYesOrNo(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } catch (error) {
    // Ctrl+C and Ctrl+D.
    if (error instanceof Error && error.name === 'AbortError') return false;
    throw error;
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

/** As typed: a command that failed may not have come to read its flags. */
function asksForJson(argv: readonly string[]): boolean {
  const flags = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  return flags.some((word, at) => word === '--output=json' || (word === '--output' && flags[at + 1] === 'json'));
}

/** What `--output json` answers where a command fails. */
function errorLine(error: Readonly<Record<string, unknown>>, faults: ServiceError['faults'] = []): string {
  return `${JSON.stringify({ error, ...(faults.length > 0 ? { faults } : {}) })}\n`;
}

async function run(argv: readonly string[]): Promise<number> {
  const tooOld = nodeIsTooOld();
  if (tooOld !== undefined) {
    process.stderr.write(`${tooOld}\n`);
    return 2;
  }
  let code = 0;
  const { stdin, stdout, stderr } = process;
  const program = buildProgram({
    ...{ variables: process.env, stdin, stdout, stderr, version: version() },
    ask: stdin.isTTY === true ? askYesOrNo : undefined,
    end(ended) {
      code = ended;
    },
  });
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (asksForJson(argv)) stdout.write(errorLine({ code: 'USAGE', message: error.message.replace(/^error: /, '') }));
      return 2;
    }
    if (!(error instanceof ServiceError)) {
      // Never the error as Node shows it: libraries hang commands and their arguments on theirs, which may be secrets.
      const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
      if (asksForJson(argv)) stdout.write(errorLine({ code: 'INTERNAL', message: 'a fault of this program' }));
      stderr.write(`bedrock-cohere: a fault of this program, please report it: ${name}: ${message}\n${stack ?? ''}\n`);
      return 1;
    }
    if (asksForJson(argv)) stdout.write(errorLine(errorData(error), error.faults));
    stderr.write(`bedrock-cohere: ${printable(error.message)}\n`);
    return EXIT_CODES[error.code] ?? 1;
  }
}

let lost: Error | undefined;
process.stdout.on('error', (error) => {
  lost ??= error;
});
const exitCode = await run(process.argv);
// Ends even where the SDK still holds a timer: everything of ours has been awaited by then.
process.stdout.write('', (error) => {
  const fault: NodeJS.ErrnoException | undefined = lost ?? error ?? undefined;
  // A reader that goes away has what it wanted.
  if (fault === undefined || fault.code === 'EPIPE') process.exit(exitCode);
  process.stderr.write(`bedrock-cohere: stdout does not take all of the output: ${fault.message}\n`, () =>
    process.exit(exitCode === 0 ? 1 : exitCode),
  );
});
