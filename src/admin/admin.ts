import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { type Author, commandAuthor } from '../audit/author.ts';
import { createAuditReader } from '../audit/reader.ts';
import { createTrail } from '../audit/trail.ts';
import { createDirectCaller } from '../calls/direct-caller.ts';
import { keepingAnAdmin } from '../catalog/changes/last-admin.ts';
import { createCatalogWriter } from '../catalog/changes/writer.ts';
import { createLiveCatalog } from '../catalog/live-catalog.ts';
import { createLimitReader } from '../cluster/limit-reader.ts';
import type { Config } from '../config.ts';
import { ServiceError } from '../errors.ts';
import { keyHashOf } from '../identity/key-store.ts';
import { createSecretVerifier } from '../identity/secret-verifier.ts';
import { loadSigningKey } from '../identity/signing.ts';
import { createTokenVerifier } from '../identity/token-verifier.ts';
import { inTime } from '../in-time.ts';
import { keyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import { createDenialRecorder } from '../telemetry/denials.ts';
import { createUsageReader } from '../telemetry/usage-reader.ts';
import { currentAuthor } from './access/author.ts';
import type { Proven } from './access/authorize.ts';
import { buildServer, STALE_AT_MOST_MS } from './server.ts';

/** How long the last answers may take to go out at a stop, those of models apart. */
const LAST_ANSWERS_MS = 2_000;
/** How long a record of a change is kept where AUDIT_RETENTION_DAYS does not say. */
const AUDIT_KEPT_MS = 400 * 24 * 3_600_000;
/** How long the last denials may take to be written at a stop. */
const LAST_WRITES_MS = 1_000;

export interface RunningAdmin {
  readonly port: number;
  /** Takes no new requests, answers those that it has, calls of models within DRAIN_TIMEOUT_MS, and closes its connections. */
  stop(): Promise<void>;
}

export interface AdminConnections {
  readonly config: Config;
  readonly log: Logger;
  /** Not connected yet. */
  readonly redis: Redis | Cluster;
  /** Writes what replicas share, of calls of models. Rejects at once while Redis is away. Not connected yet. */
  readonly runtime: Redis | Cluster;
  /** Hears of changes: see `catalog/tracking.ts`. Undefined on a Cluster. */
  readonly ears: Redis | undefined;
  /** For secrets written as `env:NAME`. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/**
 * The admin API over Redis: stateless, any number of replicas. Waits until Redis answers, for the key that signs tokens is
 * there. Throws CONFIG_INVALID without ENCRYPTION_KEYS, or where they do not open that key.
 */
export async function startAdmin(connections: AdminConnections): Promise<RunningAdmin> {
  const { config, log, redis, runtime, ears, variables, version } = connections;
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
  const trailOf = (author: Author): Trail =>
    createTrail({ names, keptForMs: config.audit.keptForMs ?? AUDIT_KEPT_MS, author });
  const signingKey = await loadSigningKey({ redis, names, keyring, trail: trailOf(commandAuthor('admin')) });
  await catalog.refresh([names.hash('token-keys')]);
  const tokens = createTokenVerifier();
  const denials = createDenialRecorder({ redis, stream: names.denials, log });
  const calls = createDirectCaller({
    ...{ redis: runtime, names, catalog, denials, log, label: config.workerLabel },
    mayDecide: () => catalog.loaded() && (catalog.staleForMs() ?? 0) < STALE_AT_MOST_MS,
    secrets: { variables, ...config.secrets },
  });

  async function authenticate(token: string): Promise<Proven> {
    const answer = await tokens.verifyToken({ token, audience: 'api', world: catalog.current() });
    if (answer.kind === 'valid') return { subject: answer.subject, accessKey: answer.accessKeyId };
    if (answer.kind === 'expired') throw new ServiceError('TOKEN_EXPIRED', 'The token has expired: get another');
    throw new ServiceError('TOKEN_INVALID', `The token is not valid: ${answer.reason}`);
  }

  const trailNow = (): Trail => trailOf(currentAuthor());
  const { app } = await buildServer({
    redis,
    names,
    catalog,
    writer: keepingAnAdmin({ writer: createCatalogWriter({ redis, catalog, trailNow }), catalog, names }),
    trailNow,
    audit: createAuditReader({ redis, names }),
    denials,
    keyring,
    log,
    version,
    allowedHosts: [config.admin.host, ...config.admin.allowedHosts],
    trustedProxies: config.admin.trustedProxies,
    anonymous: config.admin.anonymous,
    authenticate,
    signingKey,
    secrets: createSecretVerifier({ hashOf: (keyId) => keyHashOf({ redis, names }, keyId) }),
    calls,
    usage: createUsageReader({ redis, keys: names.usage }),
    limits: createLimitReader({ redis, keys: names.usage }),
  });
  // No reason to end: it tries again, and says so.
  runtime.connect().catch(() => undefined);
  calls.start();
  await app.listen({ host: config.admin.host, port: config.admin.port });
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.admin.port;
  log.info({ host: config.admin.host, port }, 'The admin API is served; its description is at /docs');
  return {
    port,
    async stop() {
      const closed = app.close();
      await calls.stop(config.tasks.drainTimeoutMs);
      // What is open then are connections over which nobody asks: browsers and clients make them ahead of need.
      await inTime(closed, LAST_ANSWERS_MS).catch(() => app.server.closeAllConnections());
      await closed;
      await inTime(denials.flush(), LAST_WRITES_MS).catch(() => undefined);
      for (const connection of [ears, runtime, redis]) connection?.disconnect();
      await catalog.stop();
    },
  };
}
