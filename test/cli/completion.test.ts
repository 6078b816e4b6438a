import { spawnSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { PROGRAM } from '../support/program.ts';

async function completion(shell: string): Promise<string> {
  const stdout = new PassThrough();
  const program = buildProgram({
    ...{ variables: {}, stdin: new PassThrough(), stdout, stderr: new PassThrough(), version: '0.0.0' },
    ...{ ask: undefined, end: () => stdout.end() },
  });
  await program.parseAsync(['node', 'bedrock-cohere', 'completion', shell]);
  return await text(stdout);
}

/** What a real bash offers for the last of these words. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const script = `${await completion('bash')}
COMP_WORDS=(bedrock-cohere "$@"); COMP_CWORD=$#
compopt() { echo default; }
_bedrock_cohere
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', script, 'bash', ...words], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

describe('in bash', () => {
  it('commands are completed, all of them and those that begin so', async () => {
    expect((await offered('')).sort()).toEqual(PROGRAM.commands.map((each) => each.name()).sort());
    expect(await offered('ap')).toEqual(['apply']);
    expect(await offered('--output', 'x')).toEqual([]);
  });

  it.each(PROGRAM.commands.map((each) => [each.name(), each] as const))(
    'the flags of %s are completed',
    async (name, each) => {
      const flags = each.options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag !== undefined);
      expect((await offered(name, '-')).sort()).toEqual([...flags, '-h', '--help'].sort());
      expect(await offered(name, '--hel')).toEqual(['--help']);
    },
  );

  it('values that are known are completed, files are left to the shell', async () => {
    expect(await offered('check', '--output', '')).toEqual(['text', 'json']);
    expect(await offered('check', '--output', 'j')).toEqual(['json']);
    expect(await offered('can', 'alice', 'p:m', '--access', 'U')).toEqual(['UPDATE']);
    expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await offered('apply', '-f', '')).toEqual(['default']);
    expect(await offered('can', '')).toEqual(['default']);
  });
});

describe.each(['zsh', 'fish'])('in %s', (shell) => {
  const isThere = spawnSync(shell, ['--version']).status === 0;

  it('every command and every flag is named', async () => {
    const script = await completion(shell);
    for (const each of PROGRAM.commands) {
      expect(script).toContain(each.name());
      for (const { long } of each.options)
        expect(script).toContain(shell === 'fish' ? `-l ${long?.slice(2)}` : `${long}:`);
    }
  });

  it.runIf(isThere)('the script is read without a fault', async () => {
    const { status, stderr } = spawnSync(shell, ['-n', '/dev/stdin'], {
      input: await completion(shell),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
});
