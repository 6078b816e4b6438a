import type { TestProject } from 'vitest/node';
import { prepareConductor } from '../../devservers/conductor-jar.ts';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';
import { startConductorOnRedis } from './conductor-on-redis.ts';
import { started } from './progress.ts';
import type {} from './redis-for-all.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** An open-source Conductor with its AI switch off, without `/api`. It has a Redis of its own. */
    conductorUrl: string;
  }
}

/** One Redis and one Conductor server for all e2e tests of a run. Simulators are the tests' own: what is set there holds for everybody. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const running: Server[] = [];
  const keep = <Kind extends Server>(server: Kind): Kind => {
    running.push(server);
    return server;
  };
  const stopAll = async () => {
    for (const server of running.reverse()) await server.stop();
  };
  const outcomes = await Promise.allSettled([
    started('Redis', async () => project.provide('redisUrl', keep(await startRedis()).url)),
    started('Conductor', async (say) => {
      const program = await prepareConductor(say);
      project.provide('conductorUrl', keep(await startConductorOnRedis(program)).url);
    }),
  ]);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return stopAll;
  await stopAll();
  throw failed.reason;
}
