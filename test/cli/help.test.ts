import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { PROGRAM } from '../support/program.ts';

/** Every command that does something itself, with the words that call it. */
function* leaves(command: Command, path: readonly string[] = []): Iterable<readonly [string, Command]> {
  for (const each of command.commands) {
    const words = [...path, each.name()];
    if (each.commands.length === 0) yield [words.join(' '), each];
    else yield* leaves(each, words);
  }
}

/** As it is printed: `helpInformation` leaves out what is added to it. */
function helpOf(command: Command): string {
  const written: string[] = [];
  command.configureOutput({ writeOut: (text) => void written.push(text) });
  command.outputHelp();
  return written.join('');
}

describe('--help', () => {
  it.each([...leaves(PROGRAM)])(
    'of %s shows two examples that call it, and says what each flag is for',
    (path, command) => {
      const help = helpOf(command);
      const [, examples = ''] = help.split('Examples:\n');
      const calls = examples.split('\n').filter((line) => line.includes(`bedrock-cohere ${path}`));
      expect(calls.length).toBeGreaterThanOrEqual(2);
      for (const { description, long } of command.options) expect(description, long).not.toBe('');
      for (const each of command.registeredArguments) expect(each.description, each.name()).not.toBe('');
      expect(command.description()).not.toBe('');
    },
  );

  it('tells the default of a flag that takes a value, and none of one that is simply not given', () => {
    for (const [path, command] of leaves(PROGRAM)) expect(helpOf(command), path).not.toMatch(/default:\s+(false|\[\])/);
    expect(helpOf(PROGRAM.commands.find((each) => each.name() === 'audit') ?? PROGRAM)).toContain('(default: "50")');
  });

  it.each(['apply', 'export', 'can', 'check', 'run', 'bootstrap', 'audit', 'secrets rotate'])(
    'of %s says what each exit code means',
    (path) => {
      const help = helpOf([...leaves(PROGRAM)].find(([words]) => words === path)?.[1] ?? PROGRAM);
      expect(help).toMatch(/Exit code 0: .*2: wrong usage[^;]*;\s3: /s);
    },
  );

  it('shows in its examples only flags that there are', () => {
    for (const [path, command] of leaves(PROGRAM)) {
      const [, examples = ''] = helpOf(command).split('Examples:\n');
      const known = new Set(command.options.flatMap(({ short, long }) => [short, long]));
      for (const line of examples.split('\n')) {
        const [, called = ''] = line.split(`bedrock-cohere ${path}`);
        for (const [, flag] of (called.split(' | ')[0] ?? '').matchAll(/(?:^| )(--?[a-z][\w-]*)/g))
          expect(known, line).toContain(flag);
      }
    }
  });

  it('of the program names every command and teaches the first steps, in words that are commands', () => {
    const help = helpOf(PROGRAM);
    const names = PROGRAM.commands.map((each) => each.name());
    for (const name of names) expect(help).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    const [, steps = ''] = help.split('First steps:\n');
    const called = [...steps.matchAll(/^ {2}bedrock-cohere (\w+)/gm)].map(([, name]) => name ?? '');
    expect(called).toEqual(['apply', 'apply', 'check', 'can', 'run', 'worker']);
    for (const name of called) expect(names).toContain(name);
  });
});
