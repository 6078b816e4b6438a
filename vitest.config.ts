import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** What examples import by the package's name, which else is the built one. */
const alias = { 'bedrock-cohere/tasks': fileURLToPath(new URL('src/tasks/index.ts', import.meta.url)) };

/**
 * A start of the command line takes half the CPU where Node finds the source compiled: 0.25 s in place of 0.5 s. The tests start it
 * a thousand times. Within node_modules: each checkout has its own, and `npm ci` begins with none.
 */
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/node', import.meta.url));

/** What does as much as it can in a given time, or counts what happens in one, and is to have the machine for itself. */
const ALONE = ['test/e2e/fuzz.test.ts', 'test/contract/catalog/canary-among-many.test.ts'];

/** What a test waits for comes in milliseconds; this only ends it where it does not come. Vitest's default of 1 s is a busy machine's hiccup. */
const expectations = { poll: { timeout: 20_000 } };

/**
 * `unit`: no server but those a test starts in its own process. `contract`: a real Redis. `e2e`: Redis, Conductor and the
 * simulator. `alone`: a real Redis, and no other test meanwhile. Which of them a new test belongs to: CONTRIBUTING.md.
 */
export default defineConfig({
  test: {
    // Vitest's own default is one fewer than there are cores, though many tests wait for a clock and not for a core.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          expect: expectations,
          include: ['test/**/*.test.ts'],
          exclude: ['test/contract/**', 'test/e2e/**'],
          // None waits for a clock: on a busy machine the properties take their time.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'contract',
          expect: expectations,
          include: ['test/contract/**/*.test.ts'],
          exclude: ALONE,
          globalSetup: ['test/support/redis-for-all.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'e2e',
          expect: expectations,
          include: ['test/e2e/**/*.test.ts'],
          exclude: ALONE,
          globalSetup: ['test/support/servers-for-all.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'alone',
          include: ALONE,
          globalSetup: ['test/support/redis-for-all.ts'],
          // Vitest then runs it after all others.
          fileParallelism: false,
        },
      },
    ],
  },
});
