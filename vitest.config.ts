import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** What examples import by the package's name, which else is the built one. */
const alias = { 'bedrock-cohere/tasks': fileURLToPath(new URL('src/tasks/index.ts', import.meta.url)) };

/** `unit`: no server but those a test starts in its own process. `contract`: a real Redis. `e2e`: Redis, Conductor and the simulator. */
export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/contract/**', 'test/e2e/**'],
          // None waits for a clock: on a busy machine the properties take their time.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          globalSetup: ['test/support/redis-for-all.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/servers-for-all.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
