import { styleText } from 'node:util';
import { printable, visible } from '../visible.ts';

/** Where a command writes: text for people, or with `--output json` one JSON value as the last line. */
export interface Terminal {
  readonly json: boolean;
  /** To stdout; nothing with `--output json`. */
  say(line?: string): void;
  /** Text that somebody else wrote, such as a model: the same, and as it is but on a terminal, which shows its control characters. */
  sayText(text: string): void;
  /** To stderr, always: warnings and progress. */
  warn(line: string): void;
  /** The result of `--output json`; nothing otherwise. */
  result(value: unknown): void;
  good(text: string): string;
  bad(text: string): string;
  changed(text: string): string;
  faint(text: string): string;
}

export interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** Colours only on a terminal, and not where NO_COLOR asks for none. */
export function createTerminal({ stdout, stderr }: Streams, json: boolean): Terminal {
  const style = (format: 'green' | 'red' | 'yellow' | 'dim') => (text: string) =>
    styleText(format, text, { stream: stdout, validateStream: true });
  return {
    json,
    say: (line = '') => void (json || stdout.write(`${line}\n`)),
    sayText: (text) => void (json || stdout.write(`${isTerminal(stdout) ? printable(text) : text}\n`)),
    warn: (line) => void stderr.write(`${visible(line)}\n`),
    result: (value) => void (json && writeWhole(stdout, `${jsonLine(value)}\n`)),
    good: style('green'),
    bad: style('red'),
    changed: style('yellow'),
    faint: style('dim'),
  };
}

export function isTerminal(stream: NodeJS.WritableStream): boolean {
  return (stream as Partial<NodeJS.WriteStream>).isTTY === true;
}

/** JSON leaves those control characters alone that a terminal takes for the beginning of a sequence in one character. */
function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The last character by itself: a disk that fills up takes the first part of a piece without a word, and says so only at the
 * next. The error is the stream's.
 */
export function writeWhole(stdout: NodeJS.WritableStream, text: string): void {
  stdout.write(text.slice(0, -1));
  stdout.write(text.slice(-1));
}

/** `1 fault`, `2 faults`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
