import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { createCatalogWriter } from '../catalog/changes/writer.ts';
import { createLiveCatalog } from '../catalog/live-catalog.ts';
import type { Config } from '../config.ts';
import { ServiceError } from '../errors.ts';
import { keyHashOf } from '../identity/key-store.ts';
import { createSecretVerifier } from '../identity/secret-verifier.ts';
import { loadSigningKey } from '../identity/signing.ts';
import { createTokenVerifier } from '../identity/token-verifier.ts';
import type { Subject } from '../rbac/subject.ts';
import { keyNames } from '../redis/keys.ts';
import { buildServer } from './server.ts';

export interface RunningAdmin {
  readonly port: number;
  /** Takes no new requests, answers those that it has, and closes its connections. */
  stop(): Promise<void>;
}

export interface AdminConnections {
  readonly config: Config;
  readonly log: Logger;
  /** Not connected yet. */
  readonly redis: Redis | Cluster;
  /** Hears of changes: see `catalog/tracking.ts`. Undefined on a Cluster. */
  readonly ears: Redis | undefined;
  readonly version: string;
}

/**
 * The admin API over Redis: stateless, any number of replicas. Waits until Redis answers, for the key that signs tokens is
 * there. Throws CONFIG_INVALID without ENCRYPTION_KEYS, or where they do not open that key.
 */
export async function startAdmin({ config, log, redis, ears, version }: AdminConnections): Promise<RunningAdmin> {
  const names = keyNames(config.redis.prefix);
  const { keyring } = config.secrets;
  if (keyring.newest === undefined) {
    throw new ServiceError(
      'CONFIG_INVALID',
      'ENCRYPTION_KEYS: missing; secrets and the key that signs tokens are sealed with it. Make one with: ' +
        'export ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)", and keep it',
    );
  }
  const catalog = createLiveCatalog({ redis, ears, names, log });
  catalog.start();
  await Promise.all([redis.connect(), ears?.connect()]);
  const signingKey = await loadSigningKey({ redis, names, keyring });
  await catalog.refresh([names.hash('token-keys')]);
  const tokens = createTokenVerifier();

  async function authenticate(token: string): Promise<Subject> {
    const answer = await tokens.verifyToken({ token, audience: 'api', world: catalog.current() });
    if (answer.kind === 'valid') return answer.subject;
    if (answer.kind === 'expired') throw new ServiceError('TOKEN_EXPIRED', 'The token has expired: get another');
    throw new ServiceError('TOKEN_INVALID', `The token is not valid: ${answer.reason}`);
  }

  const { app } = await buildServer({
    redis,
    names,
    catalog,
    writer: createCatalogWriter({ redis, catalog }),
    keyring,
    log,
    version,
    allowedHosts: [config.admin.host, ...config.admin.allowedHosts],
    anonymous: config.admin.anonymous,
    authenticate,
    signingKey,
    secrets: createSecretVerifier({ hashOf: (keyId) => keyHashOf({ redis, names }, keyId) }),
  });
  await app.listen({ host: config.admin.host, port: config.admin.port });
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.admin.port;
  log.info({ host: config.admin.host, port }, 'The admin API is served; its description is at /docs');
  return {
    port,
    async stop() {
      await app.close();
      await catalog.stop();
      redis.disconnect();
      ears?.disconnect();
    },
  };
}
