import type { ConductorProgram } from '../../devservers/conductor-jar.ts';
import { startConductor } from '../../devservers/conductor-server.ts';
import { startRedis } from '../../devservers/redis-server.ts';
import type { Server } from '../../devservers/server.ts';

/**
 * A Conductor server and the Redis where it keeps everything, which it alone uses; both stop together. Ten seconds of CPU to start:
 * a test file has one of its own where it changes or looks at what all workflows of a server share.
 */
export async function startConductorOnRedis(program?: ConductorProgram): Promise<Server> {
  const store = await startRedis();
  try {
    const conductor = await startConductor({ redis: { host: '127.0.0.1', port: store.port }, program });
    return {
      ...conductor,
      async stop() {
        await conductor.stop();
        await store.stop();
      },
    };
  } catch (error) {
    await store.stop();
    throw error;
  }
}
