import { type ConductorApi, conductorApi } from '../devservers/conductor-api.ts';
import { SetupError } from '../devservers/setup-error.ts';
import { openCluster, openRedis, scanKeys } from '../src/redis/connect.ts';
import { createLog } from '../src/telemetry/log.ts';
import { type ConductorKeys, isCluster } from './plan.ts';

export interface ReachedConductor {
  readonly url: string;
  readonly api: ConductorApi;
  /** What the worker needs to reach it, too. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The user's Conductor server, signed in where keys are given.
 * @throws SetupError where it does not answer or refuses the keys
 */
export async function reachConductor({
  url,
  auth,
}: {
  url: string;
  auth: ConductorKeys | undefined;
}): Promise<ReachedConductor> {
  try {
    const answer = auth === undefined ? undefined : await conductorApi(url).call('POST', '/token', auth);
    const token = (answer as { token?: string } | undefined)?.token;
    const api = conductorApi(url, token === undefined ? {} : { 'x-authorization': token });
    await api.call('GET', '/metadata/workflow/names-and-versions').catch(() => api.call('GET', '/metadata/taskdefs'));
    const env = auth === undefined ? {} : { CONDUCTOR_AUTH_KEY: auth.keyId, CONDUCTOR_AUTH_SECRET: auth.keySecret };
    return { url, api, env };
  } catch (cause) {
    throw new SetupError(
      `CONDUCTOR_SERVER_URL ${url} cannot be used (${reasonOf(cause)}): correct it, or unset it to have a server started.`,
      { cause },
    );
  }
}

/** @throws SetupError where the AWS SDK finds none */
export async function requireAwsCredentials(): Promise<void> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  await defaultProvider()().catch((cause: unknown) => {
    throw new SetupError(
      'No AWS credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or leave --aws away.',
      { cause },
    );
  });
}

/** @throws SetupError in one line where it does not answer */
export async function reachRedis(url: string): Promise<void> {
  const target = { url, cluster: isCluster(url) };
  const log = createLog('silent');
  const redis = target.cluster
    ? openCluster(target, 'quickstart', log)
    : openRedis(target, 'quickstart', log, { retryStrategy: () => null, sentinelRetryStrategy: () => null });
  let reason: Error | undefined;
  redis.on('error', (error: Error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw new SetupError(
      `REDIS_URL does not answer (${reasonOf(reason ?? error)}): start that Redis, or leave the variable out.`,
    );
  } finally {
    redis.disconnect();
  }
}

/** Removes what the quickstart put into a Redis of the user's: everything under its own prefix. */
export async function emptyPrefix(url: string, prefix: string): Promise<void> {
  const log = createLog('silent');
  const target = { url, cluster: isCluster(url) };
  const redis = target.cluster ? openCluster(target, 'quickstart', log) : openRedis(target, 'quickstart', log);
  try {
    await redis.connect();
    for (const key of await scanKeys(redis, `${prefix.replaceAll(/[[\]*?\\]/g, '\\$&')}*`)) await redis.unlink(key);
  } finally {
    redis.disconnect();
  }
}

function reasonOf(thrown: unknown): string {
  const { message, cause } = thrown as Error & { cause?: { code?: string } };
  return cause?.code ?? message.split('\n')[0] ?? '';
}
