/** What is typed wrong is said as such, whether or not Redis is there. */
import { expect, it } from 'vitest';
import { runCli } from '../../support/cli.ts';

const NOWHERE = { REDIS_URL: 'redis://127.0.0.1:1' };

it.each<[readonly string[], string]>([
  [['can', '', 'prod'], 'is not USER:x'],
  [['can', 'USER:', 'prod'], 'is not USER:x'],
  [['can', 'alice', 'PROMPT:'], 'is not provider, provider:model'],
  [['can', 'alice', ':x'], 'is not provider, provider:model'],
  [['can', 'alice', 'APPLICATION:claims'], 'say --access'],
  [['audit', '--limit', '0'], '--limit "0"'],
  [['audit', '--limit', '-5'], '--limit "-5"'],
  [['audit', '--since', '2026-13-01'], '--since "2026-13-01"'],
  [['audit', '--kind', 'grant'], 'Did you mean "grants"?'],
  [['audit', '--denials', '--action', 'create'], 'of changes'],
  [['apply', '--file='], '-f "" names no file'],
  [['run', 'prod:m', '--prompt', 'x', '--as', ''], '--as ""'],
])('%j is exit code 2', async (args, words) => {
  const { code, stdout, stderr } = await runCli(args, NOWHERE);
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(words)]);
});
