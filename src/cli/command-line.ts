import { Command, Option } from 'commander';
import { createTerminal, type Terminal } from '../commands/terminal.ts';

/** What the process gives its commands: `src/cli.ts` alone reads it. */
export interface CommandLine {
  /** The environment. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Asks a person; undefined where there is none to ask. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
  readonly version: string;
  /** Says with which exit code the process is to end. */
  readonly end: (code: number) => void;
}

export interface OutputOption {
  readonly output: 'text' | 'json';
}

export function outputOption(): Option {
  return new Option('--output <form>', 'text for people, or json: one JSON value as the last line of stdout')
    .choices(['text', 'json'])
    .default('text');
}

export function terminalFor(line: CommandLine, { output }: OutputOption): Terminal {
  return createTerminal(line, output === 'json');
}

/** A command with what `--help` says below its flags. */
export function command(name: string, description: string, help: string): Command {
  return new Command(name).description(description).addHelpText('after', help);
}

export const ENVIRONMENT = `
Environment (all of it in docs/configuration.md):
  REDIS_URL              where the catalog is       (redis://localhost:6379)
  REDIS_PREFIX           before every key           (cohere:)
  CONDUCTOR_SERVER_URL   with or without /api       (http://localhost:8080)`;
