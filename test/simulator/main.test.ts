import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../simulator/main.ts', import.meta.url));

test.each(['SIGTERM', 'SIGINT'] as const)('the program says where it listens, and ends on %s', async (signal) => {
  const program = spawn(process.execPath, [MAIN, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: program.stdout }), 'line');
  const { url } = JSON.parse(line);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(await (await fetch(`${url}/_control/health`)).json()).toEqual({ status: 'ok' });
  program.kill(signal);
  expect(await once(program, 'exit')).toEqual([0, null]);
});

test('the program explains itself, and refuses what it does not know', async () => {
  const run = (...given: string[]) => promisify(execFile)(process.execPath, [MAIN, ...given]);
  expect((await run('--help')).stdout).toContain('--port');
  await expect(run('--prot', '1')).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('--prot') });
  await expect(run('--port', 'x')).rejects.toMatchObject({ code: 2 });
});
