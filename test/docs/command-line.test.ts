import { describe, expect, it } from 'vitest';
import { PROGRAM } from '../support/program.ts';
import { codesIn, readDocument, tableRows } from './markdown.ts';

const markdown = readDocument('docs/command-line.md');
const first = (cell = '') => codesIn(cell)[0] ?? '';
/** Each command under its words: `apply`, `secrets rotate`. */
const commands = PROGRAM.commands.flatMap((command) =>
  command.commands.length === 0
    ? [[command.name(), command] as const]
    : command.commands.map((each) => [`${command.name()} ${each.name()}`, each] as const),
);

describe('docs/command-line.md', () => {
  it('has every command, in the order and with the words of --help', () => {
    const rows = tableRows(markdown, 'command').filter(
      (cells) => cells.length === 2 && !/^`\{|^the task/.test(cells[1] ?? ''),
    );
    expect(rows.map(([name, what]) => [first(name), what])).toEqual(
      commands.map(([name, command]) => [name, command.description()]),
    );
  });

  it('has every flag of every command, and no other', () => {
    const rows = tableRows(markdown, 'command').filter((cells) => cells.length === 3);
    expect(rows.map(([command, flag]) => `${first(command)} ${first(flag)}`)).toEqual(
      commands.flatMap(([name, command]) => command.options.map(({ flags }) => `${name} ${flags}`)),
    );
  });

  it('shows the JSON of every command that gives some', () => {
    const rows = tableRows(markdown, 'command').filter(
      (cells) => cells.length === 2 && /^`\{|^the task/.test(cells[1] ?? ''),
    );
    const giving = commands.filter(([, command]) => command.options.some(({ long }) => long === '--output'));
    expect(rows.map(([name]) => first(name))).toEqual(giving.map(([name]) => name));
  });
});
