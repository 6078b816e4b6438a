/**
 * The composition root: the one place that reads `process.env`, hears signals and opens connections. AWS's SDK and
 * Conductor's take long to load: they come with what needs them.
 */
import type { Cluster, Redis } from 'ioredis';
import { startAdmin } from './admin/admin.ts';
import { loadSnapshot } from './catalog/load.ts';
import { readManifestFiles, runApply, wantedFrom } from './commands/apply.ts';
import { runBootstrap } from './commands/bootstrap.ts';
import { type CanQuestion, runCan } from './commands/can.ts';
import type { Finding } from './commands/check/finding.ts';
import { longestWait } from './commands/check/longest-wait.ts';
import { checkRecords } from './commands/check/records.ts';
import { reportFindings } from './commands/check.ts';
import type { Terminal } from './commands/terminal.ts';
import { type Config, parseConfig } from './config.ts';
import { messageOf, ServiceError } from './errors.ts';
import { inTime } from './in-time.ts';
import { openCluster, openConnection, openRedis, RUNTIME_CONNECTION } from './redis/connect.ts';
import { keyNames } from './redis/keys.ts';
import { parseRedisUrl } from './redis/url.ts';
import { createLog } from './telemetry/log.ts';
import type { Worker } from './workers/worker.ts';

/** The role `worker`: runs until SIGTERM or SIGINT, then drains. Resolves to the exit code. */
export async function runWorker(): Promise<number> {
  const config = parseConfig(process.env);
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
    worker = await startWorker({ config, log, redis, runtime, ears, variables: process.env });
  } catch (error) {
    throw portFault(error, config.httpPort, 'HTTP_PORT');
  }
  log.info({ signal: await signal }, 'A signal to stop');
  return (await worker.stop()) ? 0 : 1;
}

/** The role `admin`: serves until SIGTERM or SIGINT. Resolves to the exit code. */
export async function runAdmin(version: string): Promise<number> {
  const config = parseConfig(process.env);
  const log = createLog(config.logLevel);
  const signal = firstSignal(() => process.exit(1));
  const redis = openConnection(config.redis, 'bedrock-cohere-admin', log);
  const runtime = openConnection(config.redis, 'bedrock-cohere-admin-runtime', log, RUNTIME_CONNECTION);
  const ears = config.redis.cluster
    ? undefined
    : openRedis(config.redis, 'bedrock-cohere-admin-ears', log, { protocol: 2, autoResubscribe: false });
  let admin: Awaited<ReturnType<typeof startAdmin>>;
  try {
    admin = await startAdmin({ config, log, redis, runtime, ears, variables: process.env, version });
  } catch (error) {
    throw portFault(error, config.admin.port, 'ADMIN_PORT');
  }
  log.info({ signal: await signal }, 'A signal to stop');
  await admin.stop();
  return 0;
}

/** `apply`: throws MANIFEST_INVALID before Redis is touched where a manifest has a fault. */
export async function runApplyCommand(options: {
  readonly paths: readonly string[];
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly yes: boolean;
  readonly terminal: Terminal;
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
}): Promise<number> {
  const wanted = wantedFrom(await readManifestFiles(options.paths, process.stdin), options.terminal);
  return await withRedis((redis, config) =>
    runApply({ ...options, redis, names: keyNames(config.redis.prefix), keyring: config.secrets.keyring, wanted }),
  );
}

export async function runCanCommand(question: CanQuestion, terminal: Terminal): Promise<number> {
  return await withRedis(async (redis, config) =>
    runCan(await loadSnapshot(redis, keyNames(config.redis.prefix)), question, terminal),
  );
}

export async function runBootstrapCommand(terminal: Terminal): Promise<number> {
  return await withRedis((redis, config) =>
    runBootstrap({ redis, names: keyNames(config.redis.prefix), keyring: config.secrets.keyring, terminal }),
  );
}

export async function runCheckCommand({
  offline,
  terminal,
}: {
  offline: boolean;
  terminal: Terminal;
}): Promise<number> {
  const [{ checkConductor }, { checkCredentials, checkRedis }, { createConductorSession }] = await Promise.all([
    import('./commands/check/conductor.ts'),
    import('./commands/check/surroundings.ts'),
    import('./workers/conductor/session.ts'),
  ]);
  return await withRedis(async (redis, config) => {
    const names = keyNames(config.redis.prefix);
    const snapshot = await loadSnapshot(redis, names);
    const log = createLog('silent');
    const session = createConductorSession({ ...config.conductor, log });
    const secrets = { variables: process.env, ...config.secrets };
    const outside = offline
      ? []
      : await Promise.all([
          checkRedis(redis),
          checkConductor(session.metadata, config.tasks.served, config.conductor.apiUrl, longestWait(snapshot)),
          checkCredentials({ snapshot, names, secrets, log }),
        ]);
    session.close();
    return reportFindings(
      [
        ...checkMode(config),
        ...checkRecords(snapshot, names, { now: new Date(), keyring: secrets.keyring }),
        ...outside.flat(),
      ],
      terminal,
    );
  });
}

function checkMode({ access: { mode } }: Config): Finding[] {
  if (mode === 'enforce') return [];
  const message = `is ${mode}: tasks run whatever the grants say`;
  return [{ severity: 'warning', key: 'environment', field: 'RBAC_MODE', message }];
}

/** One-shot commands: a connection that either opens or says in one line that it does not. */
async function withRedis<T>(use: (redis: Redis | Cluster, config: Config) => Promise<T>): Promise<T> {
  const config = parseConfig(process.env);
  const log = createLog('silent');
  const redis = config.redis.cluster
    ? openCluster(config.redis, 'bedrock-cohere-cli', log)
    : openRedis(config.redis, 'bedrock-cohere-cli', log, {
        retryStrategy: () => null,
        sentinelRetryStrategy: () => null,
      });
  // ioredis rejects with "Connection is closed."; why it was closed comes only as an event.
  let reason: unknown;
  redis.on('error', (error) => {
    reason ??= error;
  });
  try {
    await inTime(redis.connect(), CONNECT_TIMEOUT_MS);
    // One dead node among several is an event, too; only a connection that was given up is a failure.
    if (redis.status !== 'ready') throw reason;
  } catch (error) {
    redis.disconnect();
    throw unreachableRedis(config, reason ?? error);
  }
  try {
    return await use(redis, config);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw redis.status === 'ready' ? refusedByRedis(error) : unreachableRedis(config, error);
  } finally {
    redis.disconnect();
  }
}

function unreachableRedis(config: Config, cause: unknown): ServiceError {
  // Only where it is: the rest of the URL may be a password.
  const nodes = parseRedisUrl(config.redis.url).nodes.map(({ host, port }) => `${host}:${port}`);
  const message = `Redis at ${nodes.join(', ')} cannot be reached (REDIS_URL): ${describeNetworkError(cause)}`;
  return new ServiceError('UNREACHABLE', message, { cause });
}

/** Redis' own words, without the commands that ioredis hangs on its errors: their arguments may be secrets. */
function refusedByRedis(error: unknown): unknown {
  const first = (error as { previousErrors?: unknown[] }).previousErrors?.[0] ?? error;
  if (!(first instanceof Error) || first.name !== 'ReplyError') return error;
  return new ServiceError('UNREACHABLE', `Redis refuses (REDIS_URL): ${first.message}`);
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Node gathers what went wrong with several addresses in an error without words of its own. */
function describeNetworkError(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  return messageOf(inner) || (inner as NodeJS.ErrnoException).code || 'no answer';
}

function firstSignal(onSecond: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let heard = false;
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        if (heard) return onSecond();
        heard = true;
        resolve(name);
      });
    }
  });
}

function portFault(error: unknown, port: number, variable: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
  const message = `Port ${port} is taken: choose another with ${variable} (0 for any free one)`;
  return new ServiceError('CONFIG_INVALID', message, { cause: error });
}
