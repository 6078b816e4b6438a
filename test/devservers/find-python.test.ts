import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fitPython } from '../../devservers/find-python.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedrock-cohere-python-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A `python3` that ends with this exit code where it is asked what it is. */
function pythonThat(exitCode: number): string {
  const file = join(folder, 'python3');
  writeFileSync(file, `#!/bin/sh\ncase "$2" in *'import pip, sys'*'(3, 10)'*) exit ${exitCode};; esac\nexit 9\n`);
  chmodSync(file, 0o755);
  return file;
}

it('is a Python that says yes', async () => {
  const file = pythonThat(0);
  expect(await fitPython(file)).toBe(file);
});

it('is none that has no pip or is too old', async () => {
  expect(await fitPython(pythonThat(1))).toBeUndefined();
});

it('is none where there is none', async () => {
  expect(await fitPython(undefined)).toBeUndefined();
  expect(await fitPython(join(folder, 'nowhere'))).toBeUndefined();
});
