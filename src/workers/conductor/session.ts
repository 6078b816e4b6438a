import { type ConductorLogger, createConductorClient, MetadataClient } from '@io-orkes/conductor-javascript';
import type { Logger } from 'pino';

type SdkClient = Awaited<ReturnType<typeof createConductorClient>>;

export interface ConductorSession {
  /** Conductor's address with `/api`. */
  readonly apiUrl: string;
  /** The header that proves who we are; none on a server without authentication. Waits for the first token. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** After a 401 or 403: the next `headers()` asks for a new token. At most one a second. */
  renew(): void;
  /** Rejects whoever still waits for a first token: the SDK itself tries for two minutes, which no stop can wait for. */
  stopConnecting(): void;
  /** The SDK's client for task and workflow definitions. */
  metadata(): Promise<MetadataClient>;
  close(): void;
}

export interface ConductorSessionParts {
  readonly apiUrl: string;
  readonly auth: { readonly keyId: string; readonly keySecret: string } | undefined;
  readonly log: Logger;
}

const RENEW_AT_MOST_EVERY_MS = 1_000;

/** Authentication by Conductor's own SDK: key id and secret for a token, renewed in time; none for open-source servers. */
export function createConductorSession({ apiUrl, auth, log }: ConductorSessionParts): ConductorSession {
  let client: Promise<SdkClient> | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  const stopping = Promise.withResolvers<never>();
  stopping.promise.catch(() => undefined);

  function connect(): Promise<SdkClient> {
    if (client !== undefined) return client;
    const connecting = createConductorClient({
      serverUrl: apiUrl,
      ...(auth === undefined ? {} : auth),
      logger: sdkLogger(log),
      disableHttp2: true,
    });
    client = connecting;
    connecting.catch(() => {
      if (client === connecting) client = undefined;
    });
    return connecting;
  }

  /** The connected client; at once where it is there already, and never later than `stopConnecting`. */
  const connected = (): Promise<SdkClient> => Promise.race([connect(), stopping.promise]);

  function drop(): void {
    client?.then((connected) => connected.stopBackgroundRefresh()).catch(() => undefined);
    client = undefined;
  }

  return {
    apiUrl,
    async headers() {
      if (auth === undefined) return {};
      return (await (await connected()).getAuthenticationHeaders()) ?? {};
    },
    renew() {
      if (auth === undefined || performance.now() - renewedAt < RENEW_AT_MOST_EVERY_MS) return;
      renewedAt = performance.now();
      drop();
    },
    stopConnecting: () => stopping.reject(new Error('the worker is stopping')),
    metadata: async () => new MetadataClient(await connected()),
    close: drop,
  };
}

/** The SDK hands over an Error behind its words, which pino would drop there. */
function sdkLogger(log: Logger): ConductorLogger {
  const say =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (...said: unknown[]) =>
      log[level]({ sdk: said.slice(1).map((part) => (part instanceof Error ? part.message : part)) }, String(said[0]));
  // Its own retries are degraded operation, not a call for a person.
  return { debug: say('debug'), info: say('debug'), warn: say('warn'), error: say('warn') };
}
