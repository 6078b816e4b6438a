import type { TestProject } from 'vitest/node';
import { startRedis } from '../../devservers/redis-server.ts';
import { started } from './progress.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Redis that only this run uses: `redis://127.0.0.1:PORT`. Tests part it by prefix or database. */
    redisUrl: string;
  }
}

/** One Redis for all contract tests of a run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await started('Redis', () => startRedis());
  project.provide('redisUrl', redis.url);
  return () => redis.stop();
}
