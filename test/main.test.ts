import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** The modules that a process loads which imports these. */
function loadedBy(...modules: readonly string[]): string[] {
  const urls = modules.map((module) => new URL(`../${module}`, import.meta.url).href);
  const program = `
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) });
    for (const module of ${JSON.stringify(urls)}) await import(module);
    process.stdout.write(JSON.stringify(seen), () => process.exit());`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

const COMMANDS = ['apply', 'audit', 'bootstrap', 'can', 'check', 'export', 'run'].map(
  (name) => `src/commands/${name}.ts`,
);

describe('what every command and the admin API load', () => {
  it('is nothing of AWS and nothing of Conductor', () => {
    const loaded = loadedBy('src/main.ts', ...COMMANDS);
    for (const module of ['/src/admin/admin.ts', '/src/manifests/apply.ts'])
      expect(loaded.some((url) => url.endsWith(module))).toBe(true);
    expect(loaded.filter((url) => /@aws-sdk|@smithy|@io-orkes/.test(url))).toEqual([]);
  });

  it('is for help and a mistyped flag not even the client of Redis', () => {
    const loaded = loadedBy('src/cli/program.ts');
    expect(loaded.some((url) => url.endsWith('/src/cli/apply.ts'))).toBe(true);
    expect(loaded.filter((url) => /\/(ioredis|pino|yaml|fastify)\//.test(url))).toEqual([]);
  });

  it('is not all that a worker loads', () => {
    expect(loadedBy('src/workers/worker.ts').some((url) => url.includes('@aws-sdk'))).toBe(true);
  });
});
