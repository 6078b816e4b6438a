import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { type BedrockClient, createBedrockClient } from './bedrock/client.ts';
import { credentialsLoader, loadFromDefaultChain } from './bedrock/connection-types.ts';
import { type CredentialsSource, refreshingCredentials } from './bedrock/credentials.ts';
import type { IntegrationConfiguration } from './integration.ts';
import type { SecretSources } from './secrets/open-secret.ts';
import { bareSecrets } from './secrets/secret-fields.ts';

export interface Clients {
  /**
   * Runs `use` with the client of an integration as it is configured now. A changed configuration gets a new client;
   * the old one is closed when its last user is done.
   */
  withClient<T>(
    integration: string,
    configuration: IntegrationConfiguration,
    use: (client: BedrockClient) => Promise<T>,
  ): Promise<T>;
  /** Closes the clients of integrations that are no longer there. */
  keepOnly(integrations: ReadonlySet<string>): void;
  close(): Promise<void>;
}

interface Kept {
  readonly client: BedrockClient;
  /** What the client was made from, last seen as this object: records are immutable, so the same is unchanged. */
  configuration: IntegrationConfiguration;
  /** Another means another client. */
  readonly fingerprint: string;
  users: number;
  retired: boolean;
}

/** One client an integration, kept: a client a call would cost a handshake each. */
export function createClients({ secrets, log }: { secrets: SecretSources; log: Logger }): Clients {
  const kept = new Map<string, Kept>();
  const closing = new Set<Promise<void>>();
  const conductorRole = refreshingCredentials({ load: loadFromDefaultChain, name: 'CONDUCTOR_ROLE', log });

  function obtain(integration: string, configuration: IntegrationConfiguration): Kept {
    const old = kept.get(integration);
    if (old?.configuration === configuration) return old;
    const fingerprint = JSON.stringify(configuration);
    if (old?.fingerprint === fingerprint) {
      old.configuration = configuration;
      return old;
    }
    if (old !== undefined) retire(integration, old);
    for (const field of bareSecrets(configuration)) {
      log.warn(
        { integration, field: `configuration.${field}` },
        'A secret stands in Redis as it is; bedrock-cohere check says what to do',
      );
    }
    const credentials: CredentialsSource =
      configuration.connectionType === 'CONDUCTOR_ROLE'
        ? conductorRole
        : refreshingCredentials({
            load: credentialsLoader({ integration, configuration, secrets, conductorRole }),
            name: integration,
            log,
          });
    const made = {
      client: createBedrockClient(configuration.region, credentials),
      configuration,
      fingerprint,
      users: 0,
      retired: false,
    };
    kept.set(integration, made);
    return made;
  }

  function retire(integration: string, entry: Kept): void {
    entry.retired = true;
    if (kept.get(integration) === entry) kept.delete(integration);
    closeIfUnused(integration, entry);
  }

  function closeIfUnused(integration: string, entry: Kept): void {
    if (!entry.retired || entry.users > 0) return;
    const closed = entry.client
      .close()
      .catch((error: unknown) =>
        log.warn({ integration, reason: messageOf(error) }, 'A Bedrock client did not close cleanly'),
      )
      .finally(() => closing.delete(closed));
    closing.add(closed);
  }

  return {
    async withClient(integration, configuration, use) {
      const entry = obtain(integration, configuration);
      entry.users += 1;
      try {
        return await use(entry.client);
      } finally {
        entry.users -= 1;
        closeIfUnused(integration, entry);
      }
    },
    keepOnly(integrations) {
      for (const [integration, entry] of kept) if (!integrations.has(integration)) retire(integration, entry);
    },
    async close() {
      for (const [integration, entry] of kept) retire(integration, entry);
      await Promise.all(closing);
    },
  };
}
