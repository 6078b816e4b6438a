/**
 * The composition root of what runs for long: here its connections are opened. AWS's SDK and Conductor's
 * take long to load: they come with what needs them.
 */
import { startAdmin } from './admin/admin.ts';
import { parseConfig } from './config.ts';
import { ServiceError } from './errors.ts';
import { openConnection, openRedis, RUNTIME_CONNECTION, WRITING_CONNECTION } from './redis/connect.ts';
import { firstSignal } from './signals.ts';
import { createLog } from './telemetry/log.ts';
import type { Worker } from './workers/worker.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** The role `worker`: runs until SIGTERM or SIGINT, then drains. Resolves to the exit code. */
export async function runWorker(variables: Variables): Promise<number> {
  const config = parseConfig(variables);
  const log = createLog(config.logLevel);
  // From the first moment, so that a signal during the start is not lost; a second one ends at once.
  const signal = firstSignal(() => {
    log.warn('A second signal: ending at once; the timeouts of Conductor bring back what was held');
    process.exit(1);
  });
  const redis = openConnection(config.redis, 'bedrock-cohere', log);
  const runtime = openConnection(config.redis, 'bedrock-cohere-runtime', log, RUNTIME_CONNECTION);
  const ears = config.redis.cluster
    ? undefined
    : openRedis(config.redis, 'bedrock-cohere-ears', log, { protocol: 2, autoResubscribe: false });
  let worker: Worker;
  try {
    const { startWorker } = await import('./workers/worker.ts');
    worker = await startWorker({ config, log, redis, runtime, ears, variables });
  } catch (error) {
    throw portFault(error, config.httpPort, 'HTTP_PORT');
  }
  log.info({ signal: await signal }, 'A signal to stop');
  return (await worker.stop()) ? 0 : 1;
}

/** The role `admin`: serves until SIGTERM or SIGINT. Resolves to the exit code. */
export async function runAdmin(variables: Variables, version: string): Promise<number> {
  const config = parseConfig(variables);
  const log = createLog(config.logLevel);
  const signal = firstSignal(() => process.exit(1));
  const redis = openConnection(config.redis, 'bedrock-cohere-admin', log, WRITING_CONNECTION);
  const runtime = openConnection(config.redis, 'bedrock-cohere-admin-runtime', log, RUNTIME_CONNECTION);
  const ears = config.redis.cluster
    ? undefined
    : openRedis(config.redis, 'bedrock-cohere-admin-ears', log, { protocol: 2, autoResubscribe: false });
  let admin: Awaited<ReturnType<typeof startAdmin>>;
  try {
    admin = await startAdmin({ config, log, redis, runtime, ears, variables, version });
  } catch (error) {
    throw portFault(error, config.admin.port, 'ADMIN_PORT');
  }
  log.info({ signal: await signal }, 'A signal to stop');
  await admin.stop();
  return 0;
}

function portFault(error: unknown, port: number, variable: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
  const message = `Port ${port} is taken: choose another with ${variable} (0 for any free one)`;
  return new ServiceError('CONFIG_INVALID', message, { cause: error });
}
