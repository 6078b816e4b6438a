import type { TestProject } from 'vitest/node';
import { prepareConductor } from '../../devservers/conductor-jar.ts';
import { startConductor } from '../../devservers/conductor-server.ts';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';
import { startSimulator } from '../../devservers/simulator.ts';
import { started } from './progress.ts';
import type {} from './redis-for-all.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** An open-source Conductor with its AI switch off, without `/api`. It has a Redis of its own. */
    conductorUrl: string;
    /** The stand-in for Bedrock and STS. */
    simulatorUrl: string;
  }
}

/** One Redis, one Conductor server and one simulator for all e2e tests of a run. */
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
      // Not the tests' Redis: they may empty theirs.
      const store = keep(await startRedis());
      const conductor = await startConductor({ redis: { host: '127.0.0.1', port: store.port }, program });
      project.provide('conductorUrl', keep(conductor).url);
    }),
    started('Simulator', async () => project.provide('simulatorUrl', keep(await startSimulator()).url)),
  ]);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return stopAll;
  await stopAll();
  throw failed.reason;
}
