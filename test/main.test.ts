import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** The modules that a process loads which imports this one. */
function loadedBy(module: string): string[] {
  const program = `
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) });
    await import(${JSON.stringify(new URL(`../${module}`, import.meta.url).href)});
    process.stdout.write(JSON.stringify(seen), () => process.exit());`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

describe('what every command and the admin API load', () => {
  it('is nothing of AWS and nothing of Conductor', () => {
    const loaded = loadedBy('src/main.ts');
    expect(loaded.some((url) => url.endsWith('/src/admin/admin.ts'))).toBe(true);
    expect(loaded.filter((url) => /@aws-sdk|@smithy|@io-orkes/.test(url))).toEqual([]);
  });

  it('is not all that a worker loads', () => {
    expect(loadedBy('src/workers/worker.ts').some((url) => url.includes('@aws-sdk'))).toBe(true);
  });
});
