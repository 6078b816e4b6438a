import { describe, expect, it } from 'vitest';
import { commandsOf, shows } from './commands.ts';

describe('the commands of a document', () => {
  it('are the lines of its sh blocks, each with the exit code that its comment says', () => {
    const markdown = '# A\n\n```sh\n# a comment\nnpm run build\n\ncheck --all # exit 1\n```\n\n```json\n{}\n```\n';
    expect(commandsOf(markdown)).toEqual([
      { text: 'npm run build', line: 5, exitCode: 0 },
      { text: 'check --all # exit 1', line: 7, exitCode: 1 },
    ]);
  });

  it('may go over several lines, by a backslash or a quote', () => {
    const markdown = "```sh\ncurl -s \\\n  http://localhost\nset 'a\nb'\nnext\n```\n";
    expect(commandsOf(markdown).map(({ text, line }) => [text, line])).toEqual([
      ['curl -s \\\n  http://localhost', 2],
      ["set 'a\nb'", 4],
      ['next', 6],
    ]);
  });

  it('have what the last one prints in a text block right after, and only there', () => {
    const sh = '```sh\nfirst\nlast\n```\n';
    const text = '```text\nout\n```\n';
    expect(commandsOf(`${sh}\n${text}`).map(({ prints }) => prints)).toEqual([undefined, 'out']);
    expect(commandsOf(`${sh}\nWords.\n\n${text}`).map(({ prints }) => prints)).toEqual([undefined, undefined]);
  });

  it('cannot be left unfinished', () => {
    expect(() => commandsOf("```sh\necho 'open\n```\n")).toThrow('bash cannot read the command');
  });
});

describe('what a command prints', () => {
  it('is compared without regard to white space, and … stands for anything', () => {
    expect(shows('allowed  alice may\n  via a → b\n', 'allowed alice may via … b')).toBe(true);
    expect(shows('denied alice', 'allowed alice')).toBe(false);
    expect(shows('a.c', 'abc')).toBe(false);
    expect(shows('abc', 'a.c')).toBe(false);
  });
});
