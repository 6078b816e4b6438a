import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';

async function refusal(...words: readonly string[]): Promise<string> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const program = buildProgram({
    ...{ variables: {}, stdin, stdout, stderr, version: '0.0.0', ask: undefined, end: () => undefined },
  });
  program.configureOutput({ writeErr: () => undefined });
  for (const each of program.commands) each.configureOutput({ writeErr: () => undefined });
  const refused = await program.parseAsync(['node', 'bedrock-cohere', ...words]).then(
    () => undefined,
    (error: unknown) => error,
  );
  return (refused as Error).message;
}

it('of a value that is none of a flag’s or an argument’s choices names the nearest', async () => {
  for (const [words, meant] of [
    [['check', '--output', 'jsn'], 'json'],
    [['can', 'a', 'p', '--access', 'execut'], 'EXECUTE'],
    [['run', 'p:m', '--task-type', 'LLM_TEXT_COMPLET'], 'LLM_TEXT_COMPLETE'],
    [['audit', '--action', 'updat'], 'update'],
    [['export', '--kind', 'groups', 'grnts'], 'grants'],
    [['acl', 'worker', 'admn'], 'admin'],
    [['completion', 'bsh'], 'bash'],
  ] as const)
    expect(await refusal(...words)).toMatch(new RegExp(`Allowed choices are .*\\. Did you mean "${meant}"\\?$`));
  expect(await refusal('check', '--output', 'quite another')).toMatch(/Allowed choices are text, json\.$/);
});
