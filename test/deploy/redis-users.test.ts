import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { runAcl } from '../../src/commands/acl.ts';

it('deploy/redis-users.acl is what `acl --format file` writes for the default prefix', () => {
  const lines: string[] = [];
  const ignored = (): void => undefined;
  const same = (text: string): string => text;
  runAcl(
    { prefix: 'cohere:', cluster: false, roles: [], user: undefined, password: undefined, format: 'file' },
    {
      json: false,
      say: (line = '') => void lines.push(line),
      sayText: ignored,
      warn: ignored,
      result: ignored,
      ...{ good: same, bad: same, changed: same, faint: same },
    },
  );
  // Where it is not: bedrock-cohere acl --format file > deploy/redis-users.acl
  expect(readFileSync('deploy/redis-users.acl', 'utf8')).toBe(`${lines.join('\n')}\n`);
});
